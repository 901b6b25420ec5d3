"""The rule of one entry a quota, as pure functions of times."""

from datetime import datetime, timedelta
from math import ceil


def next_slot(last: datetime | None, quota: timedelta, now: datetime) -> datetime | None:
    """Return when a team may submit next, None for now.

    The window rolls: it begins with the team's last entry, at whatever time of day. A clock that
    was set back grants nothing. Without a quota there is no wait.

    Args: last: when the team's latest entry came
    """
    if last is None or not quota or now >= last + quota:
        return None
    return last + quota


def seconds_until(slot: datetime | None, now: datetime) -> int:
    """Return the whole seconds to wait, rounded up, so that who waits them is never early."""
    return 0 if slot is None else max(0, ceil((slot - now).total_seconds()))


def countdown(slot: datetime | None, now: datetime) -> str:
    """Say in words when a slot comes, to the nearest minute, or hour where it is days away.

    Example: "now", "in 45 s", "in 1 h 23 min", "in 2 d 5 h"
    """
    left = seconds_until(slot, now)
    if left == 0:
        return "now"
    if left < 60:
        return f"in {left} s"
    minutes = round(left / 60)
    if minutes < 60:
        return f"in {minutes} min"
    if minutes < 24 * 60:
        return "in " + _joined(minutes // 60, "h", minutes % 60, "min")
    hours = round(minutes / 60)
    return "in " + _joined(hours // 24, "d", hours % 24, "h")


def duration(span: timedelta) -> str:
    """Write a length of time in words.

    Example: "2 hours" or "1 hour 30 minutes"
    """
    seconds, words = int(span.total_seconds()), []
    for size_s, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        number, seconds = divmod(seconds, size_s)
        if number:
            words.append(f"{number} {unit}{'s' if number > 1 else ''}")
    return " ".join(words) or "0 seconds"


def _joined(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")
