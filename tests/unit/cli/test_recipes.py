"""`thumbnet recipe`: every recipe listed, shown as YAML that loads, and compared."""

import itertools
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from thumbnet.cli.recipes import app
from thumbnet.errors import RecipeError
from thumbnet.recipes.parse import parse_recipe
from thumbnet.recipes.registry import (
    ablation_names,
    dump_recipe,
    families,
    load_recipe,
    recipe_names,
)


def run(*words: str) -> str:
    return CliRunner().invoke(app, words, catch_exceptions=False).output


def test_list_shows_every_recipe_whole() -> None:
    lines = run("list").splitlines()
    for name in recipe_names():
        spec = load_recipe(name)
        (line,) = [line for line in lines if name in line.split()]
        assert spec.model.name in line.split()
        assert f"{spec.num_epochs:g}" in line.split()
        if spec.published is not None and spec.published.top1 is not None:
            assert f" {100 * spec.published.top1:.4g} % " in line
        if spec.published is not None and spec.published.top5 is not None:
            assert f"({100 * spec.published.top5:.4g})" in line


def names_in(text: str) -> list[str]:
    return [words[0] for line in text.splitlines() if (words := line.split()) and "/" in words[0]]


def test_list_groups_by_source_and_leaves_a_line_between() -> None:
    assert names_in(run("list")) == recipe_names()
    lines = [line.strip() for line in run("list").splitlines()]
    for one, other in itertools.pairwise(recipe_names()):
        first, second = (
            next(i for i, line in enumerate(lines) if line.split()[:1] == [name])
            for name in (one, other)
        )
        apart = one.partition("/")[0] != other.partition("/")[0]
        assert second - first == 1 + apart


def test_list_of_one_source() -> None:
    assert names_in(run("list", "--source", "abai2019")) == [
        "abai2019/network1",
        "abai2019/network2",
    ]
    with pytest.raises(RecipeError, match="unknown source 'zheng2017'; did you mean 'zheng2018'"):
        run("list", "--source", "zheng2017")


def test_list_of_ablations_shows_claims_and_members() -> None:
    text = run("list", "--ablations")
    assert names_in(text) == ablation_names()
    for family in families():
        assert f"{family.name}: {family.claim} [{family.source}]" in text
    own = run("list", "--ablations", "--source", "columbia2020")
    assert names_in(own) == ["columbia2020/model1+fixed-seed", "columbia2020/model2+fixed-seed"]
    assert own.count(" [") == 1


def test_show_and_diff_take_an_ablation() -> None:
    name = "zheng2018/vgg11+lr-0.0005"
    assert parse_recipe(yaml.safe_load(run("show", name)), name) == load_recipe(name)
    lines = run("diff", "zheng2018/vgg11", name).splitlines()
    assert "-    lr: 0.001" in lines
    assert "+    lr: 0.0005" in lines


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
    with pytest.raises(RecipeError, match="unknown recipe 'quik'"):
        run("show", "quik")
    with pytest.raises(RecipeError, match="'quik' is neither a run nor a recipe"):
        run("diff", "quik", "thumbnet/quick")
