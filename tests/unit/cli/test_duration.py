"""Durations, read and written."""

import pytest

from thumbnet.cli.duration import format_duration, parse_duration
from thumbnet.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90s", 90), ("5m", 300), ("5min", 300), ("1.5h", 5400), (" 2 h ", 7200),
        ("0.5", 0.5), ("007s", 7), ("2d", 172_800), ("0.5 d", 43_200),
    ],
)  # fmt: skip
def test_reads_what_people_write(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0", "0.0m", "-5m", "0d", "5w", "m", "1h30m", "1,5h", ".5h", "1e3", "nan", "inf", "5 M"],
)
def test_refuses_the_rest_with_examples(text: str) -> None:
    with pytest.raises(RecipeError, match=f"'{text}' is not a duration; write 90s, 5m, 1.5h or 2d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (41.6, "42 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (90000, "25 h 00 min"),
    ],
)
def test_writes_two_units_at_most(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
