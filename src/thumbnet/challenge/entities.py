"""What a challenge is made of, as plain data: the store returns it, routes and pages show it.

Times are aware and in UTC; scores are fractions of 1.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Metric = Literal["top1", "top5"]
State = Literal["planned", "open", "frozen", "closed", "revealed"]


@dataclass(frozen=True)
class Rules:
    """What a challenge allows and shows.

    `quota`: time from a team's entry to its next. `max_entries`: of a team in all, None for no
    limit. `rounding`: the step that shown scores are rounded to. With `ladder` a shown score
    changes only where the new one is better by `ladder_step` at least. Why these are the defaults:
    docs/decisions/0009.
    """

    name: str
    opens: datetime
    closes: datetime
    quota: timedelta = timedelta(hours=2)
    max_entries: int | None = 50
    metric: Metric = "top1"
    rounding: float = 0.001
    ladder: bool = True
    ladder_step: float = 0.005
    public_share: float = 0.3
    description: str = ""


@dataclass(frozen=True)
class Challenge:
    """The challenge of a database; there is one in each."""

    rules: Rules
    state: State
    created: datetime
    num_images: int
    num_public: int
    wnids: tuple[str, ...]
    class_names: tuple[str, ...]
    frozen_at: datetime | None = None
    revealed_at: datetime | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.wnids)

    @property
    def freezes(self) -> datetime | None:
        """When a freeze that was set for later begins; None where none is to come."""
        if self.state not in ("planned", "open") or self.frozen_at is None:
            return None
        return self.frozen_at if self.frozen_at < self.rules.closes else None


@dataclass(frozen=True)
class Team:
    """A team; `slug` is its address in pages. A baseline is shown on the board without a rank."""

    id: int
    name: str
    slug: str
    created: datetime
    is_baseline: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class Score:
    """A share of right answers on so many images, and half the width of its 95 % interval."""

    value: float
    half_width: float
    num_images: int


@dataclass(frozen=True)
class Entry:
    """A scored submission. `shown` is what the board makes of it (rounding, Ladder).

    `private` is None wherever the viewer may not see it: before the reveal nobody but an admin.
    """

    id: str
    team_id: int
    number: int
    received: datetime
    sha256: str
    size_bytes: int
    note: str
    shown: Score
    private: Score | None = None
    hidden: bool = False


@dataclass(frozen=True)
class Receipt:
    """What a team gets for an accepted submission."""

    entry: Entry
    team_name: str
    next_slot: datetime | None
    entries_left: int | None


@dataclass(frozen=True)
class Refusal:
    """Why a submission was not taken; it costs no slot. `retry_at` is None where none will be."""

    reason: Literal["quota", "max_entries", "planned", "frozen", "closed", "disabled", "malformed"]
    message: str
    retry_at: datetime | None = None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class BoardRow:
    """A team's line. Teams of one `band` cannot be told apart by noise; baselines have no rank.

    `change`: places gained (above 0) or lost since the board before the latest entry, among the
    teams that were on it.
    """

    rank: int | None
    band: int
    team: Team
    best: Score
    private: Score | None
    num_entries: int
    last: datetime
    change: int = 0
    is_new: bool = False


@dataclass(frozen=True)
class Board:
    """The scoreboard at one moment; `version` grows with everything that may change it."""

    version: int
    at: datetime
    state: State
    rows: tuple[BoardRow, ...]
    num_entries: int
    frozen_at: datetime | None = None


@dataclass(frozen=True)
class TeamPage:
    """What a team sees of itself; `next_slot` in the past or None is: now."""

    team: Team
    entries: tuple[Entry, ...]
    rank: int | None
    next_slot: datetime | None
    entries_left: int | None


@dataclass(frozen=True)
class RulesChange:
    """When dates or rules changed; `details` has what, and how in words or as an ISO time."""

    at: datetime
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AuditLine:
    """Who did what to whom, and when."""

    at: datetime
    actor: str
    action: str
    target: str
    details: dict[str, object] = field(default_factory=dict)
