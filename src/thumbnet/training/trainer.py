"""The loop: steps, epochs, judging, saving, stopping."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from torch import Tensor, nn

from thumbnet.checkpoint import write_atomic
from thumbnet.errors import DivergedError
from thumbnet.evaluation.evaluate import Judge, Scores
from thumbnet.model_folder import write_weights
from thumbnet.runs import RunFolder
from thumbnet.training.engine import Engine
from thumbnet.training.events import (
    Ended,
    EpochEnded,
    Event,
    Observer,
    Saved,
    Stepped,
    Watched,
)
from thumbnet.training.feed import Feed
from thumbnet.training.interrupt import StopSignal
from thumbnet.training.pace import Pace
from thumbnet.training.phases import Plan, StepPlan
from thumbnet.training.state import TrainState, save_state
from thumbnet.training.step import seed_step, train_step

COLUMNS = (
    "epoch", "phase", "step", "wall_s", "lr",
    "train_loss", "watch_loss", "watch_top1", "watch_top5",
)  # fmt: skip
SAVE_EVERY_S = 60.0
SAVE_SHARE = 0.01  # of the time since the last save, at most
LOOK_EVERY_S = 0.25  # how often the loss is read where that waits for the device


@dataclass(frozen=True)
class Result:
    """How a run ended. `reason`: finished, early_stop, time_budget or interrupted."""

    run: RunFolder
    reason: str
    best_top1: float
    best_epoch: int
    rows: tuple[dict[str, Any], ...]
    wall_s: float
    num_skipped: int


class Trainer:
    """Runs the steps of a plan from where its state stands."""

    def __init__(
        self,
        run: RunFolder,
        plan: Plan,
        state: TrainState,
        engine: Engine,
        feed: Feed,
        judge: Judge,
        observers: Sequence[Observer] = (),
        pace: Pace | None = None,
    ) -> None:
        self.pace = pace
        self.run, self.plan, self.state, self.engine = run, plan, state, engine
        self.feed, self.judge, self.observers = feed, judge, observers
        self.meta = {"recipe_sha256": plan.recipe.sha256()}
        self._started = monotonic() - state.wall_s
        self._saved = self._looked = monotonic()
        self._save_s = 0.0

    def fit(self) -> Result:
        """Train to the end of the plan, or until something ends it earlier.

        Raises: DivergedError where the loss is not finite; CheckpointError where a save fails
        """
        seed = self.plan.recipe.training.seed
        with StopSignal() as stop:
            while (reason := self._reason_to_end(stop)) is None:
                self._keep_pace()
                at = self.plan.at(self.state.step)
                seed_step(seed, at.step, self.engine.device)
                images, labels = self.feed.batch(at)
                self._set_mode(at)
                loss = train_step(self.state, images, labels, at, self.engine)
                self._count(loss, at)
                if at.ends_epoch:
                    self._end_epoch(at)
                elif self._save_is_due():
                    self._save()
            if reason == "interrupted" and not self._at_epoch_end():
                self._save()
        return self._end(reason)

    def _reason_to_end(self, stop: StopSignal) -> str | None:
        training = self.plan.recipe.training
        if self.state.step >= self.plan.num_steps:
            return "finished"
        if training.early_stop and self.state.epochs_since_best >= training.early_stop:
            return "early_stop"
        if training.time_budget_s and self._wall_s() >= training.time_budget_s:
            if not self._at_epoch_end():
                self._end_epoch(self.plan.at(self.state.step - 1))
            elif self.state.wall_s < training.time_budget_s:
                self._save()  # else a resume would find some time left
            return "time_budget"
        return "interrupted" if stop.requested else None

    def _keep_pace(self) -> None:
        """Under a time budget, leave out the steps there is no time for."""
        if self.pace is not None:
            due = self.pace.due(self.state.step, self._wall_s())
            self.state.num_skipped += due - self.state.step
            self.state.step = due

    def _at_epoch_end(self) -> bool:
        return self.state.images_seen == 0

    def _set_mode(self, at: StepPlan) -> None:
        if self.state.model.training == at.frozen:
            self.state.model.train(not at.frozen)

    def _count(self, loss: Tensor, at: StepPlan) -> None:
        """Add up the epoch's loss; read it when that costs nothing."""
        self.state.loss_sum += loss * (at.last - at.first)
        self.state.images_seen += at.last - at.first
        now, mean = monotonic(), None
        if now - self._looked >= LOOK_EVERY_S or self.engine.device.type == "cpu":
            self._looked = now
            mean = self._mean_loss()
        self._tell(Stepped(at, mean))

    def _mean_loss(self) -> float:
        mean = float(self.state.loss_sum) / self.state.images_seen
        if not math.isfinite(mean):
            self._diverge(f"the loss is {mean}")
        return mean

    def _diverge(self, what: str) -> None:
        state = self.state
        self._tell(self._ended("diverged"))
        kept = "the last good state is kept" if self.run.state_file.is_file() else "nothing is kept"
        raise DivergedError(
            f"{what} at step {state.step} of {self.run.name}: training diverged, {kept}; "
            "start again with a lower learning rate (--set training.schedule.lr=...) or in fp32 "
            "(--set training.precision=fp32)"
        )

    def _end_epoch(self, at: StepPlan) -> None:
        state = self.state
        train_loss = self._mean_loss()
        self._check_weights()
        scores = self.judge(state.judged(), lambda done, total: self._tell(Watched(done, total)))
        if not math.isfinite(scores.loss):
            self._diverge(f"the watched loss is {scores.loss}")
        is_best = scores.top1 > state.best_top1
        if is_best:
            state.best_top1, state.best_epoch, state.epochs_since_best = (
                scores.top1,
                at.epoch + 1,
                0,
            )
        else:
            state.epochs_since_best += 1
        row = self._row(at, train_loss, scores)
        state.rows.append(row)
        state.loss_sum.zero_()
        state.images_seen = 0
        self._write_weights(at, is_best)
        write_atomic(self.run.results_file, format_rows(state.rows))
        self._save()
        self._tell(EpochEnded(row, scores, is_best))

    def _row(self, at: StepPlan, train_loss: float, scores: Scores) -> dict[str, Any]:
        return {
            "epoch": at.epoch + 1,
            "phase": at.phase + 1,
            "step": self.state.step,
            "wall_s": round(self._wall_s(), 1),
            "lr": at.lr,
            "train_loss": round(train_loss, 6),
            "watch_loss": round(scores.loss, 6),
            "watch_top1": scores.top1,
            "watch_top5": scores.top5,
        }

    def _check_weights(self) -> None:
        if not self.state.is_finite():
            self._diverge("a weight is not finite")

    def _write_weights(self, at: StepPlan, is_best: bool) -> None:
        model: nn.Module = self.state.judged()
        for which in ("last", "best") if is_best else ("last",):
            write_weights(self.run.weights(which), model, {**self.meta, "epoch": at.epoch + 1})

    def _save_is_due(self) -> bool:
        since = monotonic() - self._saved
        return since >= SAVE_EVERY_S and self._save_s <= SAVE_SHARE * since

    def _save(self) -> None:
        self._check_weights()
        started = monotonic()
        self.state.wall_s = self._wall_s()
        save_state(self.state, self.run.state_file, self.meta)
        self._saved = monotonic()
        self._save_s = self._saved - started
        self._tell(Saved(self.state.step))

    def _wall_s(self) -> float:
        return monotonic() - self._started

    def _end(self, reason: str) -> Result:
        state = self.state
        self._tell(self._ended(reason))
        return Result(
            self.run,
            reason,
            state.best_top1,
            state.best_epoch,
            tuple(state.rows),
            self._wall_s(),
            state.num_skipped,
        )

    def _ended(self, reason: str) -> Ended:
        state = self.state
        return Ended(
            reason,
            state.step,
            state.best_top1,
            state.best_epoch,
            self._wall_s(),
            state.num_skipped,
        )

    def _tell(self, event: Event) -> None:
        for observer in self.observers:
            observer(event)


def format_rows(rows: Sequence[dict[str, Any]]) -> str:
    """Return the text of results.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
