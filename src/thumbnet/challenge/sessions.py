"""Who looks at a page: a signed cookie, a CSRF token from it, and limits on guessing."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from secrets import token_urlsafe
from time import time
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request
from starlette.responses import Response

from thumbnet.challenge.entities import Team

BROWSER_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Ticket:
    """What the cookie says. A new token of the team, or password of the admin, ends the session.

    `team` is the hash of the team's token and `admin` the seal of the admin's password; each is
    empty unless a team or the admin is logged in.
    """

    nonce: str
    at: float
    team: str = ""
    admin: str = ""

    @property
    def is_login(self) -> bool:
        """Whether somebody is logged in."""
        return bool(self.team or self.admin)


@dataclass(frozen=True)
class Viewer:
    """Who asks for a page, and the token that must stand in the forms it sends."""

    csrf: str
    team: Team | None = None
    is_admin: bool = False


ANONYMOUS = Viewer(csrf="")


class Sessions:
    """Signs and reads the cookie. The server keeps only which sessions were ended."""

    def __init__(
        self, secret: str, https: bool, lasts: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._lasts = lasts
        self._signer = URLSafeSerializer(secret, salt="session")
        self._browser_signer = URLSafeSerializer(secret, salt="browser")
        self._secret = secret.encode()
        self._https = https
        self._clock = clock
        prefix = "__Host-" if https else ""
        self.cookie, self.browser_cookie = f"{prefix}session", f"{prefix}browser"

    def read(self, request: Request) -> Ticket | None:
        """Return the ticket of a request; None where there is none, or it is forged or old."""
        try:
            held: dict[str, Any] = self._signer.loads(request.cookies.get(self.cookie, ""))
            ticket = Ticket(**held)
        except (BadSignature, TypeError):
            return None
        return ticket if self._clock() < self.ends(ticket) else None

    def issue(self, team: str = "", admin: str = "") -> Ticket:
        """Return a new ticket; a login always makes one, so that none can be planted before."""
        return Ticket(token_urlsafe(16), self._clock().timestamp(), team, admin)

    def ends(self, ticket: Ticket) -> datetime:
        """Return when a ticket is too old."""
        return datetime.fromtimestamp(ticket.at, tz=UTC) + self._lasts

    def write(self, response: Response, ticket: Ticket) -> None:
        """Put a ticket into the cookie."""
        response.set_cookie(
            self.cookie,
            self._signer.dumps(vars(ticket)),
            max_age=int(self._lasts.total_seconds()),
            path="/",
            secure=self._https,
            httponly=True,
            samesite="lax",
        )

    def forget(self, response: Response) -> None:
        """Take the cookie away."""
        response.delete_cookie(
            self.cookie, path="/", secure=self._https, httponly=True, samesite="lax"
        )

    def remember_browser(self, response: Response, seal: str) -> None:
        """Let a browser in which the admin logged in be known again, until the next password."""
        response.set_cookie(
            self.browser_cookie,
            self._browser_signer.dumps([token_urlsafe(16), seal]),
            max_age=BROWSER_S,
            path="/",
            secure=self._https,
            httponly=True,
            samesite="lax",
        )

    def known_browser(self, request: Request, seal: str) -> str | None:
        """Return the number of a browser in which the admin has logged in; None for others."""
        try:
            number, given = self._browser_signer.loads(request.cookies.get(self.browser_cookie, ""))
        except (BadSignature, TypeError, ValueError):
            return None
        return str(number) if given == seal else None

    def csrf(self, ticket: Ticket) -> str:
        """Return the token that forms of this session carry."""
        return hmac.new(self._secret, f"csrf {ticket.nonce}".encode(), "sha256").hexdigest()

    def is_forged(self, request: Request, ticket: Ticket | None, fields: Mapping[str, Any]) -> bool:
        """Tell whether a form was sent from somewhere else than our own page."""
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return True
        given = fields.get("csrf")
        if ticket is None or not isinstance(given, str):
            return True
        return not hmac.compare_digest(given.encode(), self.csrf(ticket).encode())


class Throttle:
    """So many tries in a while for a key, within this process."""

    def __init__(self, rate: str) -> None:
        self._limits = parse_many(rate)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def wait_s(self, *key: str) -> int:
        """Return how many seconds a key must wait, 0 where it may go on. Counts as no try."""
        full = [limit for limit in self._limits if not self._window.test(limit, *key)]
        ends = [self._window.get_window_stats(limit, *key).reset_time for limit in full]
        return max(1, ceil(max(ends) - time())) if ends else 0

    def hit(self, *key: str) -> int:
        """Count a try, and return how many seconds the key must wait; 0 where it may go on."""
        if wait_s := self.wait_s(*key):
            return wait_s
        for limit in self._limits:
            self._window.hit(limit, *key)
        return 0
