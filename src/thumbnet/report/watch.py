"""The page served live on this computer: it follows runs while they train."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import time
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from thumbnet.errors import DataError, ThumbnetError
from thumbnet.live import EventStream, Live, Stamp
from thumbnet.report.page import HERE, find_folders
from thumbnet.runs import RunFolder

HOST = "127.0.0.1"
MAX_LISTENERS = 20
LOOK_EVERY_S = 0.5
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Watched:
    """The newest page of some runs: made anew only when an epoch or a run has ended since.

    `make` returns the page with its version in it; it is called in a thread, one at a time.
    """

    def __init__(self, runs: Sequence[str], make: Callable[[int], str]) -> None:
        self._runs, self._make = runs, make
        self._seen: object = None
        self._version = int(time())  # a page of an earlier server has another
        self._page: tuple[Stamp, str] | None = None
        self._making = asyncio.Lock()
        self.live = Live(self._look, cap=MAX_LISTENERS, every_s=LOOK_EVERY_S)

    async def _look(self) -> Stamp:
        found = _state_of(self._runs)
        if found != self._seen:
            self._seen, self._version = found, self._version + 1
        return Stamp(self._version)

    async def page(self) -> str:
        """Return the page of now.

        Raises: ThumbnetError where it cannot be made, and there is none of before
        """
        async with self._making:
            stamp = await self.live.look()
            if self._page is None or self._page[0] != stamp:
                try:
                    self._page = stamp, await asyncio.to_thread(self._make, stamp.version)
                except ThumbnetError:
                    if self._page is None:
                        raise
            return self._page[1]


def _state_of(runs: Sequence[str]) -> object:
    """Return what differs when a run began, ended an epoch, or ended."""
    try:
        folders = find_folders(runs).values()
    except ThumbnetError:  # taken away meanwhile: what is shown stays
        return None
    found = []
    for folder in folders:
        if isinstance(folder, RunFolder):
            last = folder.last_event().get("event")
            found.append((folder.path, _stamp_of(folder.results_file), last == "ended"))
    return found


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        held = path.stat()
    except OSError:
        return None
    return held.st_mtime_ns, held.st_size


def create_app(watched: Watched) -> Starlette:
    """Make the server of a page: the page, its script, and the events that tell of a newer one."""

    async def page(_: Request) -> Response:
        try:
            return HTMLResponse(await watched.page(), headers=HEADERS)
        except ThumbnetError as error:
            return PlainTextResponse(f"no page: {error}", status_code=503, headers=HEADERS)

    async def script(_: Request) -> Response:
        text = (HERE / "templates" / "watch.js").read_text(encoding="utf-8")
        return Response(text, media_type="text/javascript", headers=HEADERS)

    async def events(_: Request) -> Response:
        return EventStream(watched.live, "page")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        watched.live.close()

    return Starlette(
        routes=[Route("/", page), Route("/watch.js", script), Route("/events", events)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
        lifespan=lifespan,
    )


class _Server(uvicorn.Server):
    """A server that ends its streams when it is told to end, so that it need not wait for them."""

    watched: Watched
    interrupted = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Hear Ctrl-C."""
        self.interrupted = sig == signal.SIGINT
        self.watched.live.close()
        super().handle_exit(sig, frame)


def listen(port: int) -> socket.socket:
    """Take a port of this computer, for itself alone; 0 is any free one.

    Raises: DataError where it is taken
    """
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise DataError(
            f"cannot listen on port {port}: {error}; choose another with --port, 0 is any free one"
        ) from None


def serve(app_of: Watched, listener: socket.socket) -> None:
    """Serve the page until Ctrl-C.

    Raises: KeyboardInterrupt then
    """
    config = uvicorn.Config(
        create_app(app_of),
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    server.watched = app_of
    server.run(sockets=[listener])
    if server.interrupted:  # asyncio may have lost what uvicorn raised again at its end
        raise KeyboardInterrupt
