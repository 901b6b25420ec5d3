"""Moments as people write and read them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from thumbnet.errors import RecipeError

_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}

MomentOption = Annotated[
    str, typer.Option(help="now, +30d, +2h, or 2026-12-01T18:00+01:00; UTC without an offset.")
]


def parse_moment(text: str, base: datetime) -> datetime:
    """Return the time that a text means, in UTC.

    Args: base: what `now` and `+2h` start from
    Raises: RecipeError
    """
    text = text.strip()
    if text == "now":
        return base
    if match := re.fullmatch(r"\+(\d+(?:\.\d+)?)(m|min|h|d)", text):
        return base + timedelta(**{_UNITS[match[2]]: float(match[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RecipeError(
            f"'{text}' is no moment; write now, +2h, +30d, or 2026-12-01T18:00+01:00"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def written(moment: datetime) -> str:
    """Return a moment to the second.

    Example: "2026-12-01 17:00:00 UTC"
    """
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
