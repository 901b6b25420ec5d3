"""`thumbnet recipe`: every recipe listed, shown as YAML that loads, and compared."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from thumbnet.cli.recipes import app
from thumbnet.errors import RecipeError
from thumbnet.recipes.parse import parse_recipe
from thumbnet.recipes.registry import dump_recipe, load_recipe, recipe_names


def run(*words: str) -> str:
    return CliRunner().invoke(app, words, catch_exceptions=False).output


def test_list_shows_every_recipe_whole() -> None:
    lines = run("list").splitlines()
    for name in recipe_names():
        spec = load_recipe(name)
        (line,) = [line for line in lines if name in line.split()]
        assert spec.model.name in line.split()
        assert f"{spec.num_epochs:g}" in line.split()
        if spec.published is not None:
            assert f"{100 * spec.published.top1:.1f} %" in line


def test_show_prints_yaml_that_loads() -> None:
    for name in recipe_names():
        assert parse_recipe(yaml.safe_load(run("show", name)), name) == load_recipe(name)


def test_show_applies_settings() -> None:
    shown = run("show", "thumbnet/quick", "--set", "training.seed=7", "--set", "phases.0.epochs=9")
    spec = parse_recipe(yaml.safe_load(shown), "shown")
    assert spec == load_recipe("thumbnet/quick", {"training.seed": 7, "phases.0.epochs": 9})


def test_diff_prints_only_what_differs(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(dump_recipe(load_recipe("thumbnet/quick", {"training.seed": 7})))
    lines = run("diff", "thumbnet/quick", str(mine)).splitlines()
    assert lines[:2] == ["--- thumbnet/quick", f"+++ {mine}"]
    changed = [line for line in lines[2:] if line.startswith(("+", "-"))]
    assert changed == ["-  seed: 0", "+  seed: 7"]
    assert run("diff", "thumbnet/quick", "thumbnet/quick") == ""


def test_an_unknown_recipe_is_the_librarys_error() -> None:
    for words in (["show", "quik"], ["diff", "quik", "thumbnet/quick"]):
        with pytest.raises(RecipeError, match="unknown recipe 'quik'"):
            run(*words)
