"""A forecast is a sum over the plan, checked with round numbers."""

import pytest
from torch import nn

from thumbnet.recipe import ModelSpec, PhaseSpec, PreprocessSpec, RecipeSpec, TrainingSpec
from thumbnet.training.engine import Picks
from thumbnet.training.forecast import make_forecast
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
