"""Kills of the real server, and of the database under it, while teams upload over connections."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from tests.challenge import postgres
from tests.challenge.figures import figure
from tests.challenge.fleet import NO_LIMIT, Line, upload
from tests.challenge.test_durability import check
from tests.challenge.world import CLASSES, HandClock, World, changed

from thumbnet.challenge.settings import SETTINGS_NAME, settings_text

KILLS = int(os.environ.get("THUMBNET_SOAK_KILLS", "200"))
NUM_DATABASE_KILLS = max(1, KILLS // 10)
NUM_TEAMS, RESTART_S = 4, 2.0

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7_200)]


@dataclass
class Served:
    """`thumbnet challenge serve` of a folder, and what its teams were told."""

    world: World
    folder: Path
    tokens: list[str]
    port: int
    draw: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    receipts: list[tuple[str, str]] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start the server, and return how long it took until it was well."""
        begun = time.perf_counter()
        words = ["-m", "thumbnet", "challenge", "serve", self.folder, "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.wait_until_well()
        return time.perf_counter() - begun

    def wait_until_well(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with (
                suppress(OSError, HTTPException),
                closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as line,
            ):
                line.request("GET", "/healthz")
                if line.getresponse().status == 200:
                    return
            time.sleep(0.005)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        """Kill the server as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def content(self) -> bytes:
        """Return a submission that there was not before."""
        return self.world.written(self.draw.integers(0, CLASSES, len(self.world.truth.labels)))

    async def upload_until_it_fails(self, token: str) -> None:
        line = await Line.to(self.url)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                status, body = await line.ask(upload(token, self.content()))
                if status != 201:
                    assert status == 500, body  # its database was killed
                    break
                answer = json.loads(body)
                self.receipts.append((answer["id"], answer["sha256"]))
        await line.close()

    async def under_load(self, kill: object) -> None:
        """Let all teams upload without a pause, and kill at a random moment after a few."""
        wanted = len(self.receipts) + int(self.draw.integers(1, 20))
        teams = [asyncio.create_task(self.upload_until_it_fails(token)) for token in self.tokens]
        while len(self.receipts) < wanted:
            assert not any(task.done() for task in teams), "an upload failed before the kill"
            await asyncio.sleep(0.001)
        await asyncio.sleep(float(self.draw.random()) * 0.02)
        await asyncio.to_thread(kill)
        await asyncio.gather(*teams)


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[Served]:
    yield from serving(database_url, tmp_path)


@pytest.fixture
def served_from_postgres(postgres_url: str, tmp_path: Path) -> Iterator[Served]:
    yield from serving(postgres_url, tmp_path)


def serving(url: str, folder: Path) -> Iterator[Served]:
    now = datetime.now(UTC)
    rules = changed(
        quota=timedelta(0), opens=now - timedelta(days=1), closes=now + timedelta(days=1)
    )
    world = World(url, rules, clock=HandClock(now))
    tokens = [world.store.add_team(f"Team {number}")[1] for number in range(NUM_TEAMS)]
    limits = "".join(f"{name}: {value}\n" for name, value in NO_LIMIT.items())
    (folder / SETTINGS_NAME).write_text(settings_text(url) + limits)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = Served(world, folder, tokens, port)
    yield made
    made.kill()
    world.close()


def keep(served: Served, what: str, num_kills: int, starts: list[float]) -> None:
    """Keep what is found after all kills, checked after each of them, and the times to be back."""
    store = served.world.store
    num_entries = sum(len(store.team_page(team).entries) for team in store.teams())
    figure(
        f"SIGKILL of {what} under load",
        served.world.url,
        f"{num_kills} kills: every receipt is kept, none twice, integrity ok",
        f"{num_kills} kills: {len(served.receipts):,} of {len(served.receipts):,} receipts among "
        f"{num_entries:,} entries, none twice, integrity ok",
        True,
    )
    figure(
        f"back after SIGKILL of {what}",
        served.world.url,
        f"under {RESTART_S:g} s",
        f"median {median(starts):.2f} s, most {max(starts):.2f} s of {len(starts)}",
        max(starts) < RESTART_S,
        times_s=[round(took, 3) for took in starts],
    )


def test_receipts_outlive_200_kills_of_the_server(served: Served) -> None:
    starts = []
    served.start()
    for number in range(KILLS):
        asyncio.run(served.under_load(served.kill))
        check(served.world.store, served.receipts, NUM_TEAMS * (number + 1))
        starts.append(served.start())
    keep(served, "the server", KILLS, starts)


def test_receipts_outlive_20_kills_of_the_database(
    postgres_server: postgres.Server, served_from_postgres: Served
) -> None:
    """The server stays, and goes on by itself once its database is back."""
    served, starts = served_from_postgres, list[float]()
    served.start()
    for number in range(NUM_DATABASE_KILLS):
        asyncio.run(served.under_load(postgres_server.kill))
        begun = time.perf_counter()
        postgres_server.start()
        served.wait_until_well()
        starts.append(time.perf_counter() - begun)
        check(served.world.store, served.receipts, NUM_TEAMS * (number + 1))
    keep(served, "the database", NUM_DATABASE_KILLS, starts)
