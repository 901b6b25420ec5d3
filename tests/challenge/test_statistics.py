"""Intervals and bands, against slow and obvious counting."""

import time
from itertools import pairwise, product
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thumbnet.challenge.statistics import bands, half_width, score_of, told_apart

Z = 1.959963984540054


@pytest.mark.parametrize("num", [1, 2, 7, 30, 3000])
def test_half_width_is_half_the_wilson_interval(num: int) -> None:
    """Its ends are the shares p whose distance to the score is z standard errors of p."""
    for right in {0, 1, num // 3, num - 1, num}:
        score = score_of(right, num)
        grid = np.linspace(0, 1, 2_000_001)
        inside = np.abs(grid - score.value) <= Z * np.sqrt(grid * (1 - grid) / num)
        ends = grid[inside]
        assert score.half_width == pytest.approx((ends[-1] - ends[0]) / 2, abs=2e-6)


def test_known_figures() -> None:
    assert 100 * score_of(1800, 3000).half_width == pytest.approx(1.75, abs=0.005)
    assert 100 * score_of(6000, 10_000).half_width == pytest.approx(0.96, abs=0.005)
    assert half_width(0.6, 3000) == pytest.approx(Z * sqrt(0.24 / 3000), rel=1e-2)


@pytest.mark.parametrize(("right", "num"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_score(right: int, num: int) -> None:
    with pytest.raises(ValueError, match="no score"):
        score_of(right, num)


def pair(only_one: int, only_other: int, both: int = 3) -> tuple[NDArray[np.bool_], ...]:
    one = [True] * only_one + [False] * only_other + [True] * both + [False]
    other = [False] * only_one + [True] * only_other + [True] * both + [False]
    return np.array(one), np.array(other)


@pytest.mark.parametrize("discordant", range(13))
def test_told_apart_is_the_share_of_all_coin_throws(discordant: int) -> None:
    for only_one in range(discordant + 1):
        uneven = abs(2 * only_one - discordant)
        as_uneven = sum(
            abs(2 * sum(coins) - discordant) >= uneven
            for coins in product((0, 1), repeat=discordant)
        )
        assert told_apart(*pair(only_one, discordant - only_one)) == (
            as_uneven / 2**discordant < 0.05
        )


@pytest.mark.parametrize("discordant", [60, 400, 1500])
def test_the_edge_of_many_images(discordant: int) -> None:
    """With whole numbers: the largest k for which 2 * P(at most k heads) < 5 %."""
    total, k = 0, -1
    while 40 * (total + comb(discordant, k + 1)) < 2**discordant:
        total += comb(discordant, k + 1)
        k += 1
    assert told_apart(*pair(discordant - k, k))
    assert not told_apart(*pair(discordant - k - 1, k + 1))


@given(st.integers(0, 60), st.integers(0, 60))
def test_order_does_not_matter(only_one: int, only_other: int) -> None:
    one, other = pair(only_one, only_other)
    assert told_apart(one, other) == told_apart(other, one)


def test_a_band_is_read_against_its_first_team() -> None:
    """Each team is 4 images behind the last one: neighbors are alike, the ends are not."""
    teams = [np.arange(40) < 40 - 4 * place for place in range(6)]
    assert [told_apart(teams[0], team) for team in teams[1:]] == [False, True, True, True, True]
    assert not any(told_apart(*both) for both in pairwise(teams))
    assert bands(teams) == [1, 1, 2, 2, 3, 3]


def test_few_teams() -> None:
    assert bands([]) == []
    assert bands([np.zeros(5, bool)]) == [1]
    assert bands([np.ones(5, bool)] * 3) == [1, 1, 1]


def test_a_thousand_teams_on_a_large_board_are_quick() -> None:
    rng = np.random.default_rng(0)
    teams = [rng.random(3000) < 0.7 - 0.0005 * place for place in range(1000)]
    start = time.process_time()
    found = bands(teams)
    assert time.process_time() - start < 2
    assert found[0] == 1
    assert all(later - earlier in {0, 1} for earlier, later in pairwise(found))
    assert found[-1] > 3
