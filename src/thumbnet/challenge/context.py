"""What routes work with: the store and everything around it, made once for an app."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Any, TypeVar

from fastapi import Depends, HTTPException
from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from thumbnet.challenge.connection import max_connections
from thumbnet.challenge.forms import read_form
from thumbnet.challenge.meter import Meter
from thumbnet.challenge.rendering import environment
from thumbnet.challenge.sessions import Sessions, Throttle, Ticket, Viewer
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.snapshot import Snapshots
from thumbnet.challenge.store import Store
from thumbnet.challenge.store_access import Owner
from thumbnet.challenge.turns import Turns

NUM_WRITERS = 8  # threads and connections that write; readers have others
PASSWORD_WAIT_S = 5.0  # checking a password takes 64 MiB, so it is done for one at a time


class Form(BaseModel):
    """The fields of a form; one that is not named cannot be set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    csrf: str


FormType = TypeVar("FormType", bound=Form)


@dataclass(frozen=True)
class Throttles:
    """Limits on logging in and uploading; reading has none."""

    login: Throttle
    address: Throttle
    token: Throttle


@dataclass(frozen=True)
class Server:
    """All that a route may need."""

    settings: Settings
    store: Store
    clock: Callable[[], datetime]
    snapshots: Snapshots
    sessions: Sessions
    throttles: Throttles
    writers: Turns
    passwords: Turns
    meter: Meter
    templates: Environment

    @classmethod
    def of(cls, settings: Settings, store: Store, clock: Callable[[], datetime]) -> "Server":
        """Put together what an app needs."""
        templates = environment()
        https = settings.public_url.startswith("https://")
        max_listeners = min(settings.max_listeners, max_connections() * 3 // 4)
        lasts = timedelta(hours=settings.session_hours)
        return cls(
            settings=settings,
            store=store,
            clock=clock,
            snapshots=Snapshots(store, clock, templates, max_listeners),
            sessions=Sessions(settings.secret_key, https, lasts, clock),
            throttles=Throttles(
                login=Throttle(settings.login_limit),
                address=Throttle(settings.upload_limit),
                token=Throttle(settings.token_upload_limit),
            ),
            writers=Turns(NUM_WRITERS, store.patience.write_s),
            passwords=Turns(1, PASSWORD_WAIT_S),
            meter=Meter(),
            templates=templates,
        )

    async def visit(self, request: Request) -> "Visit":
        """Find out who asks."""
        ticket = self.sessions.read(request)
        if ticket is None:
            return Visit(self, request, None, Viewer(csrf=""))
        owner: Owner | None = Owner()
        if ticket.is_login:
            owner = await run_in_threadpool(
                self.store.owner, ticket.nonce, ticket.team, ticket.admin
            )
        if owner is None:  # logged out
            return Visit(self, request, None, Viewer(csrf=""))
        viewer = Viewer(self.sessions.csrf(ticket), owner.team, owner.is_admin)
        return Visit(self, request, ticket, viewer)


@dataclass
class Visit:
    """One request for a page, and who makes it."""

    server: Server
    request: Request
    ticket: Ticket | None
    viewer: Viewer

    def with_form(self) -> "Visit":
        """Make sure that there is a session, which a form needs for its CSRF token."""
        if self.ticket is None:
            ticket = self.server.sessions.issue()
            csrf = self.server.sessions.csrf(ticket)
            return Visit(self.server, self.request, ticket, Viewer(csrf))
        return self

    async def fields(self, model: type[FormType]) -> FormType:
        """Read a form of our own.

        Raises: HTTPException where it was sent from elsewhere, or has other fields
        """
        return checked(model, await self.form())

    async def form(self) -> dict[str, str | bytes]:
        """Read a form, and refuse it where it was not sent from our own page; a file is bytes."""
        fields = await read_form(self.request)
        if self.server.sessions.is_forged(self.request, self.ticket, fields):
            raise HTTPException(403, "The form is too old or came from elsewhere. Load it again.")
        return fields

    async def page(self, name: str, status: int = 200, **values: Any) -> Response:
        """Render a page."""
        server = self.server
        snapshot = await server.snapshots.latest()
        text = server.templates.get_template(name).render(
            {
                "challenge": snapshot.challenge,
                "viewer": self.viewer,
                "here": self.request.scope["path"],
                "now": server.clock(),
                **values,
            }
        )
        headers = {"Cache-Control": "no-store" if self.ticket else "no-cache"}
        response = HTMLResponse(text, status, headers)
        if self.ticket is not None and self.ticket != server.sessions.read(self.request):
            server.sessions.write(response, self.ticket)
        return response


def checked(model: type[FormType], form: Mapping[str, Any]) -> FormType:
    """Return the fields of a form.

    Raises: HTTPException where one is missing, too long or unknown
    """
    try:
        return model.model_validate(dict(form))
    except ValidationError:
        raise HTTPException(422, "The form does not fit. Load it again.") from None


def see_other(path: str) -> RedirectResponse:
    """Send a browser on after a form, so that loading again does not send it again."""
    return RedirectResponse(path, status_code=303)


def address_of(request: Request) -> str:
    """Return the address that limits count for: of IPv6 the network, which one house has whole."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(IPv6Address(int(address) >> 64 << 64)) if address.version == 6 else host


def server_of(request: Request) -> Server:
    """Return the server of a request's app."""
    server: Server = request.app.state.server
    return server


async def _server(request: Request) -> Server:
    return server_of(request)  # async: else FastAPI would call it in a thread, at each request


ServerDep = Annotated[Server, Depends(_server)]


async def visit_of(request: Request) -> Visit:
    """Find out who asks for a page."""
    return await server_of(request).visit(request)


VisitDep = Annotated[Visit, Depends(visit_of)]
