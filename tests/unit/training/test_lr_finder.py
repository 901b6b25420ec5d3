"""The learning-rate finder: what it takes, what it finds, what it refuses."""

import math

import pytest
from tests.cli.driver import QUICK_ENGINE

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import load_recipe
from thumbnet.training.lr_finder import Sweep, Trial, _sweep, candidates, find_lr


def recipe(**changes: object) -> RecipeSpec:
    settings = {"training.batch_size": 16, "model.args": {"width": 4}, **changes}
    return load_recipe("thumbnet/quick", {**QUICK_ENGINE, **settings})


def test_rates_grow_evenly_and_the_suggestion_is_a_rate_that_was_tried(tiny: PackedDataset) -> None:
    told: list[tuple[int, int]] = []
    seconds: list[float] = []
    one, two = (
        find_lr(
            recipe(), tiny, 1e-3, 1.0, 30, 20, announce=seconds.append,
            progress=lambda done, total, what: told.append((done, total)),
        )
        for _ in range(2)
    )  # fmt: skip
    assert one == two  # the same seed finds the same
    assert one.rates[0] == pytest.approx(1e-3)
    ratios = [b / a for a, b in zip(one.rates, one.rates[1:], strict=False)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    assert 0.05 in [trial.lr for trial in one.trials]  # the recipe's own
    assert one.suggested is None or one.suggested in [trial.lr for trial in one.trials]
    assert told[0] == (1, 30)
    assert told[len(one.rates)] == (1, 20)
    assert seconds[0] > 0
    assert all(map(math.isfinite, one.losses))


def test_ends_where_the_loss_rises(tiny: PackedDataset) -> None:
    sweep = find_lr(recipe(), tiny, 1e-2, 1e6, 60, 20)
    assert sweep.last is not None
    assert len(sweep.rates) < 60
    assert sweep.steepest < sweep.last


def a_sweep(*trials: tuple[float, float | None]) -> Sweep:
    tried = tuple(Trial(lr, final, 0.02) for lr, final in trials)
    return Sweep((0.1,), (3.0,), (3.0,), 0.1, None, (3.0, 0.03), tried)


def test_the_suggestion_is_confirmed_and_well_below_what_rises() -> None:
    assert a_sweep((0.01, 2.9), (0.1, 2.5), (0.5, 2.6)).suggested == 0.1
    assert a_sweep((0.01, 2.7), (0.1, 2.5), (0.15, 3.1)).suggested == 0.01  # 0.1 is too near
    assert a_sweep((0.01, 2.7), (0.1, 2.5), (0.3, None)).suggested == 0.1
    assert a_sweep((0.01, 2.95), (0.1, 2.93)).suggested is None  # within the noise
    assert a_sweep((0.01, 3.5), (0.1, None)).suggested is None


@pytest.mark.parametrize(
    ("lowest", "highest", "steps", "words"),
    [(0.0, 1.0, 30, "above 0"), (1.0, 0.1, 30, "below"), (0.1, math.inf, 30, "below"),
     (0.1, 1.0, 5, "at least 20")],
)  # fmt: skip
def test_refuses(
    tiny: PackedDataset, lowest: float, highest: float, steps: int, words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        find_lr(recipe(), tiny, lowest, highest, steps)


def test_a_loss_that_is_never_finite_is_an_error(tiny: PackedDataset) -> None:
    with pytest.raises(RecipeError, match="begin lower"):
        find_lr(recipe(), tiny, 1e30, 1e37, 30)


def test_rates_are_tried_from_the_steepest_fall_on() -> None:
    rates = [10 ** (-5 + step / 20) for step in range(100)]
    losses = [5 - 2 / (1 + math.exp(-(step - 60) / 4)) for step in range(100)]
    sweep = _sweep(rates, losses, None)
    assert rates[55] < sweep.steepest < rates[65]
    tried = candidates(sweep, 0.25)
    assert tried == sorted(tried)
    assert tried[0] == pytest.approx(sweep.steepest, rel=0.1)
    assert tried[-1] == pytest.approx(rates[-1], rel=0.1)
    assert 0.25 in tried
