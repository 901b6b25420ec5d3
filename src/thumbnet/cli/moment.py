"""Moments as people write and read them."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer

from thumbnet.errors import RecipeError

_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
LAST_SECOND = time(23, 59, 59, tzinfo=UTC)

MOMENT = "now, +2d, 2026-12-01, or 2026-12-01T18:00+01:00; UTC without an offset."
OpensOption = Annotated[str, typer.Option(help=f"Opening: {MOMENT}")]
ClosesOption = Annotated[
    str, typer.Option(help=f"End: {MOMENT} A date alone means the end of that day.")
]


def parse_moment(text: str, base: datetime, *, end: bool = False) -> datetime:
    """Return the time that a text means, in UTC.

    Args: base: what `now` and `+2h` start from; end: whether a date alone means the last second of
        that day (UTC), not its first
    Raises: RecipeError
    """
    text = text.strip()
    if text == "now":
        return base
    if match := re.fullmatch(r"\+(\d+(?:\.\d+)?)(m|min|h|d)", text):
        return base + timedelta(**{_UNITS[match[2]]: float(match[1])})
    try:
        if end and (day := _date(text)):
            return datetime.combine(day, LAST_SECOND)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RecipeError(
            f"cannot read the date '{text}'; write now, +2h, +30d, 2026-12-01, or "
            "2026-12-01T18:00+01:00"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def written(moment: datetime) -> str:
    """Return a moment to the second.

    Example: "2026-12-01 17:00:00 UTC"
    """
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
