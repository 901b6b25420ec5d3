"""Live pages: one look at what changes, a few times a second, wakes all that listen."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

LOOK_EVERY_S = 0.2
HEARTBEAT_S = 15.0
FULL_RETRY_S = 30
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a reverse proxy must pass each event on at once
]


@dataclass(frozen=True)
class Stamp:
    """What a shown page depends on: the version of its content, and which dates have passed."""

    version: int
    phase: int = 0

    def __str__(self) -> str:
        return f"{self.version}.{self.phase}"


@dataclass(eq=False)
class Client:
    """A listener: `wake` is set when there is news, and when it has gone."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False


class Live:
    """Knows the newest stamp, and tells all listeners of this process when it changes."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Stamp]],
        *,
        cap: int,
        every_s: float = LOOK_EVERY_S,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._read = read
        self._cap = cap
        self._every_s = every_s
        self.heartbeat_s = heartbeat_s
        self._newest: Stamp | None = None
        self._looked = -1.0
        self._looking = asyncio.Lock()
        self._clients: set[Client] = set()
        self._watch: asyncio.Task[None] | None = None

    @property
    def num_clients(self) -> int:
        """Number of listeners of this process."""
        return len(self._clients)

    async def newest(self) -> Stamp:
        """Return a stamp that is no older than a fraction of a second."""
        if self._newest is None or monotonic() - self._looked > self._every_s:
            async with self._looking:  # who waited here takes what the other read
                if self._newest is None or monotonic() - self._looked > self._every_s:
                    return await self._look()
        return self._newest

    async def look(self) -> Stamp:
        """Return the stamp as it is now; for who has just changed something."""
        async with self._looking:
            return await self._look()

    async def _look(self) -> Stamp:
        started = monotonic()
        stamp = await self._read()
        self._looked = started
        if stamp != self._newest:
            self._newest = stamp
            for client in self._clients:
                client.wake.set()
        return stamp

    def join(self) -> Client | None:
        """Add a listener, or return None where there are as many as allowed."""
        if len(self._clients) >= self._cap:
            return None
        client = Client()
        self._clients.add(client)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._keep_looking())
        return client

    def leave(self, client: Client) -> None:
        """Take a listener out; with the last one the looking ends."""
        self._clients.discard(client)
        if not self._clients and self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def close(self) -> None:
        """End all streams, so that a server that stops need not wait for them."""
        for client in self._clients:
            client.gone = True
            client.wake.set()

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self.newest()
            except Exception:  # a database that restarts, say: streams stay, and looking goes on
                await asyncio.sleep(1.0)
            await asyncio.sleep(self._every_s)


class EventStream(Response):
    """The answer to a listener: an event for each change, a comment as a heartbeat.

    Args: event: what the events are called, after what they tell of
    """

    media_type = "text/event-stream"

    def __init__(self, live: Live, event: str = "board") -> None:
        super().__init__()
        self._live, self._event = live, event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one listener until it goes."""
        client = self._live.join()
        if client is None:
            name = self._event
            refusal = JSONResponse(
                {
                    "reason": "busy",
                    "message": f"too many listeners; ask for the {name} instead",
                },
                status_code=503,
                headers={"Retry-After": str(FULL_RETRY_S)},
            )
            await refusal(scope, receive, send)
            return
        listener = asyncio.create_task(_wait_for_end(client, receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await self._tell(client, send)
        finally:
            self._live.leave(client)
            listener.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, client: Client, send: Send) -> None:
        told: Stamp | None = None
        while not client.gone:
            client.wake.clear()
            stamp = await self._live.newest()
            if stamp != told:
                told = stamp
                await _send(send, f"event: {self._event}\nid: {stamp}\ndata: {stamp.version}\n\n")
            try:
                async with asyncio.timeout(self._live.heartbeat_s):
                    await client.wake.wait()
            except TimeoutError:
                await _send(send, ": heartbeat\n\n")


async def _send(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _wait_for_end(client: Client, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    client.gone = True
    client.wake.set()
