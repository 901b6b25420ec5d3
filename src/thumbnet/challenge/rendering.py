"""Pages from templates: the environment, its filters, and the addresses of static files."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from thumbnet.challenge import picture
from thumbnet.challenge.entities import Board, Challenge, Rules
from thumbnet.challenge.limits import duration

HERE = Path(__file__).parent
STATIC = HERE / "static"
METRIC_WORDS = {"top1": "top-1", "top5": "top-5"}


@dataclass(frozen=True)
class Facts:
    """What the head of the board says of time and size."""

    heading: str
    until: datetime | None
    word: str
    since: datetime
    num_teams: int
    num_scored: int


def facts(challenge: Challenge, board: Board) -> Facts:
    """Say when the challenge opens, closes or closed, and how many take part."""
    rules, revealed = challenge.rules, board.state == "revealed"
    heading, until, word, since = "State", None, "closed", rules.closes
    if board.state == "planned":
        heading, until = "Opens in", rules.opens
    elif board.state in {"open", "frozen"}:
        heading, until = "Closes in", rules.closes
    elif revealed:
        word, since = "revealed", challenge.revealed_at or rules.closes
    return Facts(
        heading=heading,
        until=until,
        word=word,
        since=since,
        num_teams=sum(row.rank is not None for row in board.rows),
        num_scored=challenge.num_images - challenge.num_public
        if revealed
        else challenge.num_public,
    )


@cache
def environment() -> Environment:
    """Return the environment of all templates: everything is escaped, nothing may be undefined."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        iso=iso,
        moment=datetime.fromisoformat,
        utc=utc,
        left=left,
        percent=_percent,
        points=points,
        count=count,
        size=size,
        duration=duration,
    )
    made.globals["static"] = static_url
    return made


Render = Callable[..., str]


@cache
def static_url(name: str) -> str:
    """Return the address of a static file, which changes with its content."""
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def iso(when: datetime) -> str:
    """Write a time for machines.

    Example: 2026-11-20T12:00:00Z
    """
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def utc(when: datetime, long: bool = False) -> str:
    """Write a time for people, in UTC.

    Example: 20 Nov 2026, 12:00 UTC where `long`, else 20 Nov, 12:00
    """
    when = when.astimezone(UTC)
    return f"{when.day} {when:%b %Y, %H:%M} UTC" if long else f"{when.day} {when:%b, %H:%M}"


def left(until: datetime, now: datetime, done: str) -> str:
    """Write how long it is until a time, as the script of the pages does.

    Example: 3 d 04:05:06 or 1:59:59
    """
    seconds = -((now - until) // timedelta(seconds=1))
    if seconds <= 0:
        return done
    days, rest = divmod(seconds, 86400)
    hours, minutes = rest // 3600, f"{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {hours:02}:{minutes}" if days else f"{hours}:{minutes}"


def points(share: float) -> str:
    """Write a fraction in percentage points.

    Example: 0.1 for 0.001
    """
    return f"{100 * share:.4g}"


def count(number: int) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,}"


def size(size_bytes: int) -> str:
    """Write a size in the largest unit that leaves a number above 1."""
    mebi = size_bytes / 2**20
    return f"{mebi:.4g} MiB" if mebi >= 1 else f"{size_bytes / 2**10:.4g} KiB"


def _percent(value: float, rules: Rules) -> str:
    return picture.percent(value, rules)
