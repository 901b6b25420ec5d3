"""What a process remembers of the database between two versions of the board."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, select

from thumbnet.challenge.entities import Challenge, Rules, State, Team
from thumbnet.challenge.store_admin import read_truth, team_of
from thumbnet.challenge.store_board import Scored, TeamHistory
from thumbnet.challenge.store_truth import Truth
from thumbnet.challenge.tables import MICROSECOND, challenge, entry, team


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that the board depends on, at one version; never changed once made."""

    version: int
    history_version: int
    rules: Rules
    created: datetime
    frozen_at: datetime | None
    revealed_at: datetime | None
    truth: Truth
    teams: tuple[Team, ...]
    histories: Mapping[int, TeamHistory]

    def state(self, now: datetime) -> State:
        """Return the state at a time."""
        if self.revealed_at is not None:
            return "revealed"
        if now >= self.rules.closes:
            return "closed"
        if now < self.rules.opens:
            return "planned"
        return "frozen" if self.is_frozen(now) else "open"

    def is_frozen(self, now: datetime) -> bool:
        """Tell whether the board stands still, be the challenge open or closed."""
        return self.revealed_at is None and self.frozen_at is not None and self.frozen_at <= now

    def challenge(self, now: datetime) -> Challenge:
        """Return the challenge as it is at a time."""
        return Challenge(
            rules=self.rules,
            state=self.state(now),
            created=self.created,
            num_images=len(self.truth.names),
            num_public=self.truth.num_public,
            wnids=self.truth.wnids,
            class_names=self.truth.class_names,
            frozen_at=self.frozen_at,
            revealed_at=self.revealed_at,
        )


def load_snapshot(connection: Connection, known: Snapshot | None) -> Snapshot:
    """Read what is new since `known`; all of it where more than new entries changed it."""
    row = connection.execute(select(challenge)).one()
    if known and not known.history_version <= row.history_version <= known.version <= row.version:
        known = None
    truth = known.truth if known else read_truth(connection)
    rules = rules_of(row)
    histories = dict(known.histories) if known else {}
    read = _read_scored(connection, known.version if known else 0, row.version)
    for team_id, scored in groupby(read, key=lambda one: one.team_id):
        before = histories.get(team_id) or TeamHistory()
        histories[team_id] = before.extended(scored, truth.num_public, rules)
    return Snapshot(
        version=row.version,
        history_version=row.history_version,
        rules=rules,
        created=row.created,
        frozen_at=row.frozen_at,
        revealed_at=row.revealed_at,
        truth=truth,
        teams=tuple(team_of(one) for one in connection.execute(select(team).order_by(team.c.id))),
        histories=histories,
    )


def rules_of(row: Row[Any]) -> Rules:
    """Return the rules in a row of the table challenge."""
    return Rules(
        name=row.name,
        opens=row.opens,
        closes=row.closes,
        quota=row.quota_us * MICROSECOND,
        max_entries=row.max_entries,
        metric=row.metric,
        rounding=row.rounding,
        ladder=row.ladder,
        ladder_step=row.ladder_step,
        public_share=row.public_share,
        description=row.description,
    )


def _read_scored(connection: Connection, after: int, until: int) -> list[Scored]:
    columns = [entry.c[name] for name in Scored.__dataclass_fields__]
    asked = (
        select(*columns)
        .where(entry.c.version > after, entry.c.version <= until, entry.c.hidden.is_(False))
        .order_by(entry.c.team_id, entry.c.version)
    )
    return [Scored(*row) for row in connection.execute(asked)]
