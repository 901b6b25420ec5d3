"""The live board: who listens is told, in time, once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.challenge.serving import served
from tests.challenge.site import Site, labels_file, open_site

from thumbnet.live import EventStream, Live, Stamp

EVENTS = "/api/v1/events"


@dataclass
class Source:
    """A store's version, and how often it was asked."""

    version: int = 1
    asked: int = 0
    broken: bool = False

    async def __call__(self) -> Stamp:
        self.asked += 1
        if self.broken:
            raise OSError("the database restarts")
        await asyncio.sleep(0)
        return Stamp(self.version, 1)


@dataclass
class Listener:
    """The other end of a stream."""

    live: Live
    sent: list[dict[str, Any]] = field(default_factory=list)
    hang_up: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    async def _receive(self) -> dict[str, Any]:
        await self.hang_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    def start(self) -> Listener:
        stream = EventStream(self.live)
        self.task = asyncio.create_task(stream({"type": "http"}, self._receive, self._send))
        return self

    async def stop(self) -> None:
        self.hang_up.set()
        assert self.task is not None
        await self.task

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


def live(source: Source, **options: Any) -> Live:
    return Live(source, **{"cap": 100, "every_s": 0.01, "heartbeat_s": 15.0, **options})


async def until(condition: Any, limit_s: float = 5.0) -> None:
    deadline = monotonic() + limit_s
    while not condition() and monotonic() < deadline:
        await asyncio.sleep(0.002)
    assert condition()


def test_each_change_is_told_once() -> None:
    async def run() -> None:
        source = Source()
        listener = Listener(live(source)).start()
        await until(lambda: "data: 1\n" in listener.text)
        source.version = 2
        await until(lambda: "data: 2\n" in listener.text)
        await asyncio.sleep(0.05)
        await listener.stop()
        assert listener.text == (
            "event: board\nid: 1.1\ndata: 1\n\nevent: board\nid: 2.1\ndata: 2\n\n"
        )
        headers = dict(listener.sent[0]["headers"])
        assert headers[b"x-accel-buffering"] == b"no"
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"

    asyncio.run(run())


def test_who_changed_it_tells_at_once() -> None:
    async def run() -> None:
        source = Source()
        board = live(source, every_s=60.0)
        listener = Listener(board).start()
        await until(lambda: "data: 1\n" in listener.text)
        source.version = 2
        await board.look()
        await until(lambda: "data: 2\n" in listener.text)
        await listener.stop()

    asyncio.run(run())


def test_a_heartbeat_keeps_the_line_open() -> None:
    async def run() -> None:
        listener = Listener(live(Source(), heartbeat_s=0.02)).start()
        await until(lambda: listener.text.count(": heartbeat\n\n") >= 3)
        await listener.stop()
        assert listener.text.count("event: board") == 1

    asyncio.run(run())


def test_many_listeners_ask_the_store_no_more_than_one() -> None:
    async def run() -> None:
        source = Source()
        board = live(source, every_s=0.05)
        started = monotonic()
        listeners = [Listener(board).start() for _ in range(100)]
        await asyncio.sleep(0.5)
        for listener in listeners:
            await listener.stop()
        assert source.asked <= (monotonic() - started) / 0.05 + 2

    asyncio.run(run())


def test_reads_within_a_moment_ask_once() -> None:
    async def run() -> None:
        source = Source()
        board = live(source, every_s=60.0)
        stamps = await asyncio.gather(*(board.newest() for _ in range(50)))
        assert source.asked == 1
        assert set(stamps) == {Stamp(1, 1)}

    asyncio.run(run())


def test_beyond_the_cap_listeners_are_refused() -> None:
    async def run() -> None:
        board = live(Source(), cap=2)
        listeners = [Listener(board).start() for _ in range(3)]
        await until(lambda: listeners[2].sent != [])
        assert listeners[2].sent[0]["status"] == 503
        assert b"retry-after" in dict(listeners[2].sent[0]["headers"])
        for listener in listeners:
            await listener.stop()
        assert board.num_clients == 0

    asyncio.run(run())


def test_a_broken_database_ends_no_stream() -> None:
    async def run() -> None:
        source = Source()
        listener = Listener(live(source)).start()
        await until(lambda: "data: 1\n" in listener.text)
        source.broken = True
        await asyncio.sleep(0.05)
        source.broken, source.version = False, 3
        await until(lambda: "data: 3\n" in listener.text)
        await listener.stop()

    asyncio.run(run())


def test_nothing_is_left_when_all_have_gone() -> None:
    async def run() -> None:
        board = live(Source())
        before = len(asyncio.all_tasks())
        for _ in range(5):
            listeners = [Listener(board).start() for _ in range(100)]
            await until(lambda: board.num_clients == 100)
            await asyncio.gather(*(listener.stop() for listener in listeners))
        await asyncio.sleep(0.01)
        assert board.num_clients == 0
        assert len(asyncio.all_tasks()) == before

    asyncio.run(run())


def test_close_ends_all_streams() -> None:
    async def run() -> None:
        board = live(Source())
        listener = Listener(board).start()
        await until(lambda: board.num_clients == 1)
        board.close()
        assert listener.task is not None
        await asyncio.wait_for(listener.task, 1)
        assert listener.sent[-1] == {
            "type": "http.response.body",
            "body": b"",
            "more_body": False,
        }

    asyncio.run(run())


# Over real connections


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path, max_listeners=1_100) as made:
        made.add_team("blue")
        yield made


async def listen(url: str, told: list[float], versions: list[int]) -> None:
    """Read events from a bare connection until cancelled, and note when each came."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"GET {EVENTS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"data: "):
                told.append(monotonic())
                versions.append(int(line[6:]))
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def latencies(site: Site, url: str, num_clients: int) -> list[float]:
    """Return how long after the upload's answer was begun each listener knew."""
    told: list[list[float]] = [[] for _ in range(num_clients)]
    seen: list[list[int]] = [[] for _ in range(num_clients)]
    tasks = [asyncio.create_task(listen(url, *pair)) for pair in zip(told, seen, strict=True)]
    await until(lambda: all(told), 60)
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        started = monotonic()
        answer = await client.post(
            "/api/v1/submissions", content=labels_file(), headers=site.bearer("blue")
        )
        assert answer.status_code == 201
        await until(lambda: all(len(times) == 2 for times in told), 30)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len({tuple(versions) for versions in seen}) == 1
    return [times[1] - started for times in told]


def gone(site: Site) -> bool:
    return bool(site.app.state.server.snapshots.live.num_clients == 0)


def test_an_upload_reaches_all_listeners_within_a_second(site: Site) -> None:
    async def run(url: str) -> list[float]:
        found = await latencies(site, url, 40)
        await until(lambda: gone(site))
        return found

    with served(site.app) as url:
        assert max(asyncio.run(run(url))) < 1.0


@pytest.mark.soak
def test_ten_thousand_connections_leave_nothing(site: Site) -> None:
    async def visit(url: str) -> None:
        task = asyncio.create_task(listen(url, [], []))
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def run(url: str) -> None:
        for _ in range(100):
            await asyncio.gather(*(visit(url) for _ in range(100)))
        await until(lambda: gone(site), 20)

    with served(site.app) as url:
        asyncio.run(run(url))
