"""What is read of a challenge: state, board, teams, entries, health."""

import threading
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from thumbnet.challenge import auth
from thumbnet.challenge.entities import Board, Challenge, Entry, Team, TeamPage
from thumbnet.challenge.ladder import shown_scores
from thumbnet.challenge.limits import next_slot
from thumbnet.challenge.statistics import score_of
from thumbnet.challenge.store_admin import Administration, team_of
from thumbnet.challenge.store_board import Correct, View, board_rows
from thumbnet.challenge.store_engine import PATIENT, Clock, Patience, utc_now
from thumbnet.challenge.store_history import Snapshot, load_snapshot
from thumbnet.challenge.store_truth import unpack_bits
from thumbnet.challenge.tables import challenge, entry, team

MAX_CACHED_CORRECT = 2_000  # entries; 10 kB each for 10,000 images


class Reading(Administration):
    """The database with all that can be asked of it; what the board needs is kept in memory."""

    def __init__(self, url: str, clock: Clock = utc_now, *, patience: Patience = PATIENT) -> None:
        super().__init__(url, clock, patience=patience)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._boards: dict[tuple[object, ...], Board] = {}
        self._correct: dict[str, Correct] = {}

    def version(self) -> int:
        """Return a number that grows with every change that may alter the board."""
        with self.reading() as connection:
            return int(connection.execute(select(challenge.c.version)).scalar_one())

    def challenge(self) -> Challenge:
        """Return the challenge as it is now."""
        return self.current().challenge(self.clock())

    def board(self, for_admin: bool = False) -> Board:
        """Return the scoreboard as everybody may see it, or as only an admin may."""
        now, snapshot = self.clock(), self.current()
        state, frozen = snapshot.state(now), snapshot.is_frozen(now)
        key = (snapshot.version, state, frozen, for_admin)
        with self._lock:
            if key not in self._boards:
                made = self._make_board(snapshot, now, for_admin=for_admin)
                fresh = {k: v for k, v in self._boards.items() if k[0] == snapshot.version}
                self._boards = {**fresh, key: made}
            return self._boards[key]

    def team_of_token(self, token: str) -> Team | None:
        """Return the team that a token belongs to."""
        return self.team_of_token_hash(auth.hash_token(token))

    def team_of_token_hash(self, hashed: str) -> Team | None:
        """Return the team whose token has this hash; a new token has another."""
        with self.reading() as connection:
            row = connection.execute(select(team).where(team.c.token_hash == hashed)).one_or_none()
        known = row is not None and auth.same_hash(row.token_hash, hashed)
        return team_of(row) if row is not None and known else None

    def team_by_slug(self, slug: str) -> Team | None:
        """Return the team with this address."""
        with self.reading() as connection:
            row = connection.execute(select(team).where(team.c.slug == slug)).one_or_none()
        return None if row is None else team_of(row)

    def teams(self) -> list[Team]:
        """Return all teams, the oldest first."""
        with self.reading() as connection:
            return [team_of(row) for row in connection.execute(select(team).order_by(team.c.id))]

    def team_page(self, which: Team, for_admin: bool = False) -> TeamPage:
        """Return what a team sees of itself: all its entries, the latest first, and its slot."""
        snapshot, board = self.current(), self.board(for_admin)
        with self.reading() as connection:
            row = connection.execute(select(team).where(team.c.id == which.id)).one()
            entries = read_entries(connection, which.id, snapshot, for_admin=for_admin)
        ranks = {line.team.id: line.rank for line in board.rows}
        return TeamPage(
            team=team_of(row),
            entries=tuple(reversed(entries)),
            rank=ranks.get(which.id),
            next_slot=next_slot(row.last_entry_at, snapshot.rules.quota, self.clock()),
            entries_left=entries_left(snapshot, row.num_entries),
        )

    def entry(self, entry_id: str, for_admin: bool = False) -> Entry | None:
        """Return one entry; whose it is, the caller must check."""
        snapshot = self.current()
        with self.reading() as connection:
            team_id = connection.scalar(select(entry.c.team_id).where(entry.c.id == entry_id))
            if team_id is None:
                return None
            found = read_entries(connection, team_id, snapshot, for_admin=for_admin)
        return next(one for one in found if one.id == entry_id)

    def health(self) -> dict[str, object]:
        """Ask the database how it is."""
        with self.reading() as connection:
            return {
                "ok": True,
                "database": self.engine.dialect.name,
                "version": connection.execute(select(challenge.c.version)).scalar_one(),
                "teams": connection.scalar(select(func.count()).select_from(team)),
                "entries": connection.scalar(select(func.count()).select_from(entry)),
            }

    def current(self) -> Snapshot:
        """Return what the database holds now, reading only what is new."""
        version = self.version()
        with self._lock:
            if self._snapshot is None or self._snapshot.version != version:
                with self.reading() as connection:
                    fresh = load_snapshot(connection, self._snapshot)
                if self._snapshot and fresh.history_version != self._snapshot.history_version:
                    self._correct = {}
                self._snapshot = fresh
            return self._snapshot

    def _make_board(self, snapshot: Snapshot, now: datetime, *, for_admin: bool) -> Board:
        revealed = snapshot.revealed_at is not None
        frozen_at = snapshot.frozen_at if snapshot.is_frozen(now) else None
        view = View(
            num_public=snapshot.truth.num_public,
            num_private=snapshot.truth.num_private,
            by_private=revealed and snapshot.truth.num_private > 0,
            show_private=revealed or for_admin,
            until=None if for_admin else frozen_at,
        )
        public = snapshot.truth.public
        rows = board_rows(snapshot.teams, snapshot.histories, public, view, self._load_correct)
        return Board(
            version=snapshot.version,
            at=now,
            state=snapshot.state(now),
            rows=rows,
            num_entries=sum(row.num_entries for row in rows),
            frozen_at=frozen_at,
        )

    def _load_correct(self, entry_ids: Sequence[str]) -> dict[str, Correct]:
        """Return which images entries got right; those asked for before come from memory."""
        missing = [one for one in entry_ids if one not in self._correct]
        if len(self._correct) + len(missing) > MAX_CACHED_CORRECT:
            self._correct, missing = {}, list(entry_ids)
        asked = select(entry.c.id, entry.c.correct).where(entry.c.id.in_(missing))
        assert self._snapshot is not None
        count = len(self._snapshot.truth.names)
        with self.reading() as connection:
            for entry_id, packed in connection.execute(asked) if missing else ():
                self._correct[entry_id] = unpack_bits(packed, count)
        return self._correct


def entries_left(snapshot: Snapshot, num_entries: int) -> int | None:
    """Return how many entries a team with so many has left, None without a cap."""
    cap = snapshot.rules.max_entries
    return None if cap is None else max(0, cap - num_entries)


def read_entries(
    connection: Connection, team_id: int, snapshot: Snapshot, *, for_admin: bool
) -> list[Entry]:
    """Read all entries of a team, the oldest first.

    Hidden ones are shown to the team with what the board would make of them, and change nothing
    of the others.
    """
    columns = [column for column in entry.c if column.name not in ("correct", "predictions")]
    asked = select(*columns).where(entry.c.team_id == team_id).order_by(entry.c.version)
    rows = connection.execute(asked).all()
    num_public, num_private = snapshot.truth.num_public, snapshot.truth.num_private
    counts = [row.correct_public for row in rows]
    of_all = shown_scores(counts, num_public, snapshot.rules)
    counting = [row.correct_public for row in rows if not row.hidden]
    of_counting = iter(shown_scores(counting, num_public, snapshot.rules))
    with_private = num_private and (for_admin or snapshot.revealed_at is not None)
    return [
        Entry(
            id=row.id,
            team_id=row.team_id,
            number=row.number,
            received=row.received,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            note=row.note,
            shown=of_all[place] if row.hidden else next(of_counting),
            private=score_of(row.correct_private, num_private) if with_private else None,
            hidden=row.hidden,
        )
        for place, row in enumerate(rows)
    ]
