"""Durations as people write and read them."""

import re

from thumbnet.errors import RecipeError

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> float:
    """Return seconds from `90`, `90s`, `5m`, `1.5h` or `2d`.

    Raises: RecipeError
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|)", text.strip())
    if match is None or not float(match[1]):
        raise RecipeError(f"'{text}' is not a duration; write 90s, 5m, 1.5h or 2d")
    return float(match[1]) * _UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """Return `42 s`, `3 min 05 s` or `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_number(value: float) -> str:
    """Return a number of epochs: `3`, `0.59`, `0.004`."""
    return f"{round(value, 2):g}" if value >= 0.1 else f"{value:.1g}"
