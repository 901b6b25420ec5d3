"""Learning rates at the points where each schedule's formula is known by heart."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.optim.schedules import Moment, Plateau, lr_at
from thumbnet.recipe import (
    ConstantSpec,
    CosineSpec,
    CyclicSpec,
    ExponentialSpec,
    OneCycleSpec,
    PlateauSpec,
    ScheduleSpec,
    StepSpec,
    TriangularSpec,
)

lrs = st.floats(1e-6, 100)
fractions = st.floats(0, 1)
shapes = {
    "lr": lrs,
    "warmup": st.floats(0, 1, exclude_max=True),
    "final": st.floats(0, 1),
}
schedules = st.one_of(
    st.builds(ConstantSpec, lr=lrs),
    st.builds(TriangularSpec, **shapes),
    st.builds(CosineSpec, **shapes),
)


@pytest.mark.parametrize(
    ("spec", "points"),
    [
        (ConstantSpec(lr=0.3), {0: 0.3, 0.5: 0.3, 1: 0.3}),
        (
            TriangularSpec(lr=0.8, warmup=0.2, final=0),
            {0: 0, 0.1: 0.4, 0.2: 0.8, 0.4: 0.6, 0.6: 0.4, 1: 0},
        ),
        (
            TriangularSpec(lr=2, warmup=0.5, final=0.25),
            {0: 0, 0.25: 1, 0.5: 2, 0.75: 1.25, 1: 0.5},
        ),
        (TriangularSpec(lr=1, warmup=0), {0: 1, 0.25: 0.75, 1: 0}),
        (CosineSpec(lr=0.4), {0: 0.4, 1 / 3: 0.3, 0.5: 0.2, 2 / 3: 0.1, 1: 0}),
        (
            CosineSpec(lr=1, warmup=0.2, final=0.1),
            {0: 0, 0.1: 0.5, 0.2: 1, 0.6: 0.55, 1: 0.1, 0.4: 0.55 + 0.45 * math.sqrt(0.5)},
        ),
    ],
)
def test_exact_at_its_key_points(spec: ScheduleSpec, points: dict[float, float]) -> None:
    for fraction, lr in points.items():
        assert lr_at(spec, Moment(fraction)) == pytest.approx(lr, abs=1e-12), fraction


@settings(deadline=None)
@given(spec=schedules, fraction=fractions)
def test_never_negative_and_never_over_its_peak(spec: ScheduleSpec, fraction: float) -> None:
    assert 0 <= lr_at(spec, Moment(fraction)) <= spec.lr


@settings(deadline=None)
@given(spec=schedules)
def test_peaks_at_the_end_of_the_warmup_and_ends_at_its_final_share(spec: ScheduleSpec) -> None:
    assert lr_at(spec, Moment(spec.warmup)) == spec.lr
    assert lr_at(spec, Moment(1)) == pytest.approx(spec.lr * getattr(spec, "final", 1), rel=1e-12)


@settings(deadline=None)
@given(spec=schedules, one=fractions, other=fractions)
def test_rises_up_to_the_peak_and_falls_after_it(
    spec: ScheduleSpec, one: float, other: float
) -> None:
    first, then = sorted((one, other))
    peak, rounding = spec.warmup, 1 + 1e-12
    if then <= peak:
        assert lr_at(spec, Moment(first)) <= lr_at(spec, Moment(then)) * rounding
    elif first >= peak:
        assert lr_at(spec, Moment(first)) * rounding >= lr_at(spec, Moment(then))


@pytest.mark.parametrize("fraction", [-1e-9, 1 + 1e-9, math.nan, math.inf])
def test_refuses_what_lies_outside_its_span(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        lr_at(ConstantSpec(lr=1), Moment(fraction))


def test_one_cycle_is_that_of_pytorch() -> None:
    import torch

    num_steps = 50
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=num_steps + 1)
    spec = OneCycleSpec(lr=0.5)
    peak = 0.3 * (num_steps + 1) - 1  # where PyTorch has it, in steps
    for step in range(num_steps + 1):
        fraction = step / peak * 0.3 if step <= peak else 0.3 + 0.7 * (step - peak) / (50 - peak)
        ours = lr_at(spec, Moment(min(1.0, fraction)))
        assert ours == pytest.approx(theirs.get_last_lr()[0], rel=1e-6, abs=1e-12)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("spec", "points"),
    [
        (StepSpec(lr=1, every_steps=100), {0: 1, 99: 1, 100: 0.1, 250: 0.01}),
        (StepSpec(lr=1, factor=0.5, every_epochs=2), {0: 1, 19: 1, 20: 0.5, 45: 0.25}),
        (ExponentialSpec(lr=1, factor=0.81), {0: 1, 5: 0.9, 10: 0.81}),
        (
            CyclicSpec(lr=6, base_lr=1, half_steps=5),
            {0: 1, 1: 2, 5: 6, 6: 5, 10: 1, 15: 6, 20: 1, 35: 6},
        ),
        (
            CyclicSpec(lr=6, base_lr=1, half_steps=5, mode="triangular2"),
            {0: 1, 5: 6, 10: 1, 15: 3.5, 20: 1, 25: 2.25},
        ),
        (PlateauSpec(lr=0.5), {0: 0.5, 1000: 0.5}),
    ],
)
def test_those_that_count_steps_or_epochs(spec: ScheduleSpec, points: dict[int, float]) -> None:
    for step, lr in points.items():
        moment = Moment(step / 1000, step, step / 10)
        assert lr_at(spec, moment) == pytest.approx(lr, rel=1e-9), step


def test_plateau_falls_after_so_many_epochs_without_a_better_loss() -> None:
    spec = PlateauSpec(lr=0.1, factor=0.5, patience=2, min_lr=0.03, min_delta=0.01)
    state, scales = Plateau(), []
    for loss in (3.0, 2.0, 1.995, 2.5, 1.5, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6):
        state = state.after(spec, loss, 0.0)
        scales.append(state.scale)
    assert scales == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3])
    assert state.best == 1.5


def test_plateau_can_watch_accuracy() -> None:
    spec = PlateauSpec(lr=0.1, factor=0.5, patience=1, watch="top1")
    state = Plateau().after(spec, 1.0, 0.3).after(spec, 2.0, 0.4)
    assert state.scale == 1
    assert state.after(spec, 0.5, 0.4).scale == 0.5
