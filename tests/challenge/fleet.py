"""Real servers: processes over one database, with a clock that they share, and quick clients."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn

from thumbnet.challenge.app import create_app
from thumbnet.challenge.connection import Prompt
from thumbnet.challenge.settings import Settings

SECRET = "a secret of tests, long enough to sign with"
NO_LIMIT = {"upload_limit": "1000000/second", "token_upload_limit": "1000000/second"}
SPAWN = multiprocessing.get_context("spawn")


class SharedClock:
    """A clock of several processes: stands still until it is set, or runs on from there."""

    def __init__(self, now: datetime, *, runs: bool = False) -> None:
        self._held = SPAWN.Value("d", now.timestamp())
        self._began = time.monotonic() if runs else None  # counts for all processes alike

    def __call__(self) -> datetime:
        passed = time.monotonic() - self._began if self._began is not None else 0.0
        return datetime.fromtimestamp(round(self._held.value + passed, 6), UTC)

    def step(self, **by: float) -> None:
        """Move the hands, as in timedelta."""
        self._held.value += timedelta(**by).total_seconds()


@dataclass
class Running:
    """A server process and its address."""

    process: BaseProcess
    url: str

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid


def serve(settings: Settings, listener: socket.socket, clock: SharedClock) -> None:
    """Serve a challenge; runs in a process of its own."""
    config = uvicorn.Config(
        create_app(settings, clock=clock),
        http=Prompt,
        log_level="critical",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=300,  # clients of a busy machine may pause
        access_log=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def fleet(
    folder: Path, url: str, clock: SharedClock, count: int = 1, **settings: Any
) -> Iterator[list[Running]]:
    """Start servers of one database, each at an address of its own, without limits on uploads."""
    values = {"folder": folder, "secret_key": SECRET, "database_url": url, **NO_LIMIT, **settings}
    made = Settings.model_validate(values)
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=2048) for _ in range(count)]
    running = []
    for listener in listeners:
        process = SPAWN.Process(target=serve, args=(made, listener, clock), daemon=True)
        process.start()
        running.append(Running(process, f"http://127.0.0.1:{listener.getsockname()[1]}"))
    try:
        for server in running:
            assert httpx.get(f"{server.url}/healthz", timeout=60).json()["ok"] is True
        yield running
    finally:
        for server in running:
            server.process.terminate()
        for server, listener in zip(running, listeners, strict=True):
            server.process.join(20)
            listener.close()


class Line:
    """One connection that is kept, for requests one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, url: str) -> Line:
        address = urlsplit(url)
        return cls(*await asyncio.open_connection(address.hostname, address.port))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body of its answer."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = head.partition("content-length:")[2].partition("\r\n")[0]
        return int(head.split()[1]), await self._reader.readexactly(int(length))

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


def get(path: str, *headers: str) -> bytes:
    """Return a request for a page."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "\r\n"]).encode()


def upload(token: str, content: bytes) -> bytes:
    """Return the request that submits a file."""
    head = (
        "POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
