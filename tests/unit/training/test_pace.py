"""A run behind its time budget goes on with the step that is due, and never leaves an epoch out."""

import pytest

from thumbnet.recipe import ConstantSpec, ModelSpec, PhaseSpec, RecipeSpec, TrainingSpec
from thumbnet.training.forecast import Forecast
from thumbnet.training.pace import SLACK, Pace
from thumbnet.training.phases import Plan

RECIPE = RecipeSpec(
    name="paced",
    model=ModelSpec(name="lenet5"),
    training=TrainingSpec(batch_size=10, schedule=ConstantSpec(lr=0.1)),
    phases=(PhaseSpec(epochs=2), PhaseSpec(epochs=1)),
)
PLAN = Plan(RECIPE, 100)  # 10 steps an epoch
FORECAST = Forecast(step_s=(1.0, 4.0), watch_s=5.0, total_s=20 + 40 + 15, peak_bytes=0)
PACE = Pace(PLAN, FORECAST, 2 * 75 / (1 - SLACK))  # twice the time foretold, and the slack


def test_planned_time_is_the_forecast_stretched_to_the_budget() -> None:
    assert PACE.planned_s(0) == 0
    assert PACE.planned_s(9) == pytest.approx(2 * 9)
    assert PACE.planned_s(10) == pytest.approx(2 * (10 + 5))
    assert PACE.planned_s(21) == pytest.approx(2 * (20 + 10 + 4))
    assert PACE.planned_s(30) == pytest.approx(2 * 75)


def test_a_run_in_time_skips_nothing() -> None:
    for step in range(30):
        assert PACE.due(step, PACE.planned_s(step) + 0.9 * PACE.slack_s) == step
        assert PACE.due(step, 0) == step


def test_a_run_behind_skips_to_the_step_that_is_due() -> None:
    assert PACE.due(2, 2 * 6 + PACE.slack_s - 0.01) == 6
    assert PACE.due(21, 2 * (20 + 10 + 4 * 5) + PACE.slack_s - 0.01) == 25


@pytest.mark.parametrize("step", [0, 5, 9])
def test_the_last_step_of_an_epoch_is_never_skipped(step: int) -> None:
    assert PACE.due(step, 1e9) == 9


def test_a_budget_too_small_for_the_forecast_is_not_squeezed() -> None:
    assert Pace(PLAN, FORECAST, 10).planned_s(30) == 75
