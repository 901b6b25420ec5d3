"""Families of recipes: each member changes its row in the keys its family names, and no others."""

import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch

from thumbnet.build import resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.data.synthetic import synthesize
from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model, model_entry
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes import registry
from thumbnet.recipes.registry import (
    Family,
    ablation,
    ablation_names,
    dump_recipe,
    families,
    load_recipe,
    parent_name,
    recipe_names,
)

FAMILIES = families()
MEMBERS = [(family, member) for family in FAMILIES for member in family.members]
OWN = {"name", "summary", "published", "tolerance"}
each_member = pytest.mark.parametrize(
    ("family", "member"), MEMBERS, ids=[member.name for _, member in MEMBERS]
)


def changed(one: Any, other: Any, at: str = "") -> set[str]:
    """Name the dotted keys in which plain data differs; of lists, those of equal length only."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {k for key in one for k in changed(one[key], other[key], f"{at}.{key}")}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return {
            k
            for i, (x, y) in enumerate(zip(one, other, strict=True))
            for k in changed(x, y, f"{at}.{i}")
        }
    return set() if one == other else {at[1:]}


def allowed(key: str, named: tuple[str, ...]) -> bool:
    return any(fnmatchcase(key, name) or fnmatchcase(key, f"{name}.*") for name in named)


def test_names_are_unique_and_apart_from_the_rows() -> None:
    names = ablation_names()
    assert len(names) == len(set(names)) == len(MEMBERS) > 90
    assert not set(names) & set(recipe_names())
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


@each_member
def test_a_member_changes_its_row_in_the_keys_named(family: Family, member: RecipeSpec) -> None:
    row = parent_name(member.name)
    assert row in recipe_names()
    one, other = (spec.model_dump(mode="json") for spec in (load_recipe(row), member))
    keys = changed(one, other) - OWN
    assert all(key.partition(".")[0] == "published" or allowed(key, family.keys) for key in keys)
    assert any(allowed(key, family.keys) for key in keys)
    assert one["deviations"] == other["deviations"]


@each_member
def test_a_member_claims_no_figure_and_is_found(
    family: Family, member: RecipeSpec, tmp_path: Path
) -> None:
    assert (member.published, member.tolerance) == (None, None)
    assert member.summary
    assert load_recipe(member.name) == member
    file = tmp_path / "mine.yaml"
    file.write_text(dump_recipe(member), encoding="utf-8")
    assert load_recipe(file) == member
    assert (
        load_recipe(file).sha256()
        == member.sha256()
        != load_recipe(parent_name(member.name)).sha256()
    )


@each_member
def test_a_members_network_can_be_built(family: Family, member: RecipeSpec) -> None:
    entry = model_entry(member.model.name)
    assert set(member.model.args) <= set(entry.options)
    if member.model.args:
        with torch.device("meta"):
            create_model(member.model.name, 2, **member.model.args)
    assert entry.image_size in (None, member.preprocess.input_size)


@pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
def test_a_family_states_whose_claim_it_tests(family: Family) -> None:
    assert family.claim
    assert family.keys
    assert family.members
    sources = {member.name.partition("/")[0] for member in family.members}
    assert any(source in family.source for source in registry.SOURCES)
    assert sources <= set(registry.SOURCES)


def test_members_of_a_family_are_all_different() -> None:
    for family in FAMILIES:
        without = [m.model_dump_json(exclude={"name", "summary"}) for m in family.members]
        same = [
            (m.name.partition("/")[0], text)
            for m, text in zip(family.members, without, strict=True)
        ]
        assert len(set(same)) == len(same), family.name


def test_learning_rates_range_from_too_low_to_too_high() -> None:
    (family,) = (family for family in FAMILIES if family.name == "learning-rate")
    tried = {member.training.schedule.lr for member in family.members}
    assert tried == {0.1, 0.001, 0.0005, 0.00001}


def test_a_family_is_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_families", dict(registry._families))

    def mine() -> list[RecipeSpec]:
        return [load_recipe("thumbnet/quick")]

    register = ablation("a claim", source="thumbnet", keys=("name",))
    assert register(mine) is mine
    assert families()[-1] == Family("mine", "a claim", "thumbnet", ("name",), tuple(mine()))
    with pytest.raises(RecipeError, match="the family name 'mine' is taken"):
        register(mine)


def test_an_unknown_variant_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"did you mean 'zheng2018/vgg11\+lr-0\.0005'\?"):
        load_recipe("zheng2018/vgg11+lr-0.005")


def test_a_row_is_found_without_building_any_family() -> None:
    code = (
        "import sys; from thumbnet.recipes.registry import load_recipe; "
        "load_recipe('zheng2018/alchnet19+c'); print('thumbnet.recipes.ablations' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("data") / "packed"
    return synthesize(folder, num_classes=2, train_per_class=2, val_per_class=2)


def test_rows_and_members_resolve(data: PackedDataset) -> None:
    """Every phase has a size its network takes and an augmentation that can be done there."""
    for name in [*recipe_names(), *ablation_names()]:
        assert resolve(load_recipe(name), data).data.num_classes == 2
