"""How a command reaches a running job: a line in its folder, read at the next step boundary."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.runs import RunFolder

ANSWER_S = 30.0  # how long a sender waits for the boundary of a step
POLL_S = 0.05


@dataclass(frozen=True)
class Command:
    """A command as it lies in the inbox."""

    ident: str
    kind: str
    value: float | str | None


class Inbox:
    """The commands that arrive while a run is trained; those of before are left alone."""

    def __init__(self, run: RunFolder) -> None:
        self.path = run.control_file
        self._offset = self._size()

    def _size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0

    def take(self) -> list[Command]:
        """Return what has come since the last time."""
        if self._size() <= self._offset:
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        commands = []
        for line in whole.splitlines():
            with suppress(ValueError, KeyError, TypeError):  # written by someone else: not ours
                data = json.loads(line)
                commands.append(Command(data["id"], data["kind"], data["value"]))
        return commands


def send(run: RunFolder, kind: str, value: float | str | None, wait_s: float = ANSWER_S) -> str:
    """Hand a command to whoever trains the run, and return what became of it.

    Raises: CheckpointError for a run that nobody trains; RecipeError where it was refused
    """
    if not is_trained(run):
        how = run.last_event().get("reason")
        ended = f"; it ended: {how}" if how else ""
        raise CheckpointError(
            f"{run.name} is not being trained by a process on this machine{ended}; "
            f"`thumbnet resume {run.name}` goes on with it, where it is not finished"
        )
    ident = uuid.uuid4().hex
    line = json.dumps({"id": ident, "kind": kind, "value": value}) + "\n"
    seen = run.events_file.stat().st_size if run.events_file.exists() else 0
    try:
        with run.control_file.open("ab", buffering=0) as file:
            file.write(line.encode())  # one write: lines of two senders do not mix
    except OSError as error:
        raise CheckpointError(f"cannot write {run.control_file}: {error}") from None
    until = monotonic() + wait_s
    while monotonic() < until:
        for event in _after(run, seen):
            if event.get("id") == ident:
                if event["refused"]:
                    raise RecipeError(event["refused"])
                return f"done before step {event['step']}"
        sleep(POLL_S)
    return "handed over; it acts when the step that is running ends"


def _after(run: RunFolder, offset: int) -> list[dict[str, Any]]:
    with suppress(OSError), run.events_file.open("rb") as file:
        file.seek(offset)
        lines = file.read().splitlines()
        events = []
        for line in lines:
            with suppress(ValueError):
                events.append(json.loads(line))
        return events
    return []


@contextmanager
def sole(run: RunFolder) -> Iterator[Inbox]:
    """Hold a run for as long as it is trained; the system lets go of it when the process dies.

    The inbox takes every command that is sent from then on, also those sent before the first step.

    Raises: CheckpointError where another process trains it
    """
    with hold(run.lock_file) as held:
        if not held:
            raise CheckpointError(
                f"{run.name} is being trained by another process; "
                f"`thumbnet control {run.name} stop` ends that"
            )
        yield Inbox(run)


@contextmanager
def hold(path: Path) -> Iterator[bool]:
    """Lock a file, which is made, and say whether that is done; else another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield _lock(file)


def is_trained(run: RunFolder) -> bool:
    """Tell whether a process on this machine trains the run now."""
    if not run.lock_file.exists():
        return False
    with run.lock_file.open("a") as file:
        return not _lock(file)


def _lock(file: IO[str]) -> bool:
    """Take the lock until the file is closed; where the system has none, all are free."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
