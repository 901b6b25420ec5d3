"""How a submission is decided: one transaction takes it, scored and on disk, or none of it."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, or_, select, update

from thumbnet.challenge.entities import Receipt, Refusal, Rules, State, Team
from thumbnet.challenge.limits import countdown, next_slot
from thumbnet.challenge.names import clean_note
from thumbnet.challenge.parse import MalformedError, parse_submission
from thumbnet.challenge.store_access import Access
from thumbnet.challenge.store_admin import read_truth
from thumbnet.challenge.store_engine import PATIENT, Clock, Patience, utc_now
from thumbnet.challenge.store_history import Snapshot
from thumbnet.challenge.store_read import entries_left, read_entries
from thumbnet.challenge.store_truth import Truth, judge, pack_array, pack_bits
from thumbnet.challenge.tables import audit, challenge, entry, team

__all__ = ["Clock", "Store", "utc_now"]

HOUR = timedelta(hours=1)
REFUSALS_KEPT_PER_HOUR = 200  # lines of the audit log that one team can cause
MALFORMED = "file malformed"
REFUSED = "entry refused"


@dataclass(frozen=True, eq=False)
class _Upload:
    """A submission that could be read, with all that is computed before the database is locked."""

    team: Team
    answers: NDArray[np.int32]
    known: Truth
    content: bytes
    note: str
    address: str
    packed: bytes = field(init=False)
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "packed", pack_array(self.answers))
        object.__setattr__(self, "sha256", hashlib.sha256(self.content).hexdigest())


class _EndedError(Exception):
    """The challenge ended while a submission waited for its turn."""


class Store(Access):
    """Everything routes and commands ask of a challenge.

    Args: malformed_per_hour: how many unreadable files of a team are explained in an hour;
        max_note_chars: where notes are cut; patience: how long to wait for others
    """

    def __init__(
        self,
        url: str,
        clock: Clock = utc_now,
        *,
        malformed_per_hour: int = 30,
        max_note_chars: int = 500,
        patience: Patience = PATIENT,
    ) -> None:
        super().__init__(url, clock, patience=patience)
        self._malformed_per_hour, self._max_note_chars = malformed_per_hour, max_note_chars

    def submit(
        self, which: Team, content: bytes, note: str = "", address: str = ""
    ) -> Receipt | Refusal:
        """Take a submission or refuse it; an accepted one is scored and on disk on return.

        What is refused costs no slot. What is said of a malformed file depends on nothing hidden.
        """
        snapshot = self.current()
        if refusal := self._refusal(which):
            return self._refused(which, refusal, content, address)
        try:
            answers = _parsed(content, snapshot)
        except MalformedError as error:
            return self._malformed(which, error.errors, content, address)
        note = clean_note(note, self._max_note_chars)
        entry_id = self._insert(
            _Upload(which, answers, snapshot.truth, content, note, address), snapshot
        )
        if entry_id:
            return self._receipt(which, entry_id)
        if refusal := self._refusal(which):
            return self._refused(which, refusal, content, address)
        return self.submit(which, content, note, address)  # what was in the way is gone

    def check(self, content: bytes) -> None:
        """Read a file as a submission would be, and forget it.

        Raises: MalformedError with all its errors
        """
        _parsed(content, self.current())

    def _insert(self, upload: _Upload, snapshot: Snapshot) -> str | None:
        """Insert an entry where rules and times allow it, and return its id.

        One conditional update of the team's row decides: of parallel submissions one finds the
        slot free; the others wait for its commit, and find it taken.
        """
        try:
            with self.writing() as connection:
                now = self.clock()
                number = connection.scalar(
                    update(team)
                    .where(team.c.id == upload.team.id, _has_slot(snapshot, now))
                    .where(select(challenge.c.id).where(_is_open(now)).exists())
                    .values(last_entry_at=now, num_entries=team.c.num_entries + 1)
                    .returning(team.c.num_entries)
                )
                if number is None:
                    return None
                return self._insert_at(connection, upload, snapshot, now, number)
        except _EndedError:
            return None

    def _insert_at(
        self,
        connection: Connection,
        upload: _Upload,
        snapshot: Snapshot,
        now: datetime,
        number: int,
    ) -> str:
        version = self.bump(connection)  # its lock gives commits one order
        row = connection.execute(select(challenge).where(_is_open(now))).one_or_none()
        if row is None:
            raise _EndedError
        known = upload.known
        if row.history_version != snapshot.history_version:  # the labels may be others by now
            known = read_truth(connection)
        judged, entry_id = judge(upload.answers, known), secrets.token_hex(8)
        connection.execute(
            insert(entry).values(
                id=entry_id,
                team_id=upload.team.id,
                number=number,
                version=version,
                received=now,
                sha256=upload.sha256,
                size_bytes=len(upload.content),
                note=upload.note,
                hidden=False,
                correct_public=judged.public,
                correct_private=judged.private,
                correct=pack_bits(judged.correct),
                predictions=upload.packed,
            )
        )
        self.note(
            connection,
            upload.team.name,
            "entry accepted",
            entry_id,
            upload.team.id,
            sha256=upload.sha256,
            address=upload.address,
        )
        return entry_id

    def _receipt(self, which: Team, entry_id: str) -> Receipt:
        snapshot = self.current()
        with self.reading() as connection:
            entries = read_entries(connection, which.id, snapshot, for_admin=False)
        own = next(one for one in entries if one.id == entry_id)
        left = entries_left(snapshot, own.number)
        slot = own.received + snapshot.rules.quota
        return Receipt(
            entry=own,
            team_name=which.name,
            next_slot=slot if left != 0 and slot < snapshot.rules.closes else None,
            entries_left=left,
        )

    def _refusal(self, which: Team) -> Refusal | None:
        """Say what stands against an entry of a team now."""
        now, snapshot = self.clock(), self.current()
        with self.reading() as connection:
            row = connection.execute(select(team).where(team.c.id == which.id)).one()
        return _refusal_of(row, snapshot, now)

    def _refused(self, which: Team, refusal: Refusal, content: bytes, address: str) -> Refusal:
        sha256 = hashlib.sha256(content).hexdigest()
        with self.writing() as connection:
            if self._num_noted(connection, which, (REFUSED, MALFORMED)) < REFUSALS_KEPT_PER_HOUR:
                self.note(
                    connection,
                    which.name,
                    REFUSED,
                    refusal.reason,
                    which.id,
                    sha256=sha256,
                    address=address,
                )
        return refusal

    def _malformed(
        self, which: Team, errors: tuple[str, ...], content: bytes, address: str
    ) -> Refusal:
        """Explain what is wrong with a file, unless the team had enough of that in this hour."""
        with self.writing() as connection:
            connection.execute(select(team.c.id).where(team.c.id == which.id).with_for_update())
            recent = self._noted(which, (MALFORMED,)).order_by(audit.c.at.desc())
            times = connection.scalars(recent.limit(self._malformed_per_hour)).all()
            if len(times) == self._malformed_per_hour:
                return Refusal(
                    "malformed",
                    f"The file has errors, as had {len(times)} others within an hour, so they are "
                    "not listed. Check files with `thumbnet submit --check`: these checks do not "
                    "count here.",
                    retry_at=times[-1] + HOUR,
                )
            self.note(
                connection,
                which.name,
                MALFORMED,
                f"{len(errors)} errors",
                which.id,
                sha256=hashlib.sha256(content).hexdigest(),
                address=address,
            )
        return Refusal(
            "malformed",
            "The file has errors; no slot was used.",
            errors=errors,
        )

    def _noted(self, which: Team, actions: tuple[str, ...]) -> Select[datetime]:
        since = self.clock() - HOUR
        return select(audit.c.at).where(
            audit.c.team_id == which.id, audit.c.at > since, audit.c.action.in_(actions)
        )

    def _num_noted(self, connection: Connection, which: Team, actions: tuple[str, ...]) -> int:
        noted = self._noted(which, actions).subquery()
        return connection.execute(select(func.count()).select_from(noted)).scalar_one()


def _parsed(content: bytes, snapshot: Snapshot) -> NDArray[np.int32]:
    known, num_labels = snapshot.truth, 5 if snapshot.rules.metric == "top5" else 1
    return parse_submission(content, known.names, known.wnids, known.class_names, num_labels)


def _has_slot(snapshot: Snapshot, now: datetime) -> ColumnElement[bool]:
    """Say in SQL that a team may submit; a clock set back makes the last entry look recent."""
    rules = snapshot.rules
    wanted: ColumnElement[bool] = team.c.disabled.is_(False)
    if rules.quota:  # of parallel uploads one may have the later time, and without a quota may
        last = team.c.last_entry_at
        wanted &= or_(last.is_(None), last <= now - rules.quota)
    if rules.max_entries is not None:
        wanted &= team.c.num_entries < rules.max_entries
    return wanted


def _is_open(now: datetime) -> ColumnElement[bool]:
    """Say in SQL that the challenge takes entries."""
    running = (challenge.c.opens <= now) & (challenge.c.closes > now)
    frozen = challenge.c.frozen_at.is_not(None) & (challenge.c.frozen_at <= now)
    return running & ~frozen & challenge.c.revealed_at.is_(None)


def _refusal_of(row: Row[Any], snapshot: Snapshot, now: datetime) -> Refusal | None:
    rules, state = snapshot.rules, snapshot.state(now)
    if row.disabled:
        return Refusal("disabled", "The organizers have disabled this team.")
    if state != "open":
        return _refusal_in(state, rules)
    if rules.max_entries is not None and row.num_entries >= rules.max_entries:
        return Refusal("max_entries", f"Your team has used all of its {rules.max_entries} entries.")
    slot = next_slot(row.last_entry_at, rules.quota, now)
    if slot is None:
        return None
    if slot >= rules.closes:
        return Refusal("quota", "The challenge closes before your team's next slot.")
    comes = f"Your team may submit again {countdown(slot, now)}, at {_written(slot)}."
    return Refusal("quota", comes, retry_at=slot)


def _refusal_in(state: State, rules: Rules) -> Refusal:
    if state == "planned":
        opens = f"The challenge opens at {_written(rules.opens)}."
        return Refusal("planned", opens, retry_at=rules.opens)
    if state == "frozen":
        return Refusal(
            "frozen",
            "The challenge is frozen. No entry is taken until the organizers end the freeze.",
        )
    return Refusal("closed", "The challenge is closed and takes no more entries.")


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
