"""What the board shows; and a small replay of the attack that made the Ladder the default."""

import importlib.util
import sys
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thumbnet.challenge.entities import Rules
from thumbnet.challenge.ladder import Ladder, Plain, round_to, scorer_of, shown_scores
from thumbnet.challenge.statistics import half_width

RULES = Rules("test", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
PLAIN = replace(RULES, ladder=False)
COUNTS = st.lists(st.integers(0, 3000), max_size=30)


def values(counts: list[int], rules: Rules, num_images: int = 1000) -> list[float]:
    return [score.value for score in shown_scores(counts, num_images, rules)]


def test_the_plain_board_rounds_each_score() -> None:
    rules = replace(PLAIN, rounding=0.01)
    assert values([612, 590, 615, 625, 1000, 0], rules) == [0.61, 0.59, 0.62, 0.63, 1.0, 0.0]


def test_no_rounding_shows_scores_exactly() -> None:
    assert values([617, 1], replace(PLAIN, rounding=0.0), 3000) == [617 / 3000, 1 / 3000]


def test_the_ladder_repeats_the_best_until_it_is_beaten_by_a_step() -> None:
    rules = replace(RULES, ladder=True, ladder_step=0.01, rounding=0.001)
    counts = [600, 609, 610, 605, 590, 619, 620, 100]
    assert values(counts, rules) == [0.60, 0.60, 0.61, 0.61, 0.61, 0.61, 0.62, 0.62]


def test_the_half_width_tells_no_more_than_the_value() -> None:
    for rules in (replace(PLAIN, rounding=0.01), RULES):
        shown = shown_scores([1800, 1801, 1802, 1803], 3000, rules)
        assert len({score.half_width for score in shown}) == len({score.value for score in shown})
        assert shown[0].half_width == half_width(shown[0].value, 3000)
        assert shown[0].num_images == 3000


def test_the_rules_choose_the_scorer() -> None:
    assert isinstance(scorer_of(RULES), Ladder)  # docs/decisions/0009
    assert isinstance(scorer_of(PLAIN), Plain)
    coarse = scorer_of(replace(RULES, ladder=True, ladder_step=0.005, rounding=0.02))
    assert isinstance(coarse, Ladder)
    assert coarse.step == 0.02


@given(st.integers(0, 10_000), st.integers(1, 10_000), st.sampled_from(["0.001", "0.005", "0.01"]))
def test_rounding_is_that_of_whole_numbers(count: int, num_images: int, step: str) -> None:
    count = min(count, num_images)
    exact, width = Fraction(count, num_images), Fraction(step)
    expected = min(Fraction(1), floor(exact / width + Fraction(1, 2)) * width)
    assert round_to(count / num_images, float(step)) == pytest.approx(float(expected), abs=1e-12)


@given(COUNTS, st.sampled_from([0.001, 0.005, 0.02]))
def test_the_ladder_never_falls_and_steps_are_whole(counts: list[int], step: float) -> None:
    shown = values(counts, replace(RULES, ladder_step=step, rounding=0.0), 3000)
    climbs = np.diff(shown)
    assert (climbs >= 0).all()
    assert (climbs[climbs > 0] >= step - 1e-9).all()
    assert all(abs(value / step - round(value / step)) < 1e-6 for value in shown if value < 1)


@given(COUNTS, COUNTS)
def test_later_entries_change_nothing_shown_before(counts: list[int], more: list[int]) -> None:
    for rules in (PLAIN, RULES):
        shown = shown_scores(counts + more, 3000, rules)
        assert shown[: len(counts)] == shown_scores(counts, 3000, rules)


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    folder = Path(__file__).parents[2] / "benchmarks"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        spec = importlib.util.spec_from_file_location("bench_ladder", folder / "bench_ladder.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "bench_ladder", module)
        spec.loader.exec_module(module)
        yield module


def test_the_default_board_withstands_the_attack(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "CHECKPOINTS", (84, 360))
    networks = [bench.draw_network(seed) for seed in range(4)]
    default = scorer_of(RULES)

    def gain(play: object, scorer: object, **options: object) -> float:
        changes = [play(each, seed, scorer, **options) for seed, each in enumerate(networks)]  # type: ignore[operator]
        return 100 * float(np.mean(changes, axis=0)[-1])

    for blind in (True, False):
        assert gain(bench.regress, default, blind=blind) <= 0.5
        assert gain(bench.regress, Plain(0.001), blind=blind) > 3
    assert gain(bench.rise, default, pace=2.0) <= 1.5


def test_the_default_withstands_who_learns_from_every_entry(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As benchmarks/results/ladder_... measures it, here on four networks."""
    default = scorer_of(RULES)
    assert isinstance(default, Ladder)
    assert RULES.max_entries is not None
    networks = [bench.draw_guesses(index, RULES.public_share) for index in range(4)]
    variant = bench.CLIMBS[0][1]

    def gain(num_entries: int) -> float:
        gains = [
            bench.climb(each, seed, default, num_entries, variant)
            for seed, each in enumerate(networks)
        ]
        return 100 * float(np.mean(gains))

    assert gain(RULES.max_entries) <= 1.5
    assert gain(3 * RULES.max_entries) > 1.5  # without the cap it does not hold


def test_a_team_that_is_a_point_better_sees_it() -> None:
    for first in range(1_000):
        shown = values([first + 1_000, first + 1_000 + 30], RULES, 3_000)
        assert shown[1] > shown[0]


def test_a_normal_distribution_is_cut_as_drawing_would(bench: ModuleType) -> None:
    from ladder_climb import cut_normal

    drawn = np.random.default_rng(0).normal(5, 2, 400_000)
    for low, high in ((-np.inf, 4.0), (6.0, 9.0), (-np.inf, np.inf), (4.5, 5.5)):
        kept = drawn[(drawn > low) & (drawn < high)]
        mean, variance = cut_normal(5, 2, low, high)
        assert mean == pytest.approx(kept.mean(), abs=0.02)
        assert variance == pytest.approx(kept.var(), rel=0.03)


def test_the_attack_scores_as_a_count_would(bench: ModuleType) -> None:
    network = bench.draw_network(3)
    changes = np.random.default_rng(0).random(bench.NUM_DOUBTFUL) < 0.5
    public = sum(
        gain for gain, own, mine in zip(network.gain, network.public, changes, strict=True)
        if own and mine
    )  # fmt: skip
    private = float((network.gain * changes).sum()) - public
    expected = public / bench.NUM_PUBLIC
    assert float(network.public_with(changes)) == pytest.approx(network.public_score + expected)
    assert network.gap_change(changes) == pytest.approx(
        expected - private / (bench.NUM_IMAGES - bench.NUM_PUBLIC)
    )
    assert network.public_score == pytest.approx(0.6, abs=0.03)
