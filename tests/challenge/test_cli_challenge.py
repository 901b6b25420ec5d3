"""The commands of `thumbnet challenge`, from an empty folder to a restored backup."""

import csv
import io
import json
import re
import socket
import stat
import subprocess
import sys
import time
import urllib.request
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.cli.driver import Said, Thumbnet

from thumbnet.challenge import backup, operate
from thumbnet.challenge.entities import Receipt, Rules
from thumbnet.challenge.export import as_csv
from thumbnet.challenge.operate import open_store
from thumbnet.challenge.settings import ChallengeError, load_settings
from thumbnet.cli.moment import parse_moment
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def challenge(thumbnet: Thumbnet, tiny: PackedDataset) -> Path:
    """Create a challenge that hides the val of the tiny set, and add two teams."""
    folder = Path("course")
    made = thumbnet("challenge", "create", folder, "--data", tiny.path, "--name", "Small images")
    assert made.status == 0, made.err
    assert thumbnet("challenge", "team", "add", folder, "Alpha", "Beta").status == 0
    return folder


def submit(folder: Path, name: str, share: float, seed: int = 0) -> str:
    """Submit labels of which so many are right; return the id of the entry."""
    _, store = open_store(folder)
    with closing(store):
        truth, random = store.current().truth, np.random.default_rng(seed)
        right = random.permutation(len(truth.labels)) < share * len(truth.labels)
        answers = np.where(right, truth.labels, (truth.labels + 1) % 4)
        pairs = zip(truth.names, answers, strict=True)
        text = "".join(f"{name},{truth.wnids[index]}\n" for name, index in pairs)
        team = next(team for team in store.teams() if team.name == name)
        outcome = store.submit(team, text.encode(), "=cmd|' /C calc'!A0")
    assert isinstance(outcome, Receipt)
    return outcome.entry.id


def status(thumbnet: Thumbnet, folder: Path) -> dict[str, Any]:
    said = thumbnet("challenge", "status", folder, "--json")
    assert said.status == 0
    facts: dict[str, Any] = json.loads(said.out)
    return facts


def table(said: Said) -> list[dict[str, str]]:
    assert said.status == 0
    return list(csv.DictReader(io.StringIO(said.out)))


def test_create_writes_all_it_says(thumbnet: Thumbnet, tiny: PackedDataset, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "course"
    said = thumbnet(
        *(
            "challenge",
            "create",
            folder,
            "--data",
            tiny.path,
            "--name",
            "Small images",
            "--baseline",
        ),
        *("--opens", "2026-11-02T10:00+01:00", "--closes", "+14d", "--quota", "1h"),
        *("--max-entries", 9, "--rounding", 0.01, "--no-ladder", "--public-share", 0.5),
    )
    assert said.status == 0, said.err
    assert "16 hidden images, 8 of them public" in said.out
    assert "WARNING" not in said.err
    assert sorted(path.name for path in folder.iterdir()) == [
        "bundle.zip",
        "challenge.db",
        "settings.yaml",
    ]
    for name in ("settings.yaml", "challenge.db"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    settings, store = open_store(folder)
    with closing(store):
        password = re.search(r"admin password: (\S+)", said.out)
        assert password is not None
        assert store.check_admin(password[1])
        rules = store.challenge().rules
        assert rules == Rules(
            name="Small images",
            opens=NOW,
            closes=NOW + timedelta(days=14),
            quota=timedelta(hours=1),
            max_entries=9,
            rounding=0.01,
            ladder=False,
            public_share=0.5,
        )
        (row,) = store.board().rows
        assert (row.team.name, row.rank, row.num_entries) == ("Random guess", None, 1)
    assert password[1] not in (folder / "settings.yaml").read_text()
    assert settings.secret_key not in said.out + said.err


def test_the_bundle_tells_neither_labels_nor_order(challenge: Path, tiny: PackedDataset) -> None:
    _, store = open_store(challenge)
    with closing(store):
        truth = store.current().truth
    assert list(truth.names) == sorted(truth.names)
    assert (np.diff(truth.labels) < 0).any()  # not sorted by class, as the data set is
    with zipfile.ZipFile(challenge / "bundle.zip") as bundle:
        names = bundle.namelist()
        content = b"".join(bundle.read(name) for name in names if not name.endswith(".png"))
    assert {f"images/{name}" for name in truth.names} <= set(names)
    for name in tiny.splits["val"].names.tolist():
        assert name not in content


def test_labels_of_a_challenge_fit_its_images(challenge: Path, tiny: PackedDataset) -> None:
    from PIL import Image

    val = tiny.splits["val"]
    assert val.labels is not None
    known = {image.tobytes(): label for image, label in zip(val.images, val.labels, strict=True)}
    _, store = open_store(challenge)
    with closing(store):
        truth = store.current().truth
    with zipfile.ZipFile(challenge / "bundle.zip") as bundle:
        for name, label in zip(truth.names, truth.labels, strict=True):
            pixels = np.asarray(Image.open(bundle.open(f"images/{name}")))
            assert known[pixels.tobytes()] == label


def test_hiding_half_of_val(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    said = thumbnet(
        *("challenge", "create", "half", "--data", tiny.path, "--name", "x"),
        *("--hide", "val-second-half"),
    )
    assert "8 hidden images" in said.out


def test_tiny_imagenet_is_warned_of_loudly(tiny: PackedDataset) -> None:
    wnids = ("n01443537", "n01629819", "n01641577", "n12267677")
    classes = tuple(
        replace(info, wnid=wnid) for info, wnid in zip(tiny.classes, wnids, strict=True)
    )
    assert operate.hide_part(replace(tiny, classes=classes), "val").warning.startswith("THE LABELS")
    assert operate.hide_part(tiny, "val").warning == ""


def test_hiding_labels_of_a_file(tiny: PackedDataset, tmp_path: Path) -> None:
    val = tiny.splits["val"]
    test = replace(val, name="test", labels=None)
    dataset = replace(tiny, splits={**tiny.splits, "test": test})
    names = [name.decode() for name in val.names.tolist()]
    labels = np.arange(len(names))[::-1] % 4
    lines = [f"{name} {tiny.wnids[label]}\n" for name, label in zip(names, labels, strict=True)]
    file = tmp_path / "labels.txt"
    file.write_text("".join(reversed(lines)))
    hidden = operate.hide_labelled(dataset, file)
    assert hidden.labels.tolist() == labels.tolist()
    assert hidden.warning == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--closes", "2020-01-01"], "before it opens"),
        (["--opens", "soon"], "cannot read the date 'soon'"),
        (["--quota", "often"], "cannot read the quota 'often'; write 30m, 2h or 2d, or none"),
        (["--quota", "0s"], "or none where teams may submit at any time"),
        (["--public-share", "0"], "public share is more than 0"),
        (["--public-share", "0.001"], "none of 16 images would be public"),
        (["--rounding", "2"], "rounding is a step"),
        (["--max-entries", "0"], "--max-entries is 1 or more"),
        (["--max-entries", "many"], "write a number, or none"),
        (["--metric", "top5"], "top-5 needs five classes"),
        (["--name", " "], "needs a name"),
        (["--labels", "nowhere.txt"], "cannot read nowhere.txt"),
        (["--labels", "x", "--hide", "val"], "not both"),
        (["--database-url", "mysql://x/y"], "is no database this server knows"),
        (["--database-url", "postgresql+psycopg://x@127.0.0.1:1/y"], "cannot open the database"),
        (["--public-url", "ftp://x"], "must begin with http"),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(
    thumbnet: Thumbnet, tiny: PackedDataset, options: list[str], message: str
) -> None:
    name = [] if "--name" in options else ["--name", "Small images"]
    said = thumbnet("challenge", "create", "course", "--data", tiny.path, *name, *options)
    assert said.status == 2
    assert message in " ".join(said.err.replace("│", " ").split())
    assert list(Path().iterdir()) == []


def test_a_folder_that_is_not_empty_stays_as_it_is(
    thumbnet: Thumbnet, challenge: Path, tiny: PackedDataset
) -> None:
    before = (challenge / "settings.yaml").read_bytes()
    said = thumbnet("challenge", "create", challenge, "--data", tiny.path, "--name", "x")
    assert (said.status, "exists and is not empty" in said.err) == (2, True)
    assert (challenge / "settings.yaml").read_bytes() == before


@pytest.mark.parametrize(
    "command",
    [
        ["serve", "."],
        ["team", "list", "."],
        ["status", "."],
        ["dates", "."],
        ["freeze", "."],
        ["reveal", "."],
        ["export", "."],
        ["audit", "."],
        ["backup", ".", "x.zip"],
        ["restore", "nothing.zip", "new"],
    ],
)
def test_a_folder_without_a_challenge_is_one_message(
    thumbnet: Thumbnet, command: list[str]
) -> None:
    said = thumbnet("challenge", *command)
    assert said.status == 2
    assert "holds no challenge" in said.err or "cannot read nothing.zip" in said.err
    assert list(Path().iterdir()) == []


def test_teams(thumbnet: Thumbnet, challenge: Path) -> None:
    said = thumbnet("challenge", "team", "add", challenge, "Gamma", "--baseline")
    token = said.out.split()[0]
    _, store = open_store(challenge)
    with closing(store):
        assert store.team_of_token(token).name == "Gamma"  # type: ignore[union-attr]
    submit(challenge, "Alpha", 0.75)
    listed = thumbnet("challenge", "team", "list", challenge).out
    assert re.search(r"Alpha +alpha +1 +\S+ % +1 ", listed)
    assert re.search(r"Gamma +gamma .* baseline", listed)
    assert "too like 'Alpha'" in thumbnet("challenge", "team", "add", challenge, "A1pha").err
    assert thumbnet("challenge", "team", "disable", challenge, "alpha").out == "Alpha: disabled\n"
    assert table(thumbnet("challenge", "export", challenge)) == []
    thumbnet("challenge", "team", "disable", challenge, "Alpha", "--undo")
    assert len(table(thumbnet("challenge", "export", challenge))) == 1
    said = thumbnet("challenge", "team", "disable", challenge, "Alfa")
    assert said.status == 2
    assert "no team 'Alfa'; did you mean 'Alpha'?" in said.err


def test_teams_are_added_all_or_none(thumbnet: Thumbnet, challenge: Path) -> None:
    for names in (["Gamma", "Alpha", "Delta"], ["Gamma", "gamma"], ["Gamma", "bad\u202ename"]):
        said = thumbnet("challenge", "team", "add", challenge, *names)
        assert (said.status, said.out) == (2, "")
    assert "Gamma" not in thumbnet("challenge", "team", "list", challenge).out
    said = thumbnet("challenge", "team", "add", challenge, "Gamma", "Delta")
    assert [line.split()[1] for line in said.out.splitlines()] == ["Gamma", "Delta"]


def test_tokens(thumbnet: Thumbnet, challenge: Path) -> None:
    token = thumbnet("challenge", "token", "rotate", challenge, "Alpha").out.strip()
    password = thumbnet("challenge", "token", "rotate", challenge, "--admin").out.strip()
    _, store = open_store(challenge)
    with closing(store):
        assert store.team_of_token(token).name == "Alpha"  # type: ignore[union-attr]
        assert store.check_admin(password)
    assert thumbnet("challenge", "token", "rotate", challenge).status == 2


def test_dates(thumbnet: Thumbnet, challenge: Path) -> None:
    before = thumbnet("challenge", "dates", challenge).out
    said = thumbnet("challenge", "dates", challenge, "--closes", "2030-12-01T18:00+01:00")
    assert said.out.splitlines()[0] == before.splitlines()[0]
    assert said.out.splitlines()[1] == "closes  2030-12-01 17:00:00 UTC"
    assert status(thumbnet, challenge)["closes"] == "2030-12-01T17:00:00+00:00"
    assert thumbnet("challenge", "dates", challenge).out == said.out
    lines = thumbnet("challenge", "audit", challenge).out.splitlines()
    assert [": dates moved " in line for line in lines[-2:]] == [False, True]
    said = thumbnet("challenge", "dates", challenge, "--opens", "2031-01-01T00:00")
    assert (said.status, "before it opens" in said.err) == (2, True)


@pytest.mark.parametrize(("quota", "seconds"), [("2d", 172_800), ("none", 0)])
def test_a_quota_of_days_and_none(
    thumbnet: Thumbnet, tiny: PackedDataset, quota: str, seconds: int
) -> None:
    options = ("--data", tiny.path, "--name", "x", "--quota", quota, "--closes", "2099-12-22")
    said = thumbnet("challenge", "create", "course", *options)
    assert "closes  2099-12-22 23:59:59 UTC" in said.out
    _, store = open_store(Path("course"))
    with closing(store):
        assert store.challenge().rules.quota == timedelta(seconds=seconds)


def test_edit(thumbnet: Thumbnet, challenge: Path) -> None:
    options = ("--name", "New", "--quota", "1d", "--max-entries", 30, "--description", "Be kind.")
    said = thumbnet("challenge", "edit", challenge, *options)
    assert said.status == 0, said.err
    rules = ["name New", "description Be kind.", "quota 1 day", "max entries 30"]
    assert [" ".join(line.split()) for line in said.out.splitlines()] == rules
    assert thumbnet("challenge", "edit", challenge).out == said.out
    line = thumbnet("challenge", "audit", challenge).out.splitlines()[-1]
    assert "command line: rules changed" in line
    assert "quota=2 hours → 1 day max_entries=50 → 30" in line
    thumbnet("challenge", "edit", challenge, "--quota", "none", "--max-entries", "none")
    _, store = open_store(challenge)
    with closing(store):
        rules_now = store.challenge().rules
    assert (rules_now.quota, rules_now.max_entries) == (timedelta(0), None)
    submit(challenge, "Alpha", 0.5)
    submit(challenge, "Alpha", 0.5, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--name", " "], "needs a name"),
        (["--quota", "0s"], "or none where teams may submit at any time"),
        (["--max-entries", "many"], "write a number, or none"),
        (["--max-entries", "0"], "1 or more"),
    ],
)
def test_a_mistake_in_an_edit_changes_nothing(
    thumbnet: Thumbnet, challenge: Path, options: list[str], message: str
) -> None:
    said = thumbnet("challenge", "edit", challenge, "--description", "new", *options)
    assert (said.status, message in said.err) == (2, True)
    assert "new" not in thumbnet("challenge", "edit", challenge).out


def test_a_planned_freeze_is_told(thumbnet: Thumbnet, challenge: Path) -> None:
    assert status(thumbnet, challenge)["freeze"] == "none"
    thumbnet("challenge", "freeze", challenge, "--at", "2099-12-01T18:00+01:00")
    shown = thumbnet("challenge", "dates", challenge).out.splitlines()[2]
    assert shown == "freezes 2099-12-01 17:00:00 UTC"
    assert status(thumbnet, challenge)["freeze"] == "2099-12-01T17:00:00+00:00"
    thumbnet("challenge", "freeze", challenge)
    assert thumbnet("challenge", "dates", challenge).out.splitlines()[2].startswith("frozen  ")


def test_freeze_hide_rescore_reveal(thumbnet: Thumbnet, challenge: Path, tmp_path: Path) -> None:
    entry = submit(challenge, "Alpha", 0.75)
    submit(challenge, "Beta", 0.5)
    thumbnet("challenge", "freeze", challenge)
    assert status(thumbnet, challenge)["state"] == "frozen"
    thumbnet("challenge", "freeze", challenge, "--undo")
    assert status(thumbnet, challenge)["state"] == "open"
    thumbnet("challenge", "hide", challenge, entry)
    assert status(thumbnet, challenge)["leader"] == "Beta"
    thumbnet("challenge", "hide", challenge, entry, "--undo")
    assert status(thumbnet, challenge)["leader"] == "Alpha"
    assert thumbnet("challenge", "hide", challenge, "0" * 16).status == 2
    assert thumbnet("challenge", "rescore", challenge).out == "0 entries changed\n"
    _, store = open_store(challenge)
    with closing(store):
        truth = store.current().truth
    file = tmp_path / "labels.txt"
    pairs = zip(truth.names, truth.labels, strict=True)
    file.write_text("".join(f"{name} {truth.wnids[(index + 1) % 4]}\n" for name, index in pairs))
    said = thumbnet("challenge", "rescore", challenge, "--labels", file)
    assert said.out in ("1 entries changed\n", "2 entries changed\n")
    said = thumbnet("challenge", "reveal", challenge, "--yes")
    assert [line.split()[-1] for line in said.out.splitlines()] == ["Beta", "Alpha"]
    assert status(thumbnet, challenge)["state"] == "revealed"


def test_the_reveal_of_an_open_challenge_is_asked_for(
    thumbnet: Thumbnet, challenge: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert thumbnet("challenge", "reveal", challenge).status == 1
    assert status(thumbnet, challenge)["state"] == "open"


def test_exports(thumbnet: Thumbnet, challenge: Path, tmp_path: Path) -> None:
    submit(challenge, "Alpha", 0.75)
    (row,) = table(thumbnet("challenge", "export", challenge))
    assert (row["rank"], row["team"], row["private"]) == ("1", "Alpha", "")
    (row,) = table(thumbnet("challenge", "export", challenge, "--private"))
    assert 0 < float(row["private"]) <= 1
    (row,) = table(thumbnet("challenge", "export", challenge, "entries"))
    assert row["note"] == "'=cmd|' /C calc'!A0"  # no formula for a spreadsheet
    file = tmp_path / "entries.json"
    said = thumbnet("challenge", "export", challenge, "entries", "--format", "json", "-o", file)
    assert said.out.strip() == str(file)
    (entry,) = json.loads(file.read_text())
    assert entry["note"] == "=cmd|' /C calc'!A0"
    assert entry["private"] is None


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        *((cell, f"'{cell}") for cell in ("=1+1", "+1", "-1", "@x", "\uff1d1+1")),
        *(("\tx", "x"), ("\rx", "x"), ("\n=1+1", "'=1+1")),
        *(("a;=1+1", "a;'=1+1"), ('a; "=1+1"', 'a; "\'=1+1"'), ("a\t=1+1|=2", "a =1+1|'=2")),
        *(("wider\r\n=1+1", "wider =1+1"), ("a\u2028=1", "a =1"), ("a-b, +2 %", "a-b, +2 %")),
    ],
)
def test_no_cell_of_a_csv_is_a_formula(cell: str, safe: str) -> None:
    text = as_csv([{"team": cell, "score": -1.5}])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row == {"team": safe, "score": "-1.5"}
    assert len(text.splitlines()) == 2
    assert all(cell.startswith('"') and cell.endswith('"') for cell in text.split("\r\n")[:2])


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_export_of_private_scores_is_its_owner_s_alone(
    thumbnet: Thumbnet, challenge: Path, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / f"ranking.{kind}"
    file.write_text("an older one, open to all")
    (tmp_path / f".{file.name}.tmp").write_text("what a crash left")
    thumbnet("challenge", "export", challenge, "--private", "--format", kind, "-o", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    thumbnet("challenge", "export", challenge, "--format", kind, "-o", tmp_path / "open")
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) != 0o600


def test_audit(thumbnet: Thumbnet, challenge: Path) -> None:
    thumbnet("challenge", "freeze", challenge)
    lines = thumbnet("challenge", "audit", challenge).out.splitlines()
    assert "admin: challenge created Small images" in lines[0]
    assert "command line: frozen" in lines[-1]
    said = thumbnet("challenge", "audit", challenge, "--json", "--limit", 1)
    assert json.loads(said.out)["action"] == "frozen"


def test_status_finds_what_is_wrong(thumbnet: Thumbnet, challenge: Path) -> None:
    submit(challenge, "Alpha", 0.75)
    facts = status(thumbnet, challenge)
    assert (facts["teams"], facts["entries"], facts["problems"]) == (2, 1, [])
    _, store = open_store(challenge)
    with closing(store), store.writing() as connection:
        connection.exec_driver_sql("UPDATE team SET num_entries = 5 WHERE name = 'Alpha'")
    said = thumbnet("challenge", "status", challenge)
    assert said.status == 1
    assert "team 'Alpha' has 1 entries, not 5" in said.out


def test_a_backup_says_that_the_bundle_is_missing(thumbnet: Thumbnet, challenge: Path) -> None:
    (challenge / "bundle.zip").unlink()
    said = thumbnet("challenge", "backup", challenge, "saved.zip")
    assert said.status == 2
    assert f"{challenge / 'bundle.zip'} is missing" in " ".join(said.err.split())
    assert not Path("saved.zip").exists()


def test_a_team_that_waits_may_be_let_in(thumbnet: Thumbnet, challenge: Path) -> None:
    submit(challenge, "Alpha", 0.5)
    said = thumbnet("challenge", "team", "reset-quota", challenge, "Alpha")
    assert (said.status, said.out) == (0, "Alpha: may submit now\n")
    submit(challenge, "Alpha", 0.6)
    assert thumbnet("challenge", "team", "reset-quota", challenge, "Gamma").status == 2


def test_backup_and_restore(thumbnet: Thumbnet, challenge: Path) -> None:
    submit(challenge, "Alpha", 0.75)
    assert thumbnet("challenge", "backup", challenge, "saved.zip").status == 0
    assert stat.S_IMODE(Path("saved.zip").stat().st_mode) == 0o600
    submit(challenge, "Beta", 0.5)  # after the backup
    assert thumbnet("challenge", "restore", "saved.zip", "again").status == 0
    before, after = status(thumbnet, challenge), status(thumbnet, Path("again"))
    assert (before["entries"], after["entries"]) == (2, 1)
    assert after["leader"] == "Alpha"
    assert stat.S_IMODE(Path("again/settings.yaml").stat().st_mode) == 0o600
    assert Path("again/bundle.zip").read_bytes() == (challenge / "bundle.zip").read_bytes()
    keys = [load_settings(folder).secret_key for folder in (challenge, Path("again"))]
    assert keys[0] == keys[1]
    assert thumbnet("challenge", "restore", "saved.zip", challenge).status == 2
    assert sorted(path.name for path in Path().iterdir()) == ["again", "course", "saved.zip"]


def test_a_challenge_moves_to_postgresql_and_back(
    thumbnet: Thumbnet, challenge: Path, postgres_url: str
) -> None:
    submit(challenge, "Alpha", 0.75)
    thumbnet("challenge", "backup", challenge, "saved.zip")
    moved = Path("moved")
    said = thumbnet("challenge", "restore", "saved.zip", moved, "--database-url", postgres_url)
    assert said.status == 0, said.err
    assert not (moved / "challenge.db").exists()
    assert load_settings(moved).url == postgres_url
    submit(moved, "Beta", 0.5)
    assert status(thumbnet, moved)["database"].startswith("postgresql")
    assert thumbnet("challenge", "team", "add", moved, "Gamma").status == 0
    again = thumbnet("challenge", "restore", "saved.zip", "x", "--database-url", postgres_url)
    assert (again.status, "holds a challenge already" in again.err) == (2, True)
    thumbnet("challenge", "backup", moved, "later.zip")
    thumbnet("challenge", "restore", "later.zip", "back")
    facts = status(thumbnet, Path("back"))
    assert (facts["entries"], facts["teams"], facts["leader"]) == (2, 3, "Alpha")


def test_creating_in_postgresql(thumbnet: Thumbnet, tiny: PackedDataset, postgres_url: str) -> None:
    command = ("challenge", "create", "course", "--data", tiny.path, "--name", "x")
    said = thumbnet(*command, "--database-url", postgres_url, "--baseline")
    assert said.status == 0, said.err
    assert not Path("course/challenge.db").exists()
    assert status(thumbnet, Path("course"))["entries"] == 1


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_damaged_backup_is_refused_and_leaves_nothing(challenge: Path, place: float) -> None:
    saved = backup.backup(challenge, Path("saved.zip"))
    content = bytearray(saved.read_bytes())
    content[int(place * len(content))] ^= 0xFF
    saved.write_bytes(content)
    with pytest.raises(ChallengeError, match="damaged"):
        backup.restore(saved, Path("again"))
    assert sorted(path.name for path in Path().iterdir()) == ["course", "saved.zip"]


def test_settings_come_from_the_file_and_the_environment(challenge: Path) -> None:
    file = challenge / "settings.yaml"
    values = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**values, "malformed_per_hour": 5, "login_limit": "3/hour"}))
    found = load_settings(challenge, {"THUMBNET_CHALLENGE_MALFORMED_PER_HOUR": "7"})
    assert (found.malformed_per_hour, found.login_limit) == (7, "3/hour")
    found = load_settings(challenge, {"THUMBNET_CHALLENGE_TRUSTED_PROXIES": "10.0.0.1, ::1"})
    assert found.trusted_proxies == ("10.0.0.1", "::1")
    assert values["secret_key"] not in repr(found)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("malformed_per_hours", 5, "did you mean 'malformed_per_hour'"),
        ("login_limit", "often", "write one as '10/minute'"),
        ("secret_key", "short", "at least 32 characters"),
        ("max_upload_bytes", "much", "valid integer"),
        ("public_url", "example.org", "must begin with http"),
    ],
)
def test_a_wrong_setting_is_one_message(
    challenge: Path, key: str, value: object, message: str
) -> None:
    file = challenge / "settings.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), key: value}))
    with pytest.raises(ChallengeError, match=re.escape(message)):
        load_settings(challenge, {})


def test_moments() -> None:
    assert parse_moment("now", NOW) == NOW
    assert parse_moment("+1.5h", NOW) == NOW + timedelta(minutes=90)
    assert parse_moment("+30d", NOW) == NOW + timedelta(days=30)
    assert parse_moment("2026-12-01", NOW) == datetime(2026, 12, 1, tzinfo=UTC)
    end = datetime(2026, 12, 1, 23, 59, 59, tzinfo=UTC)
    assert parse_moment("2026-12-01", NOW, end=True) == end
    for text in ("now", "+30d", "2026-12-01T00:00", "2026-12-01T18:00+01:00"):
        assert parse_moment(text, NOW, end=True) == parse_moment(text, NOW)
    assert parse_moment("2026-12-01 18:00", NOW) == datetime(2026, 12, 1, 18, tzinfo=UTC)
    assert parse_moment("2026-12-01T18:00+01:00", NOW) == datetime(2026, 12, 1, 17, tzinfo=UTC)
    with pytest.raises(RecipeError, match="cannot read the date"):
        parse_moment("tomorrow", NOW)


def test_no_command_loads_torch(challenge: Path) -> None:
    code = (
        "import sys; from thumbnet.cli.main import app\n"
        f"app(['challenge', 'status', {str(challenge)!r}], standalone_mode=False)\n"
        "import thumbnet.challenge.backup, thumbnet.challenge.export, thumbnet.challenge.app\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_serve(challenge: Path, workers: int) -> None:
    """Serve from a process of its own until it is told to end."""
    command = [sys.executable, "-m", "thumbnet", "challenge", "serve", str(challenge)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = subprocess.Popen(
        [*command, "--port", port, "--workers", str(workers)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            assert server.poll() is None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    page = answer.read().decode()
                break
            except OSError:
                time.sleep(0.1)
        assert "Small images" in page
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_without_the_servers_packages_it_says_what_to_install(
    thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnet.cli.extras.find_spec", lambda _: None)
    said = thumbnet("challenge", "status", "somewhere")
    assert said.status == 2
    assert "pip install 'thumbnet[server]'" in said.err
