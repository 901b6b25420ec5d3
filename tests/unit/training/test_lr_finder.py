"""The learning-rate finder: what it takes, what it finds, what it refuses."""

import math

import pytest
from tests.cli.driver import QUICK_ENGINE

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import load_recipe
from thumbnet.training.lr_finder import _sweep, sweep_lr


def recipe(**changes: object) -> RecipeSpec:
    settings = {"training.batch_size": 16, "model.args": {"width": 4}, **changes}
    return load_recipe("thumbnet/quick", {**QUICK_ENGINE, **settings})


def test_rates_grow_evenly_and_what_is_suggested_lies_between(tiny: PackedDataset) -> None:
    told = []
    sweep = sweep_lr(
        recipe(), tiny, 1e-3, 1.0, 30, progress=lambda done, total, what: told.append((done, total))
    )
    assert sweep.rates[0] == pytest.approx(1e-3)
    ratios = [b / a for a, b in zip(sweep.rates, sweep.rates[1:], strict=False)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    assert sweep.rates[0] <= sweep.suggested <= sweep.rates[-1]
    assert told[-1][0] == len(sweep.rates)
    assert all(map(math.isfinite, sweep.losses))
    if sweep.last is None:
        assert sweep.rates[-1] == pytest.approx(1.0)


def test_the_same_seed_finds_the_same(tiny: PackedDataset) -> None:
    one, two = (sweep_lr(recipe(), tiny, 1e-3, 1.0, 20) for _ in range(2))
    assert one == two


def test_ends_where_the_loss_rises(tiny: PackedDataset) -> None:
    sweep = sweep_lr(recipe(), tiny, 1e-2, 1e6, 60)
    assert sweep.last is not None
    assert len(sweep.rates) < 60
    assert sweep.suggested < sweep.last


@pytest.mark.parametrize(
    ("lowest", "highest", "steps", "words"),
    [(0.0, 1.0, 30, "above 0"), (1.0, 0.1, 30, "below"), (0.1, math.inf, 30, "below"),
     (0.1, 1.0, 5, "at least 20")],
)  # fmt: skip
def test_refuses(
    tiny: PackedDataset, lowest: float, highest: float, steps: int, words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        sweep_lr(recipe(), tiny, lowest, highest, steps)


def test_a_loss_that_is_never_finite_is_an_error(tiny: PackedDataset) -> None:
    with pytest.raises(RecipeError, match="begin lower"):
        sweep_lr(recipe(), tiny, 1e30, 1e37, 30)


def test_the_suggestion_is_the_steepest_fall() -> None:
    rates = [10 ** (-5 + step / 20) for step in range(100)]
    losses = [5 - 2 / (1 + math.exp(-(step - 60) / 4)) for step in range(100)]
    sweep = _sweep(rates, losses, None)
    assert rates[55] < sweep.suggested < rates[65]
