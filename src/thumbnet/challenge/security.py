"""What stands before every route: headers, the cap and the patience for bodies, the last catch."""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thumbnet.challenge.encoding import refusal_of
from thumbnet.challenge.forms import FORM_BYTES

LOG = logging.getLogger("thumbnet.challenge")

DISCARD_BYTES, DISCARD_S = 4 * 2**20, 2.0
POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}

Fail = Callable[[Request, int, str], Response]


class RefusedRequestError(Exception):
    """A request that is refused before anything reads its body."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class BodyTooLargeError(Exception):
    """A body over the cap; the reading stops there."""


class BodyTooSlowError(Exception):
    """A body that does not come."""


class Headers:
    """Add the security headers to every answer."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self._app = app
        self._headers = HEADERS | (TRANSPORT if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class LastCatch:
    """Turn whatever nobody caught into one short answer; what happened stays in the log."""

    def __init__(self, app: ASGIApp, fail: Fail) -> None:
        self._app = app
        self._fail = fail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except RefusedRequestError as error:
            status, message = error.status, str(error)
        except BodyTooLargeError:
            status, message = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large"
        except BodyTooSlowError:
            status, message = HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time"
        except Exception:
            LOG.exception("%s %s failed", scope["method"], scope["path"])
            status, message = HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; try again"
        else:
            return
        if not started:
            answer = self._fail(Request(scope), status, message)
            answer.headers["Connection"] = "close"  # what is left of the body is not read
            await answer(scope, receive, send)


class BodyGuard:
    """Refuse a body over its cap or in another encoding unread, and one that comes too slowly."""

    def __init__(self, app: ASGIApp, caps: dict[str, int], idle_s: float, whole_s: float) -> None:
        self._app = app
        self._caps = caps
        self._idle_s = idle_s
        self._whole_s = whole_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises: RefusedRequestError, BodyTooLargeError, BodyTooSlowError
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if refusal := refusal_of(scope):
            await _discard(scope, receive)
            raise RefusedRequestError(*refusal)
        cap = self._caps.get(scope["path"], FORM_BYTES)
        if _announced(scope) > cap:
            await _discard(scope, receive)
            raise BodyTooLargeError
        deadline = asyncio.get_running_loop().time() + self._whole_s
        size, complete = 0, False

        async def guarded() -> Message:
            nonlocal size, complete
            if complete:
                return await receive()  # only the end of the connection is left to be told
            left = deadline - asyncio.get_running_loop().time()
            try:
                message = await asyncio.wait_for(receive(), min(self._idle_s, left))
            except TimeoutError:
                raise BodyTooSlowError from None
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if size > cap:
                    await _discard(scope, receive)
                    raise BodyTooLargeError
            return message

        await self._app(scope, guarded, send)


def _announced(scope: Scope) -> int:
    """Return the size that a request says its body has; 0 where it says none."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0


async def _discard(scope: Scope, receive: Receive) -> None:
    """Read on for a moment without keeping anything.

    Who still sends when the connection closes sees it break, and not the answer.
    """
    if any(name == b"expect" for name, _ in scope["headers"]):
        return
    size = 0
    try:
        async with asyncio.timeout(DISCARD_S):
            while size < DISCARD_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
