"""A forecast is a sum over the plan, checked with round numbers."""

import pytest
from torch import nn

from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.recipe import ModelSpec, PhaseSpec, PreprocessSpec, RecipeSpec, TrainingSpec
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import load_recipe
from thumbnet.training import foretell
from thumbnet.training.engine import Picks
from thumbnet.training.forecast import make_forecast
from thumbnet.training.foretell import BUDGET_SHARE, LEAST_WATCHED, Foretold, shorten
from thumbnet.training.measure import Measured
from thumbnet.training.phases import Plan

MODEL = nn.Linear(100, 10, bias=False)  # 4000 bytes
MEASURED = Measured(
    picks=Picks("cpu", "fp32", "contiguous", 1),
    step_s=(0.5, 2.0),
    judge_image_s=0.01,
    activation_bytes=7000,
)


def plan(color: str = "rgb") -> Plan:
    spec = RecipeSpec(
        name="test",
        model=ModelSpec(name="lenet5"),
        preprocess=PreprocessSpec(image_size=10, color=color),
        training=TrainingSpec(batch_size=10),
        phases=(PhaseSpec(epochs=3), PhaseSpec(epochs=1.5, image_size=20, batch_size=20)),
    )
    return Plan(spec, 100)


def test_time_adds_up_steps_and_judgings() -> None:
    forecast = make_forecast(plan(), MEASURED, MODEL, num_watched=50, ema=False)
    assert forecast.watch_s == pytest.approx(0.5)
    # 3 epochs of 10 steps, then 1.5 of 5 (rounded to 8): each epoch begun is judged once
    assert forecast.total_s == pytest.approx(30 * 0.5 + 8 * 2.0 + 5 * 0.5)
    assert forecast.epoch_s(plan(), 0) == pytest.approx(10 * 0.5 + 0.5)
    assert forecast.epoch_s(plan(), 1) == pytest.approx(5 * 2.0 + 0.5)
    assert forecast.step_s == (0.5, 2.0)


def test_memory_counts_weights_activations_and_the_largest_phase() -> None:
    def peak(color: str, ema: bool) -> float:
        return make_forecast(plan(color), MEASURED, MODEL, 50, ema).peak_bytes

    images = 100 * 20 * 20 * 3
    assert peak("rgb", ema=False) == 350e6 + 3 * 4000 + 7000 + images  # gradient, momentum
    assert peak("rgb", ema=True) - peak("rgb", ema=False) == 4000
    assert peak("rgb", ema=False) - peak("grey", ema=False) == images * 2 / 3


def test_memory_counts_images_as_they_are_packed_not_as_they_are_scaled_up() -> None:
    forecast = make_forecast(plan(), MEASURED, MODEL, 50, ema=False, packed_size=15)
    assert forecast.peak_bytes == 350e6 + 3 * 4000 + 7000 + 100 * 15 * 15 * 3


NUM_WATCHED = 5000


def estimate(recipe: RecipeSpec) -> Foretold:
    """One second a step, 10 and 40 ms an image: 50 s an evaluation of all 5,000."""
    short = Plan(recipe, 10_000)
    num = min(NUM_WATCHED, recipe.training.watched_images or NUM_WATCHED)
    return Foretold(short, MEASURED, make_forecast(short, MEASURED, MODEL, num, ema=False), num)


def test_a_recipe_that_fits_its_budget_is_left_as_it_is() -> None:
    recipe = plan().recipe
    total_s = estimate(recipe).forecast.total_s
    short, told = shorten(recipe, total_s / BUDGET_SHARE + 1, estimate)
    assert (short, told.forecast.total_s) == (recipe, total_s)


@pytest.mark.parametrize("budget_s", [300, 800, 2000])
def test_a_recipe_is_shortened_so_that_steps_and_evaluations_fit(budget_s: float) -> None:
    recipe = plan().recipe
    short, told = shorten(recipe, budget_s, estimate)
    goal_s = BUDGET_SHARE * budget_s
    assert 0.95 * goal_s < told.forecast.total_s <= goal_s
    shares = [two.epochs / one.epochs for one, two in zip(recipe.phases, short.phases, strict=True)]
    assert shares[0] == pytest.approx(shares[1])
    assert told.forecast.watch_s * told.plan.num_epochs <= 0.21 * goal_s or budget_s == 2000


def test_a_short_budget_is_not_spent_on_evaluations() -> None:
    short, told = shorten(plan().recipe, 60, estimate)
    assert short.training.watched_images == told.num_watched == 540  # of 5,000: a fifth of 54 s
    assert told.plan.num_steps > 30
    short, _ = shorten(plan().recipe, 20, estimate)
    assert short.training.watched_images == LEAST_WATCHED


def test_a_hopeless_budget_leaves_a_step_a_phase() -> None:
    _, told = shorten(plan().recipe, 0.1, estimate)
    assert told.plan.num_steps == 2


@pytest.mark.parametrize(
    ("step_s", "size"), [(0.01, 64), (0.6, 64), (1.0, 48), (1.2, 32), (1000.0, 32)]
)
def test_a_slow_machine_trains_on_smaller_images(
    monkeypatch: pytest.MonkeyPatch, tiny: PackedDataset, step_s: float, size: int
) -> None:
    """A step costs as its pixels do; two epochs of 0.6 s a step fit at 64 px."""

    def measured_picks(recipe: RecipeSpec, planned: Plan, *_: object) -> Measured:
        pixels = [(phase.image_size / 64) ** 2 for phase in planned.phases]
        picks = Picks("cpu", "fp32", "contiguous", 1)
        return Measured(picks, tuple(step_s * share for share in pixels), 0.0, 0)

    monkeypatch.setattr(foretell, "measured_picks", measured_picks)
    recipe = load_recipe("thumbnet/quick", {"training.batch_size": 4})
    phases = ({"epochs": 20, "image_size": 64},)
    recipe = with_overrides(recipe, {"phases": phases}, "quick")
    num_steps = Plan(recipe, len(apply_protocol(tiny, "holdout").fit)).phases[0].steps_per_epoch
    budget_s = 2.0 * num_steps * 0.61 / BUDGET_SHARE
    smaller = foretell.smaller_if_slow(recipe, tiny, budget_s)
    assert smaller.preprocess.image_size == size
    assert smaller.phases[0].image_size in {size, None}
