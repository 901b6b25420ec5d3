"""Bring a database to the form that this version of the code reads; run from code by Alembic."""

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

HEAD = "head"
LOCK = 7_246_861  # any number, the same in all processes that may migrate one database


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent))


def head() -> str:
    """Return the revision that this version of the code reads."""
    found = _script().get_current_head()
    assert found is not None
    return found


def current(connection: Connection) -> str | None:
    """Return the revision a database is at, None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection, revision: str = HEAD) -> None:
    """Migrate a database upward inside the transaction that `connection` is in."""
    _run(connection, revision, up=True)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Migrate a database downward inside the transaction that `connection` is in."""
    _run(connection, revision, up=False)


def _run(connection: Connection, revision: str, *, up: bool) -> None:
    script = _script()

    def steps(from_revision: Any, _: MigrationContext) -> Any:
        move = script._upgrade_revs if up else script._downgrade_revs
        return move(revision, from_revision)

    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    with EnvironmentContext(Config(), script, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection, render_as_batch=True)
        environment.run_migrations()
