"""Learning rates at the points where each schedule's formula is known by heart."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.optim.schedules import lr_at
from thumbnet.recipe import ConstantSpec, CosineSpec, ScheduleSpec, TriangularSpec

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
        assert lr_at(spec, fraction) == pytest.approx(lr, abs=1e-12), fraction


@settings(deadline=None)
@given(spec=schedules, fraction=fractions)
def test_never_negative_and_never_over_its_peak(spec: ScheduleSpec, fraction: float) -> None:
    assert 0 <= lr_at(spec, fraction) <= spec.lr


@settings(deadline=None)
@given(spec=schedules)
def test_peaks_at_the_end_of_the_warmup_and_ends_at_its_final_share(spec: ScheduleSpec) -> None:
    assert lr_at(spec, getattr(spec, "warmup", 0)) == spec.lr
    assert lr_at(spec, 1) == pytest.approx(spec.lr * getattr(spec, "final", 1), rel=1e-12)


@settings(deadline=None)
@given(spec=schedules, one=fractions, other=fractions)
def test_rises_up_to_the_peak_and_falls_after_it(
    spec: ScheduleSpec, one: float, other: float
) -> None:
    first, then = sorted((one, other))
    peak, rounding = getattr(spec, "warmup", 0), 1 + 1e-12
    if then <= peak:
        assert lr_at(spec, first) <= lr_at(spec, then) * rounding
    elif first >= peak:
        assert lr_at(spec, first) * rounding >= lr_at(spec, then)


@pytest.mark.parametrize("fraction", [-1e-9, 1 + 1e-9, math.nan, math.inf])
def test_refuses_what_lies_outside_its_span(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        lr_at(ConstantSpec(lr=1), fraction)
