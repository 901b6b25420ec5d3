"""Intervals and tests against enumeration and against figures known from tables."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.significance import (
    binomial_cdf,
    bootstrap_interval,
    exact_interval,
    holm,
    mcnemar,
    sign_test,
    wilson_interval,
)


def cdf(k: int, num: int, p: float) -> float:
    return sum(math.comb(num, i) * p**i * (1 - p) ** (num - i) for i in range(k + 1))


@settings(deadline=None)
@given(num=st.integers(1, 60), share=st.floats(0, 1), p=st.floats(0, 1))
def test_binomial_is_the_sum_of_its_terms(num: int, share: float, p: float) -> None:
    k = round(share * num)
    assert binomial_cdf(k, num, p) == pytest.approx(cdf(k, num, p), abs=1e-9)


@settings(deadline=None)
@given(num=st.integers(1, 80), share=st.floats(0, 1))
def test_exact_interval_leaves_a_fortieth_on_either_side(num: int, share: float) -> None:
    k = round(share * num)
    interval = exact_interval(k, num)
    assert 0 <= interval.low <= k / num <= interval.high <= 1
    if k:
        assert 1 - cdf(k - 1, num, interval.low) == pytest.approx(0.025, abs=1e-6)
    if k < num:
        assert cdf(k, num, interval.high) == pytest.approx(0.025, abs=1e-6)


def test_intervals_known_from_tables() -> None:
    exact = exact_interval(5, 10)
    assert (exact.low, exact.high) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    wilson = wilson_interval(5, 10)
    assert (wilson.low, wilson.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    large = exact_interval(4400, 10_000)
    assert (large.low, large.high) == pytest.approx((0.43024, 0.44980), abs=1e-4)
    assert wilson_interval(0, 10).low == exact_interval(0, 10).low == 0
    assert wilson_interval(10, 10).high == pytest.approx(1)


@pytest.mark.parametrize(("right", "num"), [(-1, 5), (6, 5), (0, 0)])
def test_what_is_no_share_is_refused(right: int, num: int) -> None:
    for interval in (exact_interval, wilson_interval):
        with pytest.raises(ValueError, match="is not a share"):
            interval(right, num)


def test_bootstrap_agrees_with_the_exact_interval_of_a_share() -> None:
    values = (np.arange(1000) < 440).astype(np.float64)
    interval, exact = bootstrap_interval(values), exact_interval(440, 1000)
    assert interval == bootstrap_interval(values)  # its seed is fixed
    assert interval.low == pytest.approx(exact.low, abs=0.004)
    assert interval.high == pytest.approx(exact.high, abs=0.004)


def test_mcnemar_looks_at_the_images_they_differ_on() -> None:
    one = np.array([True] * 90 + [False] * 10)
    other = np.array([True] * 81 + [False] * 19)
    assert mcnemar(one, other) == pytest.approx(2 * 0.5**9)
    assert mcnemar(one, one) == 1
    assert mcnemar(one, other) == mcnemar(other, one)
    with pytest.raises(ValueError, match="not the same images"):
        mcnemar(one, one[:50])


@pytest.mark.parametrize("wins", range(12))
def test_sign_test_is_two_sided(wins: int) -> None:
    losses = 11 - wins
    expected = min(1.0, 2 * cdf(min(wins, losses), 11, 0.5))
    assert sign_test(wins, losses) == pytest.approx(expected)


def test_holm_multiplies_the_smallest_most_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
