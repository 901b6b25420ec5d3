"""The time left is the estimate until steps were measured, then what they really take."""

import pytest

from thumbnet.recipe import ConstantSpec, ModelSpec, PhaseSpec, RecipeSpec, TrainingSpec
from thumbnet.training.forecast import Forecast
from thumbnet.training.phases import Plan
from thumbnet.training.time_left import SETTLE_STEPS, TimeLeft

RECIPE = RecipeSpec(
    name="timed",
    model=ModelSpec(name="lenet5"),
    training=TrainingSpec(batch_size=10, schedule=ConstantSpec(lr=0.1)),
    phases=(PhaseSpec(epochs=2), PhaseSpec(epochs=1)),
)
PLAN = Plan(RECIPE, 100)  # 10 steps an epoch
FORECAST = Forecast(step_s=(1.0, 4.0), watch_s=5.0, total_s=20 + 40 + 15, peak_bytes=0)


def test_it_begins_with_the_estimate() -> None:
    time = TimeLeft(FORECAST)
    assert time.total_s(PLAN, 0) == 75
    assert time.total_s(PLAN, 5) == 70
    assert time.total_s(PLAN, 10) == 60
    assert time.total_s(PLAN, 30) == 0
    assert time.evaluations_s(PLAN, 21) == 5


def test_it_learns_from_steps_but_not_from_the_first() -> None:
    time = TimeLeft(FORECAST)
    for _ in range(SETTLE_STEPS):
        time.stepped(0, 100.0)
    assert time.slowdown == 1
    time.stepped(0, 2.0)
    assert time.slowdown == 2
    assert time.steps_s(PLAN, 0) == 120
    for _ in range(SETTLE_STEPS):  # a phase at another size begins slowly too
        time.stepped(1, 100.0)
    assert time.slowdown == 2
    for _ in range(20):
        time.stepped(1, 12.0)
    assert time.slowdown == pytest.approx(3, rel=0.01)


def test_it_leaves_out_steps_after_a_disturbance() -> None:
    time = TimeLeft(FORECAST)
    for _ in range(SETTLE_STEPS + 1):
        time.stepped(0, 1.0)
    time.disturbed()
    time.stepped(0, 50.0)
    assert time.slowdown == 1
    time.evaluated(15.0)
    assert time.evaluations_s(PLAN, 20) == 10


def test_it_learns_in_epochs_of_two_steps() -> None:
    time = TimeLeft(FORECAST)
    for _ in range(20):
        time.stepped(0, 0.5)
        time.evaluated(5.0)
    assert time.slowdown == pytest.approx(0.5, rel=0.01)
