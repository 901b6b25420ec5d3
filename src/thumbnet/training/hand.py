"""The hand on a running job: what was changed, at which step, and what that does to the plan."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from thumbnet.errors import CheckpointError, RecipeError, reason_of
from thumbnet.recipe import RecipeSpec
from thumbnet.training.phases import Plan

MAX_LR = 100.0
SCRIPTED = {"lr", "epochs", "note"}  # what a resumed run does again that a crash had undone


@dataclass(frozen=True)
class Intervention:
    """One change of a running job, before step `step`.

    `lr` with None is the schedule's again. A person asks for lr, epochs, note, stop, pause and
    continue; `skip` and `threads` are issued by `Adaptation`.
    """

    step: int
    kind: str
    value: float | str | None = None

    def __str__(self) -> str:
        value = "auto" if self.kind == "lr" and self.value is None else self.value
        return self.kind if value is None else f"{self.kind} {value}"


def parse_command(words: Sequence[str]) -> tuple[str, float | str | None]:
    """Read `lr=0.0003`, `lr=auto`, `epochs=90`, `stop`, `pause`, `continue` or `note TEXT`.

    Raises: RecipeError
    """
    first, text = words[0], " ".join(words[1:])
    key, equals, value = first.partition("=")
    if key == "note" and not equals and text:
        return "note", text
    if first in {"stop", "pause", "continue"} and not text:
        return first, None
    if first == "lr=auto" and not text:
        return "lr", None
    if key in {"lr", "epochs"} and equals and not text:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        most = MAX_LR if key == "lr" else 100_000
        if 0 < number <= most:
            return key, number
        raise RecipeError(f"{key}={value}: give a number above 0 and at most {most:g}")
    raise RecipeError(
        f"cannot do '{' '.join(words)}'; allowed: lr=NUMBER, lr=auto, epochs=NUMBER, stop, pause, "
        'continue, note "TEXT"'
    )


@dataclass(frozen=True)
class Replay:
    """What a run repeats: the acts of another, up to its last step."""

    acts: tuple[Intervention, ...]
    until: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "acts": [asdict(act) for act in self.acts],
            "until": self.until,
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Replay":
        """Read what `to_dict` wrote."""
        return cls(tuple(Intervention(**a) for a in data["acts"]), data["until"], data["reason"])


def read_acts(events_file: Path, step: int | None = None) -> tuple[Intervention, ...]:
    """Return the acts that made a run what it is, in order, from its events.

    Whatever a crash undid before a resume is left out, and so is what lies after `step`.

    Raises: CheckpointError for a damaged file
    """
    acts: list[Intervention] = []
    for event in _events(events_file):
        if event.get("event") in {"started", "resumed"}:
            acts = [act for act in acts if _leads_to(act) <= event["step"]]
        elif event.get("event") == "hand" and event.get("refused") is None:
            acts.append(Intervention(event["step"], event["kind"], event["value"]))
    return tuple(act for act in acts if step is None or act.step <= step)


def most_ranks(events_file: Path) -> int:
    """Return how many processes trained a run, the most where a resume changed their number."""
    return max((int(event.get("num_ranks", 1)) for event in _events(events_file)), default=1)


def _leads_to(act: Intervention) -> int:
    """Return the step that a run goes on with after an act."""
    return int(act.value or 0) if act.kind == "skip" else act.step


def _events(path: Path) -> Iterable[dict[str, Any]]:
    if not path.is_file():
        return
    lines = path.read_bytes().split(b"\n")[:-1]  # without the half line a crash may have left
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
            yield {"event": event["event"], **event}
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{path} is damaged in line {number}: {reason_of(error)}"
            ) from None


class Hand:
    """The plan as changed by hand so far; a pure function of the acts."""

    def __init__(self, recipe: RecipeSpec, plan: Plan, acts: Iterable[Intervention] = ()) -> None:
        self.recipe, self.plan = recipe, plan
        self.lr: float | None = None
        self.threads: int | None = None
        for act in acts:
            self.apply(act)

    def apply(self, act: Intervention) -> None:
        """Change the plan.

        Raises: RecipeError where the act cannot be done at its step
        """
        if act.kind == "lr":
            self.lr = None if act.value is None else float(act.value)
        elif act.kind == "threads":
            self.threads = int(act.value or 1)
        elif act.kind == "epochs":
            assert act.value is not None
            self.plan = self.plan.with_epochs(float(act.value), act.step)
