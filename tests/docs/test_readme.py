"""What the README shows runs: every command exists with its options, and the Python works."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.docs.shown import ROOT, blocks, check_command, commands

from thumbnet.recipes.registry import load_recipe

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = commands(README, "bash")


def test_there_are_commands_and_python() -> None:
    assert len(COMMANDS) > 15
    assert len(blocks(README, "python")) == 1


@pytest.mark.parametrize("line", COMMANDS)
def test_command_exists(line: str) -> None:
    check_command(line)


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
    exec(compile(blocks(README, "python")[0], "README.md", "exec"), names)
    fitted = load_recipe(tmp_path / "runs" / "thumbnet-quick" / "recipe.yaml")
    assert fitted.training.batch_size < load_recipe("thumbnet/quick").training.batch_size
    assert names["network"] is not None
