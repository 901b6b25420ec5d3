"""The list of a recipe's keys is the schema: every key, its limits, its default, its words."""

import pytest
from pydantic_core import PydanticUndefined

from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec, Spec
from thumbnet.recipe.keys import KINDS, Key, names_by_room, sections, tag
from thumbnet.recipes.registry import load_recipe

EVERYTHING = sections()
KEYS = {key.path: key for section in EVERYTHING if not section.kind for key in section.keys}


def all_specs(cls: type[Spec] = Spec) -> list[type[Spec]]:
    return [cls, *(spec for below in cls.__subclasses__() for spec in all_specs(below))]


@pytest.mark.parametrize("cls", all_specs())
def test_every_key_of_the_schema_has_a_plain_line(cls: type[Spec]) -> None:
    for name, field in cls.model_fields.items():
        if name != "name" or field.default is PydanticUndefined:
            assert field.description, f"{cls.__name__}.{name}"
            assert field.description.endswith(".")


def test_every_key_is_listed_once_and_is_one_of_a_recipe() -> None:
    paths = [key.path for section in EVERYTHING if not section.kind for key in section.keys]
    assert len(paths) == len(set(paths))
    dumped = load_recipe("thumbnet/quick").model_dump()
    for block in ("model", "preprocess", "training", "data", "quirks"):
        assert {f"{block}.{word}" for word in dumped[block]} <= set(paths)
    assert {f"phases.N.{word}" for word in dumped["phases"][0]} <= set(paths)
    blocks = {section.name.partition(".")[0] for section in EVERYTHING}
    assert set(RecipeSpec.model_fields) <= {*paths, *blocks}


@pytest.mark.parametrize("spec", [spec for kind in KINDS.values() for spec in kind])
def test_every_kind_lists_its_own_keys(spec: type[Spec]) -> None:
    (section,) = [one for one in EVERYTHING if one.name.endswith(f" {tag(spec)}")]
    assert {key.path for key in section.keys} == set(spec.model_fields) - {"name"}
    for key in section.keys:
        assert (key.default == "") == spec.model_fields[key.path].is_required()


@pytest.mark.parametrize(
    ("path", "allowed", "default"),
    [
        ("name", "text", ""),
        ("optimizer", "an optimizer", "{name: sgd}"),
        ("training.batch_size", "whole number from 1 to 65,536", "128"),
        ("training.schedule", "a schedule", "{lr: 0.01, name: constant}"),
        ("training.augment", "list of augmentations", "[]"),
        ("training.label_smoothing", "number from 0, below 1", "0"),
        ("training.drop_last", "true | false", "false"),
        ("training.time_budget_s", "number above 0", "null"),
        ("training.snapshots", "phase | cycle", "null"),
        ("phases.N.epochs", "number above 0, at most 100,000", ""),
        ("phases.N.mix", "list of mixes", "null"),
        ("model.args", "mapping of names to values", "{}"),
        ("preprocess.normalize", "channel | overall | mean_image or a block of keys", "channel"),
    ],
)
def test_limits_and_defaults(path: str, allowed: str, default: str) -> None:
    assert (KEYS[path].allowed, KEYS[path].default) == (allowed, default)


def key_of(section: str, path: str) -> Key:
    (found,) = [one for one in EVERYTHING if one.name == section]
    return next(key for key in found.keys if key.path == path)


def test_limits_of_a_range_are_those_that_are_checked() -> None:
    assert key_of("augmentation hue", "turn").allowed == "[low, high] from -0.5 to 0.5"
    assert key_of("augmentation affine", "scale").default == "[1, 1]"
    assert key_of("augmentation some_of", "num").allowed == "pair of whole numbers"


def names(prefix: str) -> list[str]:
    return [section.name for section in sections(prefix)]


def test_a_prefix_picks_a_key_a_block_a_kind_or_a_name() -> None:
    (seed,) = sections("training.seed")
    assert [key.path for key in seed.keys] == ["training.seed"]
    assert names("training") == ["training"]
    assert names("optimizer") == ["recipe", *(f"optimizer {tag(s)}" for s in KINDS["optimizer"])]
    flip, *_ = kinds = [f"augmentation {tag(s)}" for s in KINDS["augmentation"]]
    assert names("phases.0.augment") == ["phases.N", *kinds]
    assert names("augmentations") == kinds
    assert names("flip") == names("training.augment.0.flip") == [flip]


@pytest.mark.parametrize(
    ("prefix", "right"),
    [("trainin", "training"), ("training.sed", "training.seed"), ("flp", "flip")],
)
def test_an_unknown_prefix_names_the_nearest(prefix: str, right: str) -> None:
    with pytest.raises(RecipeError, match=f"no key '{prefix}'; did you mean '{right}'"):
        sections(prefix)


def test_augmentations_are_grouped_by_what_they_change() -> None:
    groups = names_by_room("augmentation")
    assert groups["brightness and color"] == ["multiply", "contrast", "saturation", "hue"]
    assert sum(map(len, groups.values())) == len(KINDS["augmentation"])
