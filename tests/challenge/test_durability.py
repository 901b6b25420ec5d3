"""A receipt that was given is true: after the server, or the database, was killed."""

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from tests.challenge import postgres
from tests.challenge.world import World, changed

from thumbnet.challenge.store import Store
from thumbnet.challenge.store_copy import problems

ROOT = Path(__file__).parents[2]


class Uploader:
    """A process that submits without a pause and prints each receipt."""

    def __init__(self, world: World, begin_s: int) -> None:
        words = (" ".join(world.truth.wnids), " ".join(world.truth.names))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.challenge.race", world.url, str(begin_s), *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.receipts: list[tuple[str, str]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # else the kill came in the middle of it
                entry_id, sha256 = line.split()
                self.receipts.append((entry_id, sha256))

    def wait_for_receipts(self, count: int) -> None:
        while len(self.receipts) < count:
            assert self.process.poll() is None, "the process ended by itself"
            time.sleep(0.001)

    def end(self) -> None:
        """Kill the process where it still runs, and read what it had printed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def check(store: Store, receipts: list[tuple[str, str]], kills: int) -> None:
    """Find every receipt once, and at most one entry a kill that nobody was told of."""
    kept = [
        (entry.id, entry.sha256)
        for team in store.teams()
        for entry in store.team_page(team).entries
    ]
    assert len(set(kept)) == len(kept)
    assert set(receipts) <= set(kept)
    assert len(kept) <= len(receipts) + kills
    assert problems(store) == []


def add_teams(world: World) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        world.team(name)


def kill_the_server(url: str, kills: int, seed: int = 0) -> float:
    """Kill an uploading process again and again; return the longest time to open again."""
    chance, world = random.Random(seed), World(url, changed(quota=timedelta(0)))
    add_teams(world)
    receipts: list[tuple[str, str]] = []
    slowest = 0.0
    for number in range(kills):
        uploader = Uploader(world, begin_s=number * 10_000)
        uploader.wait_for_receipts(chance.randrange(1, 20))
        time.sleep(chance.random() * 0.02)
        uploader.end()
        receipts += uploader.receipts
        begun = time.perf_counter()
        again = world.open()
        check(again, receipts, number + 1)
        slowest = max(slowest, time.perf_counter() - begun)
    world.close()
    return slowest


def kill_postgres(server: postgres.Server, url: str, kills: int, seed: int = 0) -> float:
    """Kill PostgreSQL under an upload again and again; return the longest time to restart."""
    chance, world = random.Random(seed), World(url, changed(quota=timedelta(0)))
    add_teams(world)
    receipts: list[tuple[str, str]] = []
    slowest = 0.0
    for number in range(kills):
        uploader = Uploader(world, begin_s=number * 10_000)
        uploader.wait_for_receipts(chance.randrange(1, 20))
        time.sleep(chance.random() * 0.02)
        server.kill()
        uploader.end()
        receipts += uploader.receipts
        begun = time.perf_counter()
        server.start()
        slowest = max(slowest, time.perf_counter() - begun)
        check(world.store, receipts, number + 1)  # goes on with connections that are dead
    world.close()
    return slowest


def test_receipts_outlive_the_server(database_url: str) -> None:
    kill_the_server(database_url, kills=2)


def test_receipts_outlive_the_database(postgres_server: postgres.Server, postgres_url: str) -> None:
    kill_postgres(postgres_server, postgres_url, kills=1)
