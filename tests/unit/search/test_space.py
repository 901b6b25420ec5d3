"""The syntax of a space, and what is refused before anything is trained."""

from pathlib import Path

import pytest

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import load_recipe
from thumbnet.search.space import Choice, Range, changes, check_space, own_point, parse_space

LR, MOMENTUM, BATCH = "training.schedule.lr", "optimizer.momentum", "training.batch_size"


def test_ranges_and_choices_are_told_apart() -> None:
    space = parse_space([f"{LR}=1e-3..1:log", f"{MOMENTUM}=.8..0.99", f"{BATCH}=64|128|256"])
    assert space == (
        Range(LR, 1e-3, 1.0, log=True),
        Range(MOMENTUM, 0.8, 0.99),
        Choice(BATCH, ("64", "128", "256")),
    )
    assert parse_space(["model.args.width=4..16"]) == (
        Range("model.args.width", 4, 16, whole=True),
    )
    assert parse_space(["optimizer.weight_decay=0..1e-3"])[0] == Range(
        "optimizer.weight_decay", 0.0, 1e-3
    )


@pytest.mark.parametrize(
    "word", [f"{LR}=0.001..1.0:log", f"{BATCH}=16..64", f"{BATCH}=16|64", f"{MOMENTUM}=0.8..0.99"]
)
def test_a_dimension_is_written_as_it_is_read(word: str) -> None:
    (one,) = parse_space([word])
    assert f"{one.key}={one}" == word


def test_a_file_says_the_same_as_words(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(f"{LR}: 1e-3..1:log\n{BATCH}: [64, 128]\ntraining.ema_decay: [null, 0.99]\n")
    words = [f"{LR}=1e-3..1:log", f"{BATCH}=64|128", "training.ema_decay=null|0.99"]
    assert parse_space([str(file)]) == parse_space(words)


def test_a_point_becomes_overrides() -> None:
    words = [f"{LR}=1e-3..1:log", f"{BATCH}=16..64", "optimizer={name: adam}|{name: sgd}"]
    space = parse_space([*words, "training.ema_decay=null|1e-1"])
    point = {
        LR: 0.0123456789,
        BATCH: 32.0,
        "optimizer": "{name: adam}",
        "training.ema_decay": "1e-1",
    }
    assert changes(space, point) == {
        LR: 0.0123457, BATCH: 32, "optimizer": {"name": "adam"}, "training.ema_decay": 0.1,
    }  # fmt: skip
    assert changes(space[:1], {LR: 1 - 1e-12}) == {LR: 1.0}


def test_the_recipe_as_it_is_is_found_in_the_space() -> None:
    recipe = load_recipe("thumbnet/quick")
    inside = parse_space([f"{LR}=0.1..1.0", f"{BATCH}=128|256", f"{MOMENTUM}=0.5..0.95"])
    point, outside = own_point(inside, recipe)
    assert point == {LR: 0.8, BATCH: "256", MOMENTUM: 0.9}
    assert outside == []
    assert with_overrides(recipe, changes(inside, point), "own") == recipe
    beside = parse_space([f"{LR}=0.1..0.5", "model.args.width=8..64"])
    assert own_point(beside, recipe)[1] == [f"{LR} is 0.8", "model.args.width is None"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the space is empty"),
        (["lr"], "write KEY=LOW..HIGH"),
        ([f"{LR}=1..0.1"], "the range is empty"),
        ([f"{LR}=1..1"], "the range is empty"),
        ([f"{LR}=0..1:log"], "a logarithm takes ends above 0"),
        ([f"{LR}=a..b"], "no range of numbers"),
        ([f"{LR}=0.1..1:lin"], "no range of numbers"),
        ([f"{BATCH}=64"], "a single value is fixed with --set"),
        ([f"{BATCH}="], "a single value is fixed with --set"),
        ([f"{BATCH}=64|"], "a single value is fixed with --set"),
        ([f"{BATCH}=64|64"], "a choice is given twice"),
        ([f"{BATCH}=64|{{"], "is not valid YAML"),
        ([f"{LR}=0.1..1", f"{LR}=1..2"], "is given twice"),
        (["data.protocol=holdout|official"], "not to be searched: figures of different images"),
        (["training.seed=0..9"], "thumbnet ensemble --seeds"),
        (["nowhere.yaml"], "cannot read the space nowhere.yaml"),
    ],
)
def test_what_is_no_space(words: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_space(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.batchsize=64|128"], "did you mean 'batch_size'"),
        (["optimiser.momentum=0.8..0.9"], "did you mean 'optimizer'"),
        ([f"{BATCH}=16.0..64"], "a whole number"),
        ([f"{BATCH}=16|many"], r"(?s)at many: .*a whole number"),
        ([f"{MOMENTUM}=0.9..1.5"], r"(?s)at 1\.5: .*below 1"),
        (["phases.3.epochs=1..2"], "must be a position from 0 to 2"),
        (["model.name=resnet18_3x3|resnet18_3x4"], "did you mean 'resnet18_3x3'"),
        (["model.args.breadth=1..2"], "takes no option 'breadth'"),
        (["phases.0.image_size=32|2000"], "must be at most 1024"),
    ],
)
def test_what_the_recipe_cannot_take(words: list[str], message: str, tiny: PackedDataset) -> None:
    with pytest.raises(RecipeError, match=message):
        check_space(parse_space(words), load_recipe("thumbnet/quick"), tiny)


def test_what_the_recipe_can_take(tiny: PackedDataset) -> None:
    words = [f"{LR}=1e-3..1:log", "model.args.width=2..4", "model.name=thumbnet_quick|lenet5"]
    with pytest.raises(RecipeError, match="lenet5"):  # which has no width
        check_space(parse_space(words), load_recipe("thumbnet/quick"), tiny)
    check_space(parse_space(words[:2]), load_recipe("thumbnet/quick"), tiny)
