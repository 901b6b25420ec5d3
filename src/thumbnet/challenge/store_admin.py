"""What an admin does to teams and entries: add, disable, tokens, hide, rescore."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from thumbnet.challenge import auth
from thumbnet.challenge.entities import AuditLine, Rules, Team
from thumbnet.challenge.names import clean_name, skeleton, slug_of
from thumbnet.challenge.settings import ChallengeError
from thumbnet.challenge.store_engine import Clock, Database, utc_now
from thumbnet.challenge.store_rules import RulesAdmin
from thumbnet.challenge.store_truth import (
    Truth,
    judge,
    pack_array,
    pack_bits,
    pack_words,
    unpack_array,
    unpack_words,
)
from thumbnet.challenge.tables import MICROSECOND, audit, challenge, entry, team, truth

BATCH = 200  # entries held in memory at a time
MAX_SLUG_CHARS = 60


class Administration(RulesAdmin):
    """The database with all that only an admin may do to it."""

    def add_team(
        self, name: str, is_baseline: bool = False, actor: str = "admin"
    ) -> tuple[Team, str]:
        """Add a team and return it with its token, which is shown this once.

        Raises: ChallengeError for a name that is not allowed, taken, or too like another
        """
        (added,) = self.add_teams([name], is_baseline, actor)
        return added

    def add_teams(
        self, names: Sequence[str], is_baseline: bool = False, actor: str = "admin"
    ) -> list[tuple[Team, str]]:
        """Add teams, all or none, and return each with its token.

        Raises: ChallengeError for a name that is not allowed, taken, or too like another
        """
        added = []
        try:
            with self.writing() as connection:
                for name in map(clean_name, names):
                    token = auth.new_token()
                    row = self._insert_team(connection, name, token, is_baseline)
                    added.append((team_of(row), token))
                    details = {"is_baseline": is_baseline}
                    self.note(connection, actor, "team added", name, row.id, **details)
                self.bump(connection)
        except IntegrityError:  # added by another process in this moment
            raise ChallengeError(f"one of these names is taken: {', '.join(names)}") from None
        return added

    def _insert_team(
        self, connection: Connection, name: str, token: str, is_baseline: bool
    ) -> Row[Any]:
        if taken := _alike(connection, name):
            raise ChallengeError(f"the name {name!r} is taken, or too like {taken!r}")
        values = {
            "name": name,
            "slug": _free_slug(connection, name),
            "skeleton": skeleton(name),
            "created": self.clock(),
            "is_baseline": is_baseline,
            "disabled": False,
            "token_hash": auth.hash_token(token),
            "num_entries": 0,
        }
        return connection.execute(insert(team).values(values).returning(team)).one()

    def disable_team(self, which: Team, disabled: bool = True, actor: str = "admin") -> None:
        """Take a team off the board and refuse its submissions, or take it back."""
        with self.writing() as connection:
            connection.execute(update(team).where(team.c.id == which.id).values(disabled=disabled))
            self.bump(connection)
            action = "team disabled" if disabled else "team enabled"
            self.note(connection, actor, action, which.name, which.id)

    def reset_quota(self, which: Team, actor: str = "admin") -> None:
        """Let a team submit now, whenever its last entry was; its entries stay."""
        with self.writing() as connection:
            connection.execute(update(team).where(team.c.id == which.id).values(last_entry_at=None))
            self.note(connection, actor, "quota reset", which.name, which.id)

    def rotate_token(self, which: Team, actor: str = "admin") -> str:
        """Give a team a new token and return it; the old one is void."""
        token = auth.new_token()
        with self.writing() as connection:
            connection.execute(
                update(team).where(team.c.id == which.id).values(token_hash=auth.hash_token(token))
            )
            self.note(connection, actor, "token rotated", which.name, which.id)
        return token

    def set_admin_password(self, password: str, actor: str = "admin") -> None:
        """Replace the admin's password."""
        with self.writing() as connection:
            connection.execute(update(challenge).values(admin_hash=auth.hash_password(password)))
            self.note(connection, actor, "password changed")

    def check_admin(self, password: str, address: str = "") -> str | None:
        """Return the seal for a session if this is the admin's password, and note the answer."""
        with self.reading() as connection:
            kept = connection.scalar(select(challenge.c.admin_hash))
        assert kept is not None
        fine = auth.check_password(kept, password)
        with self.writing() as connection:
            action = "login" if fine else "login refused"
            self.note(connection, "admin" if fine else "visitor", action, address=address)
        return auth.seal(kept) if fine else None

    def hide(self, entry_id: str, hidden: bool = True, actor: str = "admin") -> None:
        """Let an entry count no more, or count again; its slot stays spent.

        Raises: ChallengeError where there is no such entry
        """
        with self.writing() as connection:
            self.bump(connection, history=True)
            row = connection.execute(
                update(entry)
                .where(entry.c.id == entry_id)
                .values(hidden=hidden)
                .returning(entry.c.team_id)
            ).one_or_none()
            if row is None:
                raise ChallengeError(f"there is no entry {entry_id!r}")
            action = "entry hidden" if hidden else "entry shown"
            self.note(connection, actor, action, entry_id, row.team_id)

    def rescore(self, labels: NDArray[np.int64] | None = None, actor: str = "admin") -> int:
        """Judge every entry again, by new hidden labels where given; return how many changed."""
        changed = 0
        with self.writing() as connection:
            self.bump(connection, history=True)
            known = read_truth(connection)
            if labels is not None:
                known = Truth(known.names, known.wnids, known.class_names, labels, known.public)
                known.check()
                connection.execute(update(truth).values(labels=pack_array(labels)))
            columns = (entry.c.correct_public, entry.c.correct_private, entry.c.correct)
            again = update(entry).where(entry.c.id == bindparam("which"))
            for rows in _batches(connection, *columns):
                values = [new for row in rows if (new := _judged_again(row, known))]
                changed += len(values)
                if values:
                    connection.execute(again, values)
            self.note(connection, actor, "rescored", changed=changed, new_labels=labels is not None)
        return changed

    def audit(self, limit: int | None = 200) -> list[AuditLine]:
        """Return what was decided, the latest first."""
        asked = select(audit).order_by(audit.c.id.desc()).limit(limit)
        with self.reading() as connection:
            rows = connection.execute(asked).all()
        return [AuditLine(row.at, row.actor, row.action, row.target, row.details) for row in rows]


def create_challenge(
    url: str, rules: Rules, hidden: Truth, password: str, clock: Clock = utc_now
) -> None:
    """Write a new challenge into an empty database.

    Raises: ChallengeError where there is one already, or its parts do not fit
    """
    hidden.check()
    database = Database(url, clock, create=True)
    try:
        database.migrate()
        if database.holds_challenge():
            raise ChallengeError("the database holds a challenge already; give an empty one")
        values = {
            "id": 1,
            "name": rules.name,
            "description": rules.description,
            "opens": rules.opens,
            "closes": rules.closes,
            "quota_us": rules.quota // MICROSECOND,
            "max_entries": rules.max_entries,
            "metric": rules.metric,
            "rounding": rules.rounding,
            "ladder": rules.ladder,
            "ladder_step": rules.ladder_step,
            "public_share": rules.public_share,
            "created": clock(),
            "admin_hash": auth.hash_password(password),
            "version": 1,
            "history_version": 1,
        }
        with database.writing() as connection:
            connection.execute(insert(challenge).values(values))
            connection.execute(
                insert(truth).values(
                    id=1,
                    names=pack_words(hidden.names),
                    wnids=list(hidden.wnids),
                    class_names=list(hidden.class_names),
                    labels=pack_array(hidden.labels),
                    public=pack_array(hidden.public),
                )
            )
            database.note(connection, "admin", "challenge created", rules.name)
    finally:
        database.close()


def team_of(row: Row[Any]) -> Team:
    """Return the team of a row of its table."""
    return Team(row.id, row.name, row.slug, row.created, row.is_baseline, row.disabled)


def read_truth(connection: Connection) -> Truth:
    """Read the images and their hidden labels."""
    row = connection.execute(select(truth)).one()
    return Truth(
        names=unpack_words(row.names),
        wnids=tuple(row.wnids),
        class_names=tuple(row.class_names),
        labels=unpack_array(row.labels).astype(np.int64),
        public=unpack_array(row.public).astype(np.bool_),
    )


def _alike(connection: Connection, name: str) -> str | None:
    same = select(team.c.name).where(team.c.skeleton == skeleton(name))
    return connection.scalar(same)


def _free_slug(connection: Connection, name: str) -> str:
    slug = first = slug_of(name)[:MAX_SLUG_CHARS] or "team"
    number = 1
    while connection.scalar(select(func.count()).where(team.c.slug == slug)):
        number += 1
        slug = f"{first}-{number}"
    return slug


def _batches(connection: Connection, *columns: Any) -> Iterator[list[Row[Any]]]:
    """Read the predictions of all entries, a few at a time, so that memory stays small."""
    last = 0
    while True:
        rows = connection.execute(
            select(entry.c.id, entry.c.version, entry.c.predictions, *columns)
            .where(entry.c.version > last)
            .order_by(entry.c.version)
            .limit(BATCH)
        ).all()
        if not rows:
            return
        yield list(rows)
        last = rows[-1].version


def _judged_again(row: Row[Any], known: Truth) -> dict[str, Any] | None:
    judged = judge(unpack_array(row.predictions), known)
    correct = pack_bits(judged.correct)
    before = (row.correct_public, row.correct_private, row.correct)
    if before == (judged.public, judged.private, correct):
        return None
    return {
        "which": row.id,
        "correct_public": judged.public,
        "correct_private": judged.private,
        "correct": correct,
    }
