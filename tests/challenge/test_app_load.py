"""Many readers, large files, long hours: the server in a process of its own, over connections."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import shutil
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import uvicorn
from tests.challenge.site import NOON, RULES, SECRET, Clock, open_site, seed_teams

from thumbnet.challenge.app import create_app
from thumbnet.challenge.entities import Rules
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.store import Store
from thumbnet.challenge.store_admin import create_challenge
from thumbnet.challenge.store_truth import Truth

NUM_IMAGES, NUM_CLASSES, NUM_TEAMS = 10_000, 200, 30
MINUTES = float(os.environ.get("THUMBNET_SOAK_MINUTES", "20"))
NO_LIMIT = {"upload_limit": "1000000/second", "token_upload_limit": "1000000/second"}

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7_200)]


@dataclass
class Served:
    """A server's address, process and tokens."""

    url: str
    pid: int
    tokens: list[str]


def serve(folder: Path, listener: socket.socket) -> None:
    """Serve the challenge of a folder; runs in a process of its own."""
    settings = Settings.model_validate({"folder": folder, "secret_key": SECRET, **NO_LIMIT})
    started = time.monotonic()

    def clock() -> datetime:  # begins in the evening and runs on
        return NOON + timedelta(hours=6, seconds=time.monotonic() - started)

    config = uvicorn.Config(
        create_app(settings, clock=clock),
        log_level="error",
        timeout_graceful_shutdown=1,
        access_log=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def running(folder: Path, tokens: list[str]) -> Iterator[Served]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve, args=(folder, listener), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        assert httpx.get(f"{url}/healthz", timeout=60).json()["ok"] is True
        assert process.pid is not None
        yield Served(url, process.pid, tokens)
    finally:
        process.terminate()
        process.join(20)
        listener.close()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Served]:
    """A board of thirty teams."""
    with open_site(tmp_path / "seed") as site:
        seed_teams(site, NUM_TEAMS)
        tokens = list(site.tokens.values())
    shutil.copytree(tmp_path / "seed", tmp_path / "served")
    with running(tmp_path / "served", tokens) as served:
        yield served


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Served]:
    """Ten thousand images of two hundred classes, a second between the entries of a team."""
    names = tuple(f"image_{number:05}.png" for number in range(1, NUM_IMAGES + 1))
    wnids = tuple(f"n{number:08}" for number in range(NUM_CLASSES))
    labels = np.random.default_rng(0).integers(0, NUM_CLASSES, NUM_IMAGES)
    public = np.zeros(NUM_IMAGES, bool)
    public[:3_000] = True
    hidden = Truth(names, wnids, tuple(f"class {wnid}" for wnid in wnids), labels, public)
    rules = Rules("large", RULES.opens, RULES.closes, quota=timedelta(milliseconds=1))
    url = f"sqlite:///{tmp_path / 'challenge.db'}"
    create_challenge(url, rules, hidden, "a password", Clock(RULES.opens))
    store = Store(url, Clock())
    tokens = [store.add_team(f"Team {number}")[1] for number in range(NUM_TEAMS)]
    store.close()
    with running(tmp_path, tokens) as served:
        yield served


def large_file(seed: int) -> bytes:
    chosen = np.random.default_rng(seed).integers(0, NUM_CLASSES, NUM_IMAGES)
    lines = (f"image_{place:05}.png n{label:08}\n" for place, label in enumerate(chosen, 1))
    return "".join(lines).encode()


async def read_steadily(
    url: str, path: str, per_s: float, until: float, times: list[float]
) -> None:
    """Ask for a page at a steady rate over one connection; late answers count from their due."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    due = time.monotonic() + np.random.default_rng().uniform(0, 1 / per_s)
    while due < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 200 ")
        found = re.search(r"content-length: (\d+)", head)
        assert found is not None
        await reader.readexactly(int(found[1]))
        times.append(time.monotonic() - due)
        due += 1 / per_s
    writer.close()


async def read_board(url: str, path: str, per_s: float, duration_s: float) -> list[float]:
    times: list[float] = []
    until, clients = time.monotonic() + duration_s, 50
    await asyncio.gather(
        *(read_steadily(url, path, per_s / clients, until, times) for _ in range(clients))
    )
    return times


@pytest.mark.parametrize("path", ["/", "/board", "/api/v1/board"])
def test_five_hundred_board_reads_a_second(board: Served, path: str) -> None:
    times = asyncio.run(read_board(board.url, path, 500, 10))
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"\n{path}: {len(times) / 10:.0f} reads/s, p95 {1000 * p95:.1f} ms")
    assert len(times) > 4_900
    assert p95 < 0.1


def test_a_large_submission_is_answered_in_under_fifty_milliseconds(large: Served) -> None:
    times = []
    with httpx.Client(base_url=large.url) as client:
        for number in range(120):
            headers = {"Authorization": f"Bearer {large.tokens[number % NUM_TEAMS]}"}
            headers["Content-Type"] = "text/plain"
            content = large_file(number)
            started = time.perf_counter()
            answer = client.post("/api/v1/submissions", content=content, headers=headers)
            times.append(time.perf_counter() - started)
            assert answer.status_code == 201
    median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    print(f"\n10,000 lines: median {1000 * median:.1f} ms, p95 {1000 * p95:.1f} ms")
    assert median < 0.05


def test_five_hundred_idle_sockets_hinder_nobody(board: Served) -> None:
    address = urlsplit(board.url)
    idle = []
    for _ in range(500):
        line = socket.create_connection((address.hostname, address.port or 80))
        line.sendall(b"POST /api/v1/check HTTP/1.1\r\nHost: x\r\nContent-")
        idle.append(line)
    started = time.monotonic()
    assert httpx.get(board.url).status_code == 200
    assert time.monotonic() - started < 1
    for line in idle:
        line.close()


def test_memory_stays_flat_at_five_times_the_load(large: Served) -> None:
    """Expected is a class of 30 teams: 1 upload a minute, 10 reads a second, 30 listeners."""

    async def run() -> list[int]:
        memory = []
        listeners = [asyncio.create_task(_listen(large.url)) for _ in range(150)]
        async with httpx.AsyncClient(base_url=large.url, timeout=30) as client:
            end, number = time.monotonic() + 60 * MINUTES, 0
            while time.monotonic() < end:
                headers = {
                    "Authorization": f"Bearer {large.tokens[number % NUM_TEAMS]}",
                    "Content-Type": "text/plain",
                }
                answer = await client.post(
                    "/api/v1/submissions", content=large_file(number), headers=headers
                )
                assert answer.status_code == 201
                await read_board(large.url, "/", 50, 12)
                memory.append(_memory(large.pid))
                number += 1
        for task in listeners:
            task.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
        return memory

    memory = asyncio.run(run())
    fifth = max(1, len(memory) // 5)
    early, late = max(memory[fifth : 2 * fifth]), max(memory[-fifth:])
    print(f"\nmemory {early >> 20} -> {late >> 20} MiB in {MINUTES:g} min, {len(memory)} uploads")
    assert late < 1.05 * early


async def _listen(url: str) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        while await reader.read(65_536):
            pass
    finally:
        writer.close()


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
