"""The challenge server as an ASGI app."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from thumbnet.challenge.context import Server, server_of
from thumbnet.challenge.forms import FORM_BYTES
from thumbnet.challenge.meter import Measured
from thumbnet.challenge.rendering import STATIC
from thumbnet.challenge.routes import admin, api, ops, pages
from thumbnet.challenge.routes.answers import RefusalAnswer
from thumbnet.challenge.security import BodyGuard, Headers, LastCatch
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.snapshot import FRAGMENT_URL
from thumbnet.challenge.store import Clock, Store, utc_now
from thumbnet.challenge.store_engine import SERVING, BusyError
from thumbnet.version import __version__

BUSY_RETRY_S = "2"
IDLE_S = 10.0  # how long a body may pause
REASONS = {
    400: "bad_request",
    401: "no_token",
    403: "forbidden",
    404: "not_found",
    405: "method",
    408: "too_slow",
    413: "too_large",
    415: "media_type",
    422: "bad_request",
    429: "too_many",
    500: "failed",
    503: "busy",
}
DESCRIPTION = """Submit labels, read the scoreboard. Times are in UTC and by the server's clock;
scores are fractions of 1. Every refusal has the same form and costs no slot."""


def create_app(settings: Settings, store: Store | None = None, clock: Clock = utc_now) -> FastAPI:
    """Make the server of a challenge.

    Args: store: the database where it is open already; else that of the settings is opened
    """
    own = store is None
    store = store or Store(
        settings.url,
        clock,
        malformed_per_hour=settings.malformed_per_hour,
        max_note_chars=settings.max_note_chars,
        patience=SERVING,
    )
    server = Server.of(settings, store, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        gc.collect()
        gc.freeze()  # the lines of an upload set off collections: 0.1 s each, with all modules in
        yield
        gc.unfreeze()
        server.snapshots.live.close()
        if own:
            store.close()

    app = FastAPI(
        title="thumbnet challenge",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.server = server
    app.router.routes.append(Quick(FRAGMENT_URL, pages.fragment))  # the first that is looked at
    for router in (api.router, api.files, ops.router, pages.router, admin.router):
        app.include_router(router)
    app.mount("/static", Static(directory=STATIC), name="static")
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(BusyError, _busy)
    _add_middleware(app, settings, server)
    return app


class Quick(Route):
    """A route without FastAPI's work, a fifth of the time; it tells the meter its path as well."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Compare a request with the path."""
        match, found = super().matches(scope)
        return match, {**found, "route": self}


class Static(StaticFiles):
    """Static files, whose addresses change with their content: browsers may keep them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file with leave to keep it."""
        response = super().file_response(*args, **kwargs)
        scope: Scope = kwargs["scope"] if "scope" in kwargs else args[2]
        if scope["query_string"].startswith(b"v="):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _add_middleware(app: FastAPI, settings: Settings, server: Server) -> None:
    """Put around the app what every request passes; what is added last comes first."""
    upload = settings.max_upload_bytes
    caps = {"/api/v1/submissions": upload, "/api/v1/check": upload, "/submit": upload + FORM_BYTES}
    app.add_middleware(BodyGuard, caps=caps, idle_s=IDLE_S, whole_s=settings.request_timeout_s)
    app.add_middleware(LastCatch, fail=_plain_error)
    app.add_middleware(Headers, https=settings.public_url.startswith("https://"))
    app.add_middleware(Measured, meter=server.meter)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    answer: Response
    if _is_api(request):
        answer = _json_error(error.status_code, str(error.detail))
    else:
        answer = await _error_page(request, error)
    answer.headers.update(headers)
    return answer


async def _bad_request(request: Request, error: Exception) -> Response:
    """Answer a parameter that does not fit without repeating it."""
    del error
    return await _http_error(request, HTTPException(422, "A parameter does not fit."))


async def _busy(request: Request, error: Exception) -> Response:
    answer = _plain_error(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    answer.headers["Retry-After"] = BUSY_RETRY_S
    return answer


async def _gone(request: Request, error: Exception) -> Response:
    """Answer nobody: who sent the body has hung up."""
    del request, error
    return Response(status_code=400)


async def _error_page(request: Request, error: HTTPException) -> Response:
    heading = HTTPStatus(error.status_code).phrase
    message = "" if error.detail == heading else error.detail
    heading = heading.capitalize()
    if error.status_code == HTTPStatus.NOT_FOUND:
        message = message or "There is no such page."
    visit = await server_of(request).visit(request)
    return await visit.page("error.html", error.status_code, heading=heading, message=message)


def _plain_error(request: Request, status: int, message: str) -> Response:
    """Answer when something broke, with nothing that might be broken too."""
    if _is_api(request):
        return _json_error(status, message)
    text = escape(message[:1].upper() + message[1:])
    title = HTTPStatus(status).phrase
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>{title}</title><h1>{title}</h1><p>{text}.</p>'
        '<p><a href="/">To the scoreboard</a></p></html>',
        status,
    )


def _json_error(status: int, message: str) -> JSONResponse:
    answer = RefusalAnswer(reason=REASONS.get(status, "refused"), message=message)
    return JSONResponse(answer.model_dump(mode="json"), status)


def _is_api(request: Request) -> bool:
    path = request.scope["path"]
    return path.startswith("/api/") or path in {"/healthz", "/metrics", "/bundle.zip"}
