"""The keys in which a recipe differs from another."""

from typing import Any

import pytest

from thumbnet.recipes.changes import changed_keys, describe_changes, differences
from thumbnet.recipes.registry import load_recipe

QUICK = load_recipe("thumbnet/quick")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"training.batch_size": 64}, "batch_size=64"),
        ({"training.seed": 3, "data.protocol": "columbia2020"}, "seed=3 protocol=columbia2020"),
        ({"training.label_smoothing": 0.25}, "label_smoothing=0.25"),
        ({"training.precision": "fp32", "preprocess.crop": 56}, "crop=56 precision=fp32"),
    ],
)
def test_changes_are_named_in_few_words(changes: dict[str, Any], words: str) -> None:
    recipe = load_recipe("thumbnet/quick", changes)
    found = changed_keys(recipe, QUICK)
    assert found == changes
    assert describe_changes(found, recipe.num_epochs) == words


def test_scaled_phases_are_one_number_of_epochs() -> None:
    recipe = QUICK.scaled(0.5)
    found = changed_keys(recipe, QUICK)
    assert set(found) == {f"phases.{i}.epochs" for i in range(len(QUICK.phases))}
    assert describe_changes(found, recipe.num_epochs) == f"epochs={recipe.num_epochs:g}"


def test_another_kind_of_block_is_named_by_its_kind() -> None:
    recipe = load_recipe("thumbnet/quick", {"optimizer": {"name": "adam"}})
    found = changed_keys(recipe, QUICK)
    assert describe_changes(found, recipe.num_epochs) == "optimizer=adam"


def test_keys_of_one_last_name_are_written_in_full() -> None:
    found = {"phases.0.image_size": 32, "phases.1.image_size": 48, "training.seed": 1}
    assert describe_changes(found, 1) == "phases.0.image_size=32 phases.1.image_size=48 seed=1"


def test_what_the_data_decides_is_no_change() -> None:
    told = {"data.num_classes": 4, "data.fingerprint": "ab", "data.path": "/tmp/x"}
    assert changed_keys(load_recipe("thumbnet/quick", told), QUICK) == {}


def test_keys_that_differ_between_several_recipes() -> None:
    changes = {"training.batch_size": 64, "training.schedule.lr": 0.25, "phases.0.epochs": 2.0}
    other = load_recipe("thumbnet/quick", changes)
    found = differences([QUICK, other, QUICK])
    assert {key: values[1] for key, values in found.items()} == {
        "training.batch_size": "64", "training.schedule.lr": "0.25", "phases.0.epochs": "2",
    }  # fmt: skip
    assert all(values[0] == values[2] != values[1] for values in found.values())
    assert differences([QUICK, QUICK]) == {}
    lenet = load_recipe("vonmartens2019/lenet5")
    assert differences([lenet, QUICK])["model"] == ["lenet5", "thumbnet_quick"]
