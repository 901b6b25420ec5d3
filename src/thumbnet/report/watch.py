"""The page served live on this computer: it follows runs while they train."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
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

from thumbnet.data.progress import Progress
from thumbnet.errors import DataError, ThumbnetError
from thumbnet.live import EventStream, Live, Stamp
from thumbnet.report.page import HERE, find_folders, style
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


class Stopped(Exception):  # noqa: N818, it ends the making of a page and is no mistake
    """The server ends."""


class Watched:
    """The newest page of some runs: made anew only when an epoch or a run has ended since.

    `make` yields the page as it fills; it is called with what gives the version of its next page,
    and with a progress callable. It runs in a thread, one at a time, and each page that it yields
    is shown at once.
    """

    def __init__(
        self, runs: Sequence[str], make: Callable[[Callable[[], int], Progress], Iterator[str]]
    ) -> None:
        self._runs, self._make = runs, make
        self._seen: object = ()
        self._version = int(time())  # a page of an earlier server has another
        self._page, self._error = "", ""
        self._work: asyncio.Task[None] | None = None
        self._shown = asyncio.Event()
        self._is_asked_for = self._is_whole = self._stopped = False
        self.live = Live(self._look, cap=MAX_LISTENERS, every_s=LOOK_EVERY_S)

    @property
    def shell(self) -> str:
        """What stands there until the first page is made."""
        template = (HERE / "templates" / "shell.html").read_text(encoding="utf-8")
        return template.replace("STYLE", style()).replace("VERSION", str(self._version))

    def stop(self) -> None:
        """End the making of a page soon."""
        self._stopped = True
        self.live.close()

    async def _look(self) -> Stamp:
        """Begin to make a page where something is new; tell of the one that is shown."""
        found = _state_of(self._runs)
        idle = self._work is None or self._work.done()
        if self._is_asked_for and found != self._seen and idle:
            self._seen = found
            self._work = asyncio.create_task(self._make_pages())
        return Stamp(self._version)

    async def _make_pages(self) -> None:
        pages, last = self._make(lambda: self._version + 1, self._tell), ""
        try:
            while page := await asyncio.to_thread(next, pages, ""):
                last = page
                if not self._is_whole:  # else the old page stays until the new one is whole
                    self._show(page, "")
            if self._is_whole:
                self._show(last, "")
            self._is_whole = True
        except Stopped:
            pass
        except ThumbnetError as error:
            if not self._page:  # else what is shown stays
                self._show("", str(error))

    def _show(self, page: str, error: str) -> None:
        self._page, self._error = page, error
        self._version += 1
        self._shown.set()

    def _tell(self, _done: int, _total: int, _what: str) -> None:
        if self._stopped:
            raise Stopped

    async def page(self, wait: bool) -> str:
        """Return the page of now; before there is one, wait for it or return a shell.

        Raises: DataError where it cannot be made, and there is none of before
        """
        self._is_asked_for = True
        await self.live.look()
        if wait:
            await self._shown.wait()
        if self._error:
            raise DataError(self._error)
        return self._page or self.shell


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
    """Make the server of a page: the page, its script, and the events that announce a newer one."""

    async def page(request: Request) -> Response:
        try:
            text = await watched.page(wait=request.url.path != "/")
            return HTMLResponse(text, headers=HEADERS)
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
        watched.stop()

    return Starlette(
        routes=[
            Route("/", page),
            Route("/page", page),
            Route("/watch.js", script),
            Route("/events", events),
        ],
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
        self.watched.stop()
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
