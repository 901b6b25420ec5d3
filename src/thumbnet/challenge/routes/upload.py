"""What the API and the form do with an uploaded file."""

from hashlib import sha256

from starlette.concurrency import run_in_threadpool

from thumbnet.challenge.context import Server
from thumbnet.challenge.entities import Receipt, Refusal, Team
from thumbnet.challenge.parse import MalformedError, parse_submission
from thumbnet.challenge.routes.answers import CheckAnswer
from thumbnet.challenge.store import Store

STATUS = {"malformed": 422, "quota": 429, "max_entries": 403}
CLOSED_STATUS = 403  # planned, frozen, closed, disabled
BUSY = "too_many"


class TooManyError(Exception):
    """More uploads than a team may send; `wait_s` seconds end that."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many uploads; try again in {wait_s} s")
        self.wait_s = wait_s


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal."""
    if refusal.reason == "malformed" and refusal.retry_at is not None:
        return 429  # too many such files in an hour: this one is not explained
    return STATUS.get(refusal.reason, CLOSED_STATUS)


def slow_down(server: Server, team: Team) -> None:
    """Count an upload of a team, before anything of it is read; a class may share one address.

    Raises: TooManyError where the team sent too many
    """
    if wait_s := server.throttles.token.hit("token", str(team.id)):
        server.meter.uploads[BUSY] += 1
        raise TooManyError(wait_s)


async def submit(
    server: Server, team: Team, content: bytes, note: str, address: str
) -> Receipt | Refusal:
    """Score a file, and show the board that it makes."""
    outcome = await server.writers.run(server.store.submit, team, content, note, address)
    if isinstance(outcome, Receipt):
        server.meter.uploads["accepted"] += 1
        await server.snapshots.changed()
    else:
        server.meter.uploads[outcome.reason] += 1
    return outcome


async def check(server: Server, content: bytes) -> CheckAnswer | Refusal:
    """Read a file as a submission would be, without scoring it or using a slot."""
    errors = await run_in_threadpool(_errors, server.store, content)
    if errors:
        return Refusal("malformed", "The file has errors.", errors=errors)
    snapshot = await server.snapshots.latest()
    return CheckAnswer(
        ok=True,
        num_images=snapshot.challenge.num_images,
        sha256=sha256(content).hexdigest(),
        size_bytes=len(content),
    )


def _errors(store: Store, content: bytes) -> tuple[str, ...]:
    """Say what is wrong with a file, from the names alone."""
    current = store.current()
    known, num_labels = current.truth, 5 if current.rules.metric == "top5" else 1
    try:
        parse_submission(content, known.names, known.wnids, known.class_names, num_labels)
    except MalformedError as error:
        return error.errors
    return ()
