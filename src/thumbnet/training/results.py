"""How a run ended, and the lines of its results.csv."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thumbnet.evaluation.evaluate import Scores
from thumbnet.runs import RunFolder
from thumbnet.training.phases import StepPlan

COLUMNS = (
    "epoch", "phase", "step", "wall_s", "lr",
    "train_loss", "watch_loss", "watch_top1", "watch_top5",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """How a run ended.

    `reason`: finished, early_stop, time_budget, stopped or interrupted. Of `num_steps` planned
    steps, `num_skipped` were left out to stay within a time budget and `num_trained` were trained.
    """

    run: RunFolder
    reason: str
    best_top1: float
    best_epoch: int
    rows: tuple[dict[str, Any], ...]
    wall_s: float
    num_skipped: int
    num_steps: int
    num_trained: int


def make_row(
    at: StepPlan, step: int, wall_s: float, train_loss: float, scores: Scores
) -> dict[str, Any]:
    """Return the line of an epoch whose last step was `at`."""
    return {
        "epoch": at.epoch + 1,
        "phase": at.phase + 1,
        "step": step,
        "wall_s": round(wall_s, 1),
        "lr": at.lr,
        "train_loss": round(train_loss, 6),
        "watch_loss": round(scores.loss, 6),
        "watch_top1": scores.top1,
        "watch_top5": scores.top5,
    }


def format_rows(rows: Sequence[dict[str, Any]]) -> str:
    """Return the text of results.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
