"""The two-hour rule at its edges, and in words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thumbnet.challenge.limits import countdown, next_slot, seconds_until

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # the night in which Europe's clocks jump
QUOTA = timedelta(hours=2)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))


def test_the_first_entry_comes_at_once() -> None:
    assert next_slot(None, QUOTA, NOW) is None


@pytest.mark.parametrize(("seconds", "free"), [(0, False), (7199.9, False), (7200, True)])
def test_the_edge(seconds: float, free: bool) -> None:
    slot = next_slot(NOW, QUOTA, NOW + timedelta(seconds=seconds))
    assert slot == (None if free else NOW + QUOTA)


def test_a_clock_set_back_grants_nothing() -> None:
    assert next_slot(NOW, QUOTA, NOW - timedelta(days=1)) == NOW + QUOTA


def test_no_quota_is_no_wait_whatever_the_clock_says() -> None:
    assert next_slot(NOW + timedelta(hours=1), timedelta(0), NOW) is None


def test_no_quota_is_no_wait() -> None:
    assert next_slot(NOW, timedelta(0), NOW) is None


@given(TIMES, SPANS, SPANS)
def test_who_waits_for_the_slot_is_let_in_and_not_before(
    last: datetime, quota: timedelta, later: timedelta
) -> None:
    now = last + later
    slot = next_slot(last, quota, now)
    if slot is None:
        assert now - last >= quota
    else:
        assert next_slot(last, quota, slot) is None
        assert next_slot(last, quota, slot - timedelta(microseconds=1)) == slot
        waited = now + timedelta(seconds=seconds_until(slot, now))
        assert next_slot(last, quota, waited) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "now"),
        (0, "now"),
        (0.2, "in 1 s"),
        (45, "in 45 s"),
        (59.5, "in 1 min"),
        (61, "in 1 min"),
        (59 * 60 + 1, "in 59 min"),
        (3599, "in 1 h"),
        (83 * 60, "in 1 h 23 min"),
        (7200, "in 2 h"),
        (7200.8, "in 2 h"),
        (7100, "in 1 h 58 min"),
        (86_399, "in 1 d"),
        (53 * 3600, "in 2 d 5 h"),
    ],
)
def test_countdown(seconds: float, words: str) -> None:
    assert countdown(NOW + timedelta(seconds=seconds), NOW) == words


def test_no_slot_is_now() -> None:
    assert countdown(None, NOW) == "now"
    assert seconds_until(None, NOW) == 0
