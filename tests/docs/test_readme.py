"""What the README shows runs: every command exists with its options, and the Python works."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from thumbnet.cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("  #")[0] for block in blocks("bash") for line in block.splitlines()]
    return [line.split(" > ")[0] for line in lines if line.startswith("thumbnet ")]


def test_there_are_commands_and_python() -> None:
    assert len(commands()) > 15
    assert len(blocks("python")) == 1


@pytest.mark.parametrize("line", commands())
def test_command_exists(line: str) -> None:
    words = shlex.split(line)[1:]
    command: Any = typer.main.get_command(app)
    context = None
    while hasattr(command, "commands"):  # a family of commands
        context = command.make_context("thumbnet", [words[0]], parent=context)
        assert words[0] in command.commands
        command = command.commands[words.pop(0)]
    command.make_context("thumbnet", words, parent=context)  # reads the options, runs nothing


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


def test_map_is_true() -> None:
    for place in re.findall(r"^\| (`[^|]+`) \|", README.split("## Map")[1], flags=re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", place):
            assert (ROOT / name).exists() or (ROOT / "src" / "thumbnet" / name).exists(), name


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for number in range(20):
            folder = tmp_path / "photos" / name
            folder.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (80, 100, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg")
    Image.open(tmp_path / "photos" / "cat" / "0.jpg").save(tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(blocks("python")[0], "README.md", "exec"), names)
    assert (tmp_path / "runs" / "thumbnet-quick" / "recipe.yaml").is_file()
    assert names["network"] is not None
