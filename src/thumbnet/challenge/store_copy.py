"""Copy a challenge from one database to another, of the same kind or not."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from thumbnet.challenge.settings import ChallengeError
from thumbnet.challenge.store_engine import Database
from thumbnet.challenge.tables import COPY_ORDER, entry, team

BATCH = 500  # rows in memory; entries have some 10 kB each


def copy_challenge(source: Database, target: Database) -> None:
    """Copy all rows, as they are at one moment, into an empty database.

    Raises: ChallengeError where the target holds a challenge, or the source none
    """
    if not source.holds_challenge():
        raise ChallengeError("there is no challenge to copy")
    source.migrate()
    target.migrate()
    if target.holds_challenge():
        raise ChallengeError(
            "the database to write to holds a challenge already; give an empty one"
        )
    with source.snapshot() as reader, target.writing() as writer:
        for table in COPY_ORDER:
            for rows in _batches(reader, table):
                writer.execute(insert(table), rows)
        if not target.is_sqlite:
            _set_sequences(writer)


def problems(database: Database) -> list[str]:
    """Check the database as a whole and return what is wrong; an empty list is a clean bill."""
    found = []
    with database.snapshot() as connection:
        if database.is_sqlite:
            for pragma in ("integrity_check", "foreign_key_check"):
                answers = connection.exec_driver_sql(f"PRAGMA {pragma}").all()
                found += [f"{pragma}: {row}" for row in answers if tuple(row) != ("ok",)]
        counted = select(entry.c.team_id, func.count()).group_by(entry.c.team_id)
        kept: dict[int, int] = {row[0]: row[1] for row in connection.execute(counted)}
        for row in connection.execute(select(team.c.id, team.c.name, team.c.num_entries)):
            if (count := kept.get(row.id, 0)) != row.num_entries:
                found.append(f"team {row.name!r} has {count} entries, not {row.num_entries}")
    return found


def _batches(reader: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    options = {"yield_per": BATCH}
    result = reader.execution_options(**options).execute(select(table))
    for rows in result.mappings().partitions(BATCH):
        yield [dict(row) for row in rows]


def _set_sequences(writer: Connection) -> None:
    """Let PostgreSQL count on from the numbers that were copied."""
    for name in ("team", "audit"):
        writer.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), "
                f"coalesce(max(id), 0) + 1, false) FROM {name}"
            )
        )
