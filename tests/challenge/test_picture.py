"""Numbers of pictures, and how times, sizes and shares are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.challenge.site import RULES

from thumbnet.challenge import limits, rendering
from thumbnet.challenge.entities import Board, BoardRow, Entry, Rules, Score, Team
from thumbnet.challenge.picture import HEIGHT, WIDTH, axis, board_view, decimals, history, percent

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
shares = st.floats(0, 1)


@given(st.lists(shares, min_size=1, max_size=20))
def test_an_axis_holds_all_values_between_round_ends(values: list[float]) -> None:
    scale = axis(values)
    ticks = scale.ticks()
    assert ticks[0] <= min(values) + 1e-9
    assert ticks[-1] >= max(values) - 1e-9
    assert 2 <= len(ticks) <= 7
    assert all(0 <= scale.place(value) <= 1 for value in values)


def test_an_axis_has_round_steps() -> None:
    assert [round(tick, 6) for tick in axis([0.412, 0.633]).ticks()] == [0.4, 0.5, 0.6, 0.7]


def row(place: int, value: float, band: int, private: float | None = None) -> BoardRow:
    team = Team(place, f"Team {place}", f"team-{place}", NOON)
    final = None if private is None else Score(private, 0.02, 300)
    return BoardRow(place, band, team, Score(value, 0.02, 300), final, 1, NOON)


def test_rows_are_grouped_in_bands_on_one_axis() -> None:
    rows = (row(1, 0.7, 1), row(2, 0.69, 1), row(3, 0.5, 2))
    view = board_view(Board(1, NOON, "open", rows, 3), RULES)
    assert [len(band.rows) for band in view.bands] == [2, 1]
    lines = [line for band in view.bands for line in band.rows]
    assert all(0 <= line.low < line.middle < line.high <= 100 for line in lines)
    assert [line.middle for line in lines] == sorted((one.middle for one in lines), reverse=True)
    assert lines[0].says == "Team 1: rank 1, 70.0 %"
    assert lines[0].sum != lines[1].sum


def test_after_the_reveal_intervals_are_those_of_the_final_score() -> None:
    hidden = board_view(Board(1, NOON, "open", (row(1, 0.3, 1), row(2, 0.2, 2)), 2), RULES)
    shown = (row(1, 0.3, 1, 0.7), row(2, 0.2, 2, 0.6))
    revealed = board_view(Board(1, NOON, "revealed", shown, 2), RULES)
    assert hidden.ticks != revealed.ticks
    assert revealed.bands[0].rows[0].says == "Team 1: rank 1, 70.0 %"


def test_an_empty_board_has_no_picture() -> None:
    assert board_view(Board(1, NOON, "open", (), 0), RULES).bands == ()


def entry(number: int, value: float, hidden: bool = False) -> Entry:
    score = Score(value, 0.02, 300)
    return Entry(str(number), 1, number, NOON, "0" * 64, 10, "", score, hidden=hidden)


def test_a_history_climbs_to_the_best() -> None:
    entries = (entry(3, 0.55), entry(1, 0.5), entry(2, 0.6), entry(4, 0.9, hidden=True))
    drawn = history(entries, best="2")
    assert [point.best for point in drawn.points] == [False, True, False]
    assert [point.x for point in drawn.points] == [0, WIDTH / 2, WIDTH]
    heights = [float(pair.split(",")[1]) for pair in drawn.steps.split()]
    assert heights == sorted(heights, reverse=True)
    assert all(0 <= height <= HEIGHT for height in heights)
    assert history((), None).points == ()
    assert len(history((entry(1, 0.5),), "1").points) == 1


@pytest.mark.parametrize(
    ("rounding", "written"), [(0.01, "61"), (0.001, "61.3"), (0.005, "61.3"), (0.0, "61.28")]
)
def test_as_many_decimals_as_the_rounding_leaves(rounding: float, written: str) -> None:
    rules = Rules("x", NOON, NOON, rounding=rounding)
    assert percent(0.6128, rules) == written
    assert 0 <= decimals(rules) <= 4


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-5, "now"),
        (0, "now"),
        (0.2, "0:00:01"),
        (59, "0:00:59"),
        (7200, "2:00:00"),
        (90061, "1 d 01:01:01"),
    ],
)
def test_what_is_left_is_written_as_the_script_does(seconds: float, written: str) -> None:
    assert rendering.left(NOON + timedelta(seconds=seconds), NOON, "now") == written


@pytest.mark.parametrize(
    ("span", "written"),
    [
        (timedelta(hours=2), "2 hours"),
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (timedelta(days=1, seconds=1), "1 day 1 second"),
        (timedelta(0), "0 seconds"),
    ],
)
def test_a_length_of_time_in_words(span: timedelta, written: str) -> None:
    assert limits.duration(span) == written


def test_times_numbers_and_sizes() -> None:
    assert rendering.iso(NOON) == "2026-11-20T12:00:00Z"
    assert rendering.utc(NOON) == "20 Nov, 12:00"
    assert rendering.utc(NOON, long=True) == "20 Nov 2026, 12:00 UTC"
    assert rendering.count(12345) == "12,345"
    assert rendering.size(1 << 20) == "1 MiB"
    assert rendering.size(1536) == "1.5 KiB"
    assert rendering.points(0.005) == "0.5"


def test_the_address_of_a_static_file_names_its_content() -> None:
    assert rendering.static_url("site.css").startswith("/static/site.css?v=")
