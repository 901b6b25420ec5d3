"""What a run tells those who watch it; observers read and cannot change training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from thumbnet.evaluation.evaluate import Scores
from thumbnet.training.forecast import Forecast
from thumbnet.training.phases import Plan, StepPlan


@dataclass(frozen=True)
class Started:
    """The first step is about to run; `step` is not 0 on a resumed run.

    `num_ranks` processes train together; `path` is the run's folder.
    """

    run: str
    plan: Plan
    forecast: Forecast
    step: int
    picks: dict[str, Any]
    num_watched: int
    num_ranks: int = 1
    path: Path = Path()


@dataclass(frozen=True)
class Stepped:
    """A step is done; `loss` is the mean of the running epoch, known every so often."""

    at: StepPlan
    loss: float | None


@dataclass(frozen=True)
class Watched:
    """`done` of `total` watched images are judged."""

    done: int
    total: int


@dataclass(frozen=True)
class EpochEnded:
    """An epoch's line of results.csv is written."""

    row: dict[str, Any]
    scores: Scores
    is_best: bool


@dataclass(frozen=True)
class Saved:
    """The state up to this step is on disk."""

    step: int


@dataclass(frozen=True)
class Handled:
    """An intervention took effect before step `step`, or was refused; see `Intervention`."""

    step: int
    kind: str
    value: float | str | None
    refused: str | None = None
    ident: str | None = None


@dataclass(frozen=True)
class Slow:
    """The machine is so slow that only a `share` of the `num_steps` planned can be trained."""

    step: int
    num_steps: int
    share: float


@dataclass(frozen=True)
class Ended:
    """The run is over.

    `reason`: finished, early_stop, time_budget, stopped, interrupted, diverged.
    """

    reason: str
    step: int
    best_top1: float
    best_epoch: int
    wall_s: float
    num_skipped: int = 0


Event = Started | Stepped | Watched | EpochEnded | Saved | Handled | Slow | Ended


class Observer(Protocol):
    """Hears every event of a run."""

    def __call__(self, event: Event) -> None:
        """Read one event."""
