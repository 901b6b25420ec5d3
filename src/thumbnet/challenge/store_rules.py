"""What an admin does to the challenge itself: dates, freeze, reveal, rules."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from thumbnet.challenge.entities import Rules, RulesChange
from thumbnet.challenge.limits import duration
from thumbnet.challenge.settings import ChallengeError
from thumbnet.challenge.store_engine import Database
from thumbnet.challenge.tables import MICROSECOND, audit, challenge

RULES_CHANGED, DATES_MOVED = "rules changed", "dates moved"
WORDS: dict[str, Callable[[Any], str]] = {
    "name": str,
    "description": str,
    "quota": lambda quota: duration(quota) if quota else "none",
    "max_entries": lambda cap: "no limit" if cap is None else str(cap),
}
"""The rules that may change once a challenge is created, and how the audit writes them."""


class RulesAdmin(Database):
    """The database with all that an admin may do to the challenge itself."""

    def freeze(self, at: datetime | None, actor: str = "admin") -> None:
        """Keep the board as it is at a moment, and take no entry from then on; None: go on.

        Raises: ChallengeError where the challenge is revealed
        """
        with self.writing() as connection:
            frozen = connection.execute(
                update(challenge).where(challenge.c.revealed_at.is_(None)).values(frozen_at=at)
            )
            if not frozen.rowcount:
                raise ChallengeError("the challenge is revealed; it cannot be frozen any more")
            self.bump(connection)
            if at is None:
                self.note(connection, actor, "unfrozen")
            else:
                self.note(connection, actor, "frozen", at=at.isoformat())

    def move(self, opens: datetime, closes: datetime, actor: str = "admin") -> None:
        """Let the challenge open and close at other times than it was created with.

        Raises: ChallengeError where it closes before it opens, or is revealed
        """
        if closes <= opens:
            raise ChallengeError(f"it closes ({closes}) before it opens ({opens})")
        with self.writing() as connection:
            before = connection.execute(select(challenge.c.opens, challenge.c.closes)).one()
            moved = connection.execute(
                update(challenge)
                .where(challenge.c.revealed_at.is_(None))
                .values(opens=opens, closes=closes)
            )
            if not moved.rowcount:
                raise ChallengeError("the challenge is revealed; its dates cannot be moved")
            self.bump(connection)
            dates = {"opens": (before.opens, opens), "closes": (before.closes, closes)}
            details: dict[str, Any] = {
                key: new.isoformat() for key, (old, new) in dates.items() if new != old
            }
            self.note(connection, actor, DATES_MOVED, **details)

    def edit(self, before: Rules, after: Rules, actor: str = "admin") -> bool:
        """Change name, description, quota and cap, and return whether anything changed.

        Args: before: the rules as they are now, for the audit
        """
        changed = {
            key: (words(getattr(before, key)), words(getattr(after, key)))
            for key, words in WORDS.items()
            if getattr(before, key) != getattr(after, key)
        }
        if not changed:
            return False
        values = {
            "name": after.name,
            "description": after.description,
            "quota_us": after.quota // MICROSECOND,
            "max_entries": after.max_entries,
        }
        with self.writing() as connection:
            connection.execute(update(challenge).values(values))
            self.bump(connection)
            details: dict[str, Any] = {key: f"{old} → {new}" for key, (old, new) in changed.items()}
            self.note(connection, actor, RULES_CHANGED, **details)
        return True

    def rule_changes(self) -> list[RulesChange]:
        """Return the changes of dates and rules since the challenge was created, oldest first."""
        asked = (
            select(audit.c.at, audit.c.details)
            .where(audit.c.team_id.is_(None), audit.c.action.in_((RULES_CHANGED, DATES_MOVED)))
            .order_by(audit.c.at, audit.c.id)
        )
        with self.reading() as connection:
            rows = connection.execute(asked).all()
        return [RulesChange(row.at, tuple(row.details.items())) for row in rows]

    def reveal(self, actor: str = "admin") -> None:
        """Show the private scores and rank by them; this ends the challenge for good."""
        with self.writing() as connection:
            connection.execute(
                update(challenge)
                .where(challenge.c.revealed_at.is_(None))
                .values(revealed_at=self.clock())
            )
            self.bump(connection)
            self.note(connection, actor, "revealed")
