"""Challenges in both databases; the PostgreSQL server is started here, and stopped."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from tests.challenge import postgres
from tests.challenge.world import World

from thumbnet.challenge import auth

DATABASES = ("sqlite", "postgresql")
NewUrl = Callable[[], str]


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash passwords quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """Start a PostgreSQL server, or skip the test where none is installed."""
    if (binaries := postgres.binaries()) is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    folder = postgres.new_folder()
    try:
        server = postgres.Server(folder, binaries)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """Give an empty database of PostgreSQL."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give a file of SQLite, not yet there."""
    return f"sqlite:///{tmp_path / 'challenge.db'}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """Give an empty database, of each kind in turn."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Give a small challenge that is open, in each database in turn."""
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def small(sqlite_url: str) -> Iterator[World]:
    """Give a small challenge that is open, in SQLite."""
    made = World(sqlite_url)
    yield made
    made.close()
