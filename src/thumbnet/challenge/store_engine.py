"""The connection to a challenge's database: settings that keep receipts safe, and transactions."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from thumbnet.challenge import migrations
from thumbnet.challenge.settings import ChallengeError
from thumbnet.challenge.tables import audit, challenge
from thumbnet.errors import ThumbnetError

Clock = Callable[[], datetime]
SQLITE_BUSY, POSTGRES_BUSY = 5, "55P03"  # what the databases call a lock that did not come


class BusyError(ThumbnetError):
    """The database is in use by others for longer than we wait; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("the server is busy, and nothing was changed; try again in a moment")


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, where others hold what we want to read or write."""

    read_s: float
    write_s: float


PATIENT = Patience(60.0, 60.0)  # for commands: rescoring in another process takes seconds
SERVING = Patience(0.5, 5.0)  # for the server: who waits there has a browser that gives up


def utc_now() -> datetime:
    """Read the clock of this machine."""
    return datetime.now(UTC)


class Database:
    """A challenge's database; several processes may have it open."""

    def __init__(
        self,
        url: str,
        clock: Clock = utc_now,
        *,
        create: bool = False,
        patience: Patience = PATIENT,
    ) -> None:
        self.engine = make_engine(url, patience.read_s, create=create)
        # Apart, so that writes which wait take no connection from reads.
        self.write_engine = make_engine(url, patience.write_s, create=create)
        self.clock = clock
        self.patience = patience
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writer = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self.write_engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads.

        Raises: BusyError
        """
        with _busy_told(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a transaction that sees all tables as they are at one moment."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        connected = self.engine.connect().execution_options(**options)
        with connected as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that writes; it is on disk when the block has ended.

        SQLite admits one writer: taking its lock at once, threads wait their turn here and
        processes in SQLite. Locks of rows are taken in the order team, challenge, entry.

        Raises: BusyError
        """
        with (
            _busy_told(),
            self._turn(),
            self.write_engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
        elif self._writer.acquire(timeout=self.patience.write_s):
            try:
                yield
            finally:
                self._writer.release()
        else:
            raise BusyError

    def migrate(self) -> None:
        """Bring the database to the form this version of the code reads.

        Raises: ChallengeError where it cannot be reached, or a newer version wrote it
        """
        if self.revision() == migrations.head():
            return
        with self.writing() as connection:
            migrations.upgrade(connection)

    def revision(self) -> str | None:
        """Return the form of the database, None where it is empty.

        Raises: ChallengeError where it cannot be reached
        """
        try:
            with self.reading() as connection:
                return migrations.current(connection)
        except OperationalError as error:
            shown = self.engine.url.render_as_string(hide_password=True)
            raise ChallengeError(f"cannot open the database {shown}: {error.orig}") from None

    def bump(self, connection: Connection, *, history: bool = False) -> int:
        """Count a change that may alter the board, and return the new version.

        Args: history: whether something else than a new entry changed what entries are worth
        """
        values: dict[str, Any] = {"version": challenge.c.version + 1}
        if history:
            values["history_version"] = challenge.c.version + 1
        row = connection.execute(update(challenge).values(values).returning(challenge.c.version))
        return int(row.scalar_one())

    def note(
        self,
        connection: Connection,
        actor: str,
        action: str,
        target: str = "",
        team_id: int | None = None,
        **details: object,
    ) -> None:
        """Write down who did what to whom."""
        connection.execute(
            insert(audit).values(
                at=self.clock(),
                actor=actor,
                action=action,
                target=target,
                team_id=team_id,
                details=details,
            )
        )

    def holds_challenge(self) -> bool:
        """Tell whether there is a challenge in the database."""
        if self.revision() is None:
            return False
        with self.reading() as connection:
            return bool(connection.scalar(select(func.count()).select_from(challenge)))


@contextmanager
def _busy_told() -> Iterator[None]:
    """Turn what a database says when a lock or connection does not come into a BusyError."""
    try:
        yield
    except PoolTimeoutError:
        raise BusyError from None
    except OperationalError as error:
        sqlite = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # without what is added to it
        if sqlite == SQLITE_BUSY or getattr(error.orig, "sqlstate", "") == POSTGRES_BUSY:
            raise BusyError from None
        raise


def make_engine(url: str, wait_s: float = PATIENT.write_s, *, create: bool = False) -> Engine:
    """Open a database; SQLite in WAL mode, where each commit is on disk before it returns.

    Args: wait_s: how long to wait for a lock
    Raises: ChallengeError for an address that is none, or a file that is missing
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            engine = create_engine(parsed, pool_pre_ping=True)
            if engine.dialect.name != "postgresql":
                raise NoSuchModuleError
            event.listen(engine, "connect", partial(_set_up_postgres, wait_s))
            return engine
    except (ArgumentError, NoSuchModuleError, ImportError):
        raise ChallengeError(
            f"{url!r} is no database this server knows; give sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME (which needs thumbnet[postgres])"
        ) from None
    if not parsed.database or not (create or Path(parsed.database).is_file()):
        raise ChallengeError(f"there is no database {parsed.database or 'in memory'}")
    engine = create_engine(parsed, connect_args={"timeout": wait_s, "check_same_thread": False})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_postgres(wait_s: float, driver_connection: Any, _record: object) -> None:
    driver_connection.execute(f"SET lock_timeout = '{int(wait_s * 1000)}ms'")
    driver_connection.commit()


def _set_up_sqlite(driver_connection: Any, _record: object) -> None:
    driver_connection.isolation_level = None  # transactions begin where we say
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        driver_connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
