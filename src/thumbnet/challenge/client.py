"""Talk to a challenge server: submit, check, and read the scoreboard."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from thumbnet.challenge.entities import Score
from thumbnet.errors import SubmissionError

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 30.0
CONNECT_S, CHECK_IN_S = 5.0, 10.0  # a server that is not there is said so soon
BUSY_S = 60.0  # how long a request waits for a busy server, over all its tries
WORTH_WAITING = {"quota", "too_many", "planned", "busy"}


class RefusedError(SubmissionError):
    """The server did not take a file; it cost no slot.

    `reason` is the server's word for it, `retry_at` when to come again, `errors` all that is wrong
    with a malformed file.
    """

    def __init__(
        self,
        message: str,
        reason: str,
        retry_at: datetime | None = None,
        errors: tuple[str, ...] = (),
    ) -> None:
        super().__init__("\n".join((message, *errors)))
        self.reason, self.retry_at, self.errors = reason, retry_at, errors

    @property
    def can_wait(self) -> bool:
        """Whether the same file may be taken at `retry_at`."""
        return self.retry_at is not None and self.reason in WORTH_WAITING


@dataclass(frozen=True)
class Sent:
    """The receipt of an accepted submission; `next_slot` is None for at once."""

    id: str
    number: int
    team: str
    received: datetime
    sha256: str
    size_bytes: int
    score: Score
    note: str
    next_slot: datetime | None
    entries_left: int | None


class Client:
    """A participant's side of a challenge.

    Args: url: of the server, as in a browser; https, or http on this computer
        token: of the team; reading rules and scoreboard takes none
        allow_http: send the token unencrypted over a network; on_busy: called with the seconds
        until the next try, where the server is busy (429 or 503) and says when to try again
    Raises: SubmissionError for an address that will not do
    Example: Client("https://challenge.example", token).submit(Path("labels.txt").read_bytes())
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        allow_http: bool = False,
        timeout_s: float = TIMEOUT_S,
        on_busy: Callable[[float], None] | None = None,
    ) -> None:
        self.url = _checked_url(url, allow_http)
        if token is not None and not (token.isascii() and token.isprintable() and token.split()):
            raise SubmissionError("the token holds characters that no token has; copy it again")
        self._token = token.strip() if token else None
        self._on_busy = on_busy
        self._clock_offset = timedelta(0)
        self._http = _open(self.url, timeout_s)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def challenge(self) -> dict[str, Any]:
        """Return the rules, the classes and the server's time."""
        return self._json(self._send("GET", "challenge"))

    def board(self) -> dict[str, Any]:
        """Return the scoreboard, best team first."""
        return self._json(self._send("GET", "board"))

    def submissions(self) -> dict[str, Any]:
        """Return the team's own entries, and its next slot."""
        return self._json(self._send("GET", "submissions", own=True))

    def check_in(self) -> None:
        """Make sure, within seconds, that the server answers and knows the token.

        Raises: SubmissionError
        """
        self._send("GET", "submissions", own=True, timeout_s=CHECK_IN_S)

    def next_slot(self) -> datetime | None:
        """Return when the team may submit next, None for now."""
        answer = self.submissions()
        try:
            return moment(answer["next_slot"])
        except (KeyError, TypeError, ValueError) as error:
            raise self.strange(f"a slot that is none ({error!r})") from None

    def check(self, content: bytes) -> dict[str, Any]:
        """Have the server read a file without scoring it; that uses no slot.

        Raises: RefusedError with all that is wrong with it
        """
        return self._json(self._send("POST", "check", content, own=True))

    def submit(self, content: bytes, note: str = "") -> Sent:
        """Submit a file and return its receipt.

        Raises: RefusedError where it is not taken; SubmissionError where no answer comes
        """
        answer = self._json(self._send("POST", "submissions", content, own=True, note=note))
        try:
            sent = Sent(
                id=str(answer["id"]),
                number=int(answer["number"]),
                team=str(answer["team"]),
                received=datetime.fromisoformat(answer["received"]),
                sha256=str(answer["sha256"]),
                size_bytes=int(answer["size_bytes"]),
                score=Score(**answer["score"]),
                note=str(answer["note"]),
                next_slot=moment(answer["next_slot"]),
                entries_left=answer["entries_left"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self.strange(f"a receipt without {error}") from None
        if sent.sha256 != sha256(content).hexdigest():
            raise SubmissionError(
                f"entry {sent.number} was taken, but its file changed on the way (sha256 "
                f"{sent.sha256}); tell the organizers, and give them the entry's id {sent.id}"
            )
        return sent

    def now(self) -> datetime:
        """Return the server's time, to the second, as far as its last answer told it."""
        return datetime.now(UTC) + self._clock_offset

    def wait_until(
        self,
        slot: datetime | None,
        tell: Callable[[datetime], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Sleep until a slot comes by the server's clock; None has come.

        Args: tell: called with the server's time about each second
        """
        while slot is not None and (left := (slot - self.now()).total_seconds()) > 0:
            if tell is not None:
                tell(self.now())
            sleep(min(1.0, left))

    def _send(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        *,
        own: bool = False,
        note: str = "",
        timeout_s: float | None = None,
    ) -> "httpx.Response":
        headers = {"Accept": "application/json"}
        if own:
            if self._token is None:
                raise SubmissionError(
                    "this takes your team's token; give it by --token, in THUMBNET_TOKEN, or in a "
                    "file that only you can read"
                )
            headers["Authorization"] = f"Bearer {self._token}"
        if method == "POST":
            headers["Content-Type"] = "text/plain; charset=utf-8"
        if note:
            headers["X-Note"] = quote(note, safe="")
        tries_end = time.monotonic() + BUSY_S
        while True:
            answer = self._ask(method, path, headers, content, timeout_s)
            wait_s = busy_s(answer)
            if wait_s is None or time.monotonic() + wait_s > tries_end:
                break
            if self._on_busy is not None:
                self._on_busy(wait_s)
            time.sleep(wait_s)
        if not answer.is_success:
            raise self._refusal(answer)
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        content: bytes,
        timeout_s: float | None,
    ) -> "httpx.Response":
        import httpx

        soon = httpx.Timeout(timeout_s, connect=CONNECT_S)
        timeout = self._http.timeout if timeout_s is None else soon
        try:
            answer = self._http.request(
                method,
                f"{self.url}/api/v1/{path}",
                headers=headers,
                content=content or None,
                timeout=timeout,
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise SubmissionError(
                f"cannot reach {self.url} ({error}); check the address and the network"
            ) from None
        except httpx.HTTPError as error:
            what = error if str(error) else type(error).__name__
            advice = (
                "; it may have been taken: look at `thumbnet submissions` before you send it again"
                if path == "submissions" and method == "POST"
                else "; try again"
            )
            raise SubmissionError(f"no answer from {self.url} ({what}){advice}") from None
        self._set_clock(answer)
        return answer

    def _set_clock(self, answer: "httpx.Response") -> None:
        try:
            date = parsedate_to_datetime(answer.headers["date"])
        except (KeyError, ValueError):
            return
        if date.tzinfo is not None:
            # The header is cut to whole seconds: half of one is the mean of what was lost.
            self._clock_offset = date + timedelta(seconds=0.5) - datetime.now(UTC)

    def _refusal(self, answer: "httpx.Response") -> SubmissionError:
        status = answer.status_code
        if answer.is_redirect:
            target = answer.headers.get("location", "another address")
            return SubmissionError(f"{self.url} sends on to {target}; give that address, if it is")
        if status == 401:
            return SubmissionError(
                f"{self.url} does not know this token; copy it again, or ask the organizers for a "
                "new one"
            )
        try:
            body = answer.json()
            message, reason = str(body["message"]), str(body["reason"])
            errors = tuple(str(error) for error in body.get("errors") or ())
            retry_at = moment(body.get("retry_at"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.strange(f"status {status}")
        if retry_at is None and answer.headers.get("retry-after", "").isdecimal():
            retry_at = self.now() + timedelta(seconds=int(answer.headers["retry-after"]))
        return RefusedError(message, reason, retry_at, errors)

    def _json(self, answer: "httpx.Response") -> dict[str, Any]:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self.strange("an answer that is no JSON")
        return body

    def strange(self, what: str) -> SubmissionError:
        """Make the error of an answer that no challenge gives."""
        return SubmissionError(
            f"{self.url} answered with {what}; is it the address of a challenge, and is this "
            "thumbnet as new as the server's?"
        )


def busy_s(answer: "httpx.Response") -> float | None:
    """Return after how many seconds to ask a busy server again; None where it is not busy.

    A little longer than it says, by chance: those who were refused together come apart.
    """
    seconds = answer.headers.get("retry-after", "")
    if answer.status_code not in (429, 503) or not seconds.isdecimal():
        return None
    try:
        reason = answer.json()["reason"]
    except (ValueError, KeyError, TypeError):
        reason = "busy"  # a proxy's answer
    if answer.status_code == 429 and reason != "too_many":  # a quota, say
        return None
    return int(seconds) + random.uniform(0.0, 1.0)


def moment(text: str | None) -> datetime | None:
    """Read a time of the API; None stays None."""
    return None if text is None else datetime.fromisoformat(text)


def _open(url: str, timeout_s: float) -> "httpx.Client":
    try:
        import httpx
    except ImportError:
        raise SubmissionError(
            "talking to a challenge takes httpx; install it: pip install 'thumbnet[client]'"
        ) from None
    # Ignore proxies for addresses of this computer.
    timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S))
    return httpx.Client(timeout=timeout, trust_env=not _is_loopback(url))


def _checked_url(url: str, allow_http: bool) -> str:
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname)
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise SubmissionError(f"'{url}' is no address of a server; give https://HOST[:PORT]")
    if parts.username is not None or parts.query or parts.fragment:
        raise SubmissionError("the address takes no user, query or fragment; give https://HOST")
    bare = url.strip().rstrip("/")
    if parts.scheme == "http" and not allow_http and not _is_loopback(bare):
        raise SubmissionError(
            f"{bare} is unencrypted, and whoever listens would have the token; give https://, or "
            "--allow-http where the network is your own"
        )
    return bare


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
