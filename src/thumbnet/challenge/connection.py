"""The connection to a client: an answer leaves at once, and who asks nothing does not stay."""

import asyncio
import socket
import sys
from collections.abc import Callable
from time import monotonic

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if sys.platform != "win32":
    import resource

HEAD_S = 10.0  # how long the head of a request may take, from its first byte or the connection on
STALL_S = 60.0  # how long a client may leave an answer unread
MOST_HANDLES = 16_384
OTHER_HANDLES = 64  # of the database, the log and so on


class Timer:
    """Calls a function after a while, unless it is stopped before; starting it twice is once."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._handle: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop, after_s: float) -> None:
        """Begin to wait."""
        if self._handle is None:
            self._handle = loop.call_later(after_s, self._fire)

    def stop(self) -> None:
        """Wait no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        self._function()


class Prompt(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """Uvicorn's protocol on a socket that waits for nothing, and for nobody for long.

    asyncio sets TCP_NODELAY on sockets that name TCP as their protocol only. The one that server
    processes share does not: there the body of each answer would wait for the client to
    acknowledge the head, which it may put off for 40 ms.

    Uvicorn waits for the head of a request for ever. Here the time and the number of connections
    are bounded: where there are too many, the one that has asked nothing for longest ends.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection."""
        made: socket.socket | None = transport.get_extra_info("socket")
        if made is not None and made.family in {socket.AF_INET, socket.AF_INET6}:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self._heard = monotonic()
        self._head, self._stall = Timer(self._end_idle), Timer(self._give_up)
        self._head.start(self.loop, HEAD_S)
        if len(self.connections) > max_connections():
            idle = [one for one in self.connections if one is not self and one.is_idle]
            longest = min(idle, key=lambda one: one._heard, default=self)
            self.connections.discard(longest)  # at once: it ends later, and others may come first
            longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a connection go."""
        self._head.stop()
        self._stall.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        super().data_received(data)
        if self.is_idle:
            self._head.start(self.loop, HEAD_S)
        else:
            self._heard = monotonic()
            self._head.stop()

    def eof_received(self) -> bool | None:
        """Answer a client that has sent its request and closed its side, then close ours.

        A whole request whose answer has not begun is answered. Else the client has hung up.
        """
        cycle = self.cycle
        if cycle is None or cycle.more_body or cycle.response_started:
            return None
        cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Wait until the client has read more of an answer."""
        super().pause_writing()
        self._stall.start(self.loop, STALL_S)

    def resume_writing(self) -> None:
        """Go on with an answer."""
        super().resume_writing()
        self._stall.stop()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self) -> None:
        self.transport.abort()

    def _end_idle(self) -> None:
        if self.is_idle:
            self.transport.abort()


def max_connections() -> int:
    """Return how many connections a server process takes; each may have a file open beside."""
    handles = _handles()
    return max(8, (handles - OTHER_HANDLES - backlog()) // 2)


def backlog() -> int:
    """Return how many connections may wait to be taken; asyncio takes so many at a time."""
    return max(8, min(2048, _handles() // 8))


def raise_handles() -> None:
    """Let this process, and those that it starts, open as many files as the system allows."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MOST_HANDLES if hard == resource.RLIM_INFINITY else min(MOST_HANDLES, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _handles() -> int:
    if sys.platform == "win32":
        return MOST_HANDLES
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_HANDLES if soft == resource.RLIM_INFINITY else min(MOST_HANDLES, soft)
