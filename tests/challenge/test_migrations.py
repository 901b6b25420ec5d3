"""The database's form: tables as the code reads them, and the way up, down and up again."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from tests.challenge.figures import figure
from tests.challenge.world import World, make_truth

from thumbnet.challenge import migrations
from thumbnet.challenge.backup import backup, restore
from thumbnet.challenge.settings import BUNDLE_NAME, SETTINGS_NAME, load_settings, settings_text
from thumbnet.challenge.store import Store
from thumbnet.challenge.store_copy import copy_challenge, problems
from thumbnet.challenge.store_engine import Database
from thumbnet.challenge.store_truth import judge, pack_array, pack_bits
from thumbnet.challenge.tables import entry, metadata, team


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    database = Database(database_url, create=True)
    yield database
    database.close()


def test_migrations_make_the_tables_that_the_code_reads(empty: Database) -> None:
    assert empty.revision() is None
    empty.migrate()
    assert empty.revision() == migrations.head()
    with empty.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_down_and_up_again(empty: Database) -> None:
    empty.migrate()
    with empty.writing() as connection:
        migrations.downgrade(connection)
    assert set(inspect(empty.engine).get_table_names()) <= {"alembic_version"}
    empty.migrate()
    assert set(inspect(empty.engine).get_table_names()) >= set(metadata.tables)


def test_down_to_the_first_form_and_up_keeps_everything(world: World) -> None:
    alpha = world.team("Alpha")
    world.submit(alpha, 12, 3, note="mine")
    before, page = world.store.board(for_admin=True), world.store.team_page(alpha)
    with world.store.writing() as connection:
        migrations.downgrade(connection, "0001")
    assert world.store.revision() == "0001"
    world.store.migrate()
    assert world.open().board(for_admin=True) == before
    assert world.open().team_page(alpha) == page


def test_processes_that_migrate_at_once_do_it_once(database_url: str) -> None:
    databases = [Database(database_url, create=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Database.migrate, databases))
    assert {database.revision() for database in databases} == {migrations.head()}
    for database in databases:
        database.close()


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = migrations.upgrade

    def broken(connection: object) -> None:
        upgrade(connection)  # type: ignore[arg-type]
        raise RuntimeError("no power")

    monkeypatch.setattr(migrations, "upgrade", broken)
    with pytest.raises(RuntimeError, match="no power"):
        empty.migrate()
    assert inspect(empty.engine).get_table_names() == []


def test_migrating_twice_is_migrating_once(world: World) -> None:
    world.submit(world.team("Alpha"), 3)
    before = world.store.board()
    world.store.migrate()
    assert world.open().board() == before


def test_sqlite_is_set_to_keep_what_it_acknowledged(small: World) -> None:
    with small.store.reading() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 60_000]


def test_a_copy_has_the_same_board_and_goes_on(world: World, tmp_path: Path) -> None:
    alpha, beta = world.team("Alpha"), world.team("Beta")
    world.submit(alpha, 12, 3, note="mine ✓")
    world.submit(beta, 9, 8)
    copied = Database(f"sqlite:///{tmp_path / 'copy.db'}", world.clock, create=True)
    copy_challenge(world.store, copied)
    assert problems(copied) == []
    copied.close()
    again = World.__new__(World)
    again.__dict__.update(world.__dict__, url=f"sqlite:///{tmp_path / 'copy.db'}", _opened=[])
    again.store = again.open()
    assert again.store.board(for_admin=True) == world.store.board(for_admin=True)
    assert again.store.team_page(alpha) == world.store.team_page(alpha)
    assert again.store.audit() == world.store.audit()
    world.clock.step(hours=2)
    again.submit(again.team("Gamma"), 3)
    again.submit(alpha, 13)
    assert again.ranks() == {"Alpha": 1, "Beta": 2, "Gamma": 3}
    again.close()


def test_a_missing_entry_is_found(world: World) -> None:
    world.submit(world.team("Alpha"), 3)
    assert problems(world.store) == []
    with world.store.writing() as connection:
        connection.execute(entry.delete())
    assert problems(world.store) == ["team 'Alpha' has 0 entries, not 1"]


@pytest.fixture
def large(database_url: str) -> Iterator[World]:
    made = hundred_thousand(database_url)
    yield made
    made.close()


def fill(world: World, num_teams: int, each: int) -> None:
    """Insert many entries at once, with the predictions of 10,000 images."""
    random = np.random.default_rng(0)
    truth = world.truth
    for number in range(num_teams):
        which = world.team(f"Team number {number}")
        rows = []
        for place in range(each):
            right = random.random(len(truth.labels)) < 0.3 + 0.4 * place / each
            answers = np.where(right, truth.labels, 0)[:, None]
            judged = judge(answers, truth)
            world.clock.step(seconds=1)
            rows.append(
                {
                    "id": f"{number:08x}{place:08x}",
                    "team_id": which.id,
                    "number": place + 1,
                    "version": 10 + number * each + place,
                    "received": world.clock.now,
                    "sha256": "0" * 64,
                    "size_bytes": 240_000,
                    "note": "",
                    "hidden": False,
                    "correct_public": judged.public,
                    "correct_private": judged.private,
                    "correct": pack_bits(judged.correct),
                    "predictions": pack_array(answers),
                }
            )
        with world.store.writing() as connection:
            connection.execute(entry.insert(), rows)
            connection.execute(
                team.update()
                .where(team.c.id == which.id)
                .values(num_entries=each, last_entry_at=world.clock.now)
            )
            connection.execute(
                text("UPDATE challenge SET version = :version, history_version = :version"),
                {"version": 10 + (number + 1) * each},
            )


def hundred_thousand(url: str) -> World:
    """Make a challenge of Tiny ImageNet's size, with 250 teams of 400 entries."""
    truth = make_truth(10_000, 3_000)
    wnids = tuple(f"n{index:08d}" for index in range(200))
    labels = np.random.default_rng(1).integers(0, 200, 10_000)
    world = World(url, truth=replace(truth, wnids=wnids, class_names=wnids, labels=labels))
    fill(world, num_teams=250, each=400)
    return world


def timed(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_migrations_and_backup_of_100000_entries(large: World, tmp_path: Path) -> None:
    """Down to the first form and up, then out of the database and, once it is empty, back."""

    def to(revision: str) -> None:
        with large.store.writing() as connection:
            migrations.downgrade(connection, revision)
        large.store.migrate()

    def same(url: str) -> bool:
        store = Store(url, large.clock)
        try:
            return replace(store.board(for_admin=True), at=board.at) == board
        finally:
            store.close()

    folder, saved, restored = tmp_path / "served", tmp_path / "saved", tmp_path / "restored"
    folder.mkdir()
    (folder / SETTINGS_NAME).write_text(settings_text(large.url))
    (folder / BUNDLE_NAME).write_bytes(np.random.default_rng(0).bytes(20_000_000))
    board = large.store.board(for_admin=True)
    assert board.num_entries == 100_000
    took_migrations = timed(lambda: to("0001"))
    unchanged = same(large.url)
    figure(
        "migration of 100,000 submissions up, down to the first form, and up again",
        large.url,
        "the board is unchanged",
        f"{'un' if unchanged else ''}changed; down and up took {took_migrations:.1f} s",
        unchanged,
    )
    took_backup = timed(lambda: backup(folder, saved, large.clock))
    to("base")
    url = "" if large.store.is_sqlite else large.url
    took_restore = timed(lambda: restore(saved, restored, url, large.clock))
    figure(
        f"backup and restore of 100,000 submissions ({saved.stat().st_size / 1e9:.1f} GB)",
        large.url,
        "each under 1 minute, the board is the same",
        f"backup {took_backup:.0f} s, restore {took_restore:.0f} s",
        max(took_backup, took_restore) < 60 and same(load_settings(restored).url),
    )
