"""The pages about challenges and the container file name only what there is."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.challenge.site import open_site
from tests.docs.shown import ROOT, blocks, check_command, commands

from thumbnet.challenge.settings import PREFIX, Settings
from thumbnet.cli.main import app

OPERATE = (ROOT / "docs" / "operate-a-challenge.md").read_text(encoding="utf-8")
SUBMIT = (ROOT / "docs" / "submit.md").read_text(encoding="utf-8")
IN_PROSE = re.findall(r"`(thumbnet [a-z][^`\n]*)`", OPERATE)
COMMANDS = [*commands(OPERATE, "console", "ini"), *IN_PROSE, *commands(SUBMIT, "bash")]
CONTAINER = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")


@pytest.mark.parametrize("line", sorted(set(COMMANDS)))
def test_command_exists(line: str) -> None:
    check_command(line)


def test_every_command_of_a_challenge_is_told_of() -> None:
    main: Any = typer.main.get_command(app)
    told = {line.split()[2] for line in COMMANDS if line.startswith("thumbnet challenge")}
    assert told == set(main.commands["challenge"].commands)


def test_options_named_alone_are_options_of_a_challenge() -> None:
    main: Any = typer.main.get_command(app)
    known = {
        name
        for command in main.commands["challenge"].commands.values()
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
    }
    named = set(re.findall(r"`(--[a-z-]+)", OPERATE)) - {"--cacert", "--build-arg"}
    assert len(named) > 5
    assert named <= known


def test_every_setting_is_told_of_with_what_it_is_if_not_given() -> None:
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", OPERATE.split("## Serve")[1], flags=re.MULTILINE)
    told: dict[str, str] = {}
    for names, values in rows:
        found = re.findall(r"`([a-z_]+)`", names)
        given = [value.strip(" `") for value in values.split(",")]
        told |= dict(zip(found, given if len(given) == len(found) else found, strict=True))
    fields = {name: field for name, field in Settings.model_fields.items() if name in told}
    assert set(Settings.model_fields) - set(fields) == {"folder", "secret_key"}
    for name, field in fields.items():
        if isinstance(field.default, int | float) and field.default < 1 << 20:
            assert float(told[name]) == field.default
        elif isinstance(field.default, str) and field.default:
            assert told[name] == field.default
    for name in re.findall(rf"{PREFIX}([A-Z_]+)", OPERATE):
        assert name.lower() in Settings.model_fields


def test_addresses_and_figures_exist(tmp_path: Path) -> None:
    paths = set(re.findall(r"location = (/\S+)", OPERATE)) | {"/healthz", "/admin", "/rules"}
    with open_site(tmp_path) as site:
        known = {getattr(route, "path", "") for route in site.app.routes} | set(
            site.app.openapi()["paths"]
        )
        client = site.client()
        client.get("/healthz")
        figures = client.get("/metrics").text
        assert [client.get(path).status_code for path in ("/healthz", "/admin")] == [200, 200]
    assert {path for path in paths if path.startswith("/api")} <= known
    named = set(re.findall(r"`(thumbnet_[a-z_]+)`", OPERATE))
    assert len(named) >= 5
    assert {name for name in named if f"# TYPE {name} " not in figures} == set()


@pytest.mark.parametrize("text", [OPERATE, SUBMIT], ids=["operate", "submit"])
def test_links_lead_somewhere(text: str) -> None:
    anchors = {re.sub(r"[^a-z -]", "", line.lower()).replace(" ", "-") for line in headings(text)}
    for link in re.findall(r"\]\((?!http)([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        assert (ROOT / "docs" / path).exists(), link
        assert not anchor or path or anchor in anchors, link


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)", text, flags=re.MULTILINE)


def test_what_the_container_copies_and_runs_exists() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.*) \S+$", CONTAINER, flags=re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split("./")[0].split())
        assert all(f"\n!{name}\n" in ignored for name in line.split("./")[0].split())
    extras = re.search(r"'\.\[([a-z,]+)\]'", CONTAINER)
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f"\n{extra} = [" in project for extra in extras[1].split(","))
    command = re.search(r"^CMD (\[.*\])", CONTAINER, flags=re.MULTILINE)
    assert command is not None
    check_command(" ".join(re.findall(r'"(.*?)"', command[1])))
    check = re.search(r'"-c", "(.*?)"\]', CONTAINER)
    assert check is not None
    compile(check[1], "Containerfile", "exec")
    for line in re.findall(r"^RUN (.*)", CONTAINER, flags=re.MULTILINE):
        assert [shlex.split(part)[0] for part in line.split("&&")] == [
            "python",
            "useradd",
            "install",
        ]


def test_the_pages_show_whole_files() -> None:
    assert len(blocks(OPERATE, "ini")) == 3
    assert len(blocks(OPERATE, "nginx")) == 1
