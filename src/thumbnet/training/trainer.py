"""The loop: steps, epochs, judging, saving, stopping."""

import math
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from torch import Tensor

from thumbnet.build import build_optimizer
from thumbnet.checkpoint import load_tensors
from thumbnet.errors import DivergedError, RecipeError
from thumbnet.evaluation.evaluate import Judge
from thumbnet.model_folder import WEIGHTS
from thumbnet.optim.schedules import Plateau
from thumbnet.recipe import PlateauSpec
from thumbnet.runs import RunFolder
from thumbnet.training.adaptation import Adaptation
from thumbnet.training.control import Command, Inbox
from thumbnet.training.divergence import has_blown_up
from thumbnet.training.engine import Engine
from thumbnet.training.events import (
    Ended,
    EpochEnded,
    Event,
    Handled,
    Observer,
    Saved,
    Slow,
    Stepped,
    Watched,
)
from thumbnet.training.feed import Feed
from thumbnet.training.freezer import Freezer
from thumbnet.training.hand import Hand, Intervention, Replay
from thumbnet.training.keeper import Keeper
from thumbnet.training.outside import Outside
from thumbnet.training.phases import StepPlan
from thumbnet.training.ranks import ALONE, Ranks
from thumbnet.training.results import Result, make_row
from thumbnet.training.state import TrainState
from thumbnet.training.step import seed_step, train_step

LOOK_EVERY_S = 0.25  # how often the loss is read where that waits for the device


class Trainer:
    """Runs the steps of a plan from where its state stands, and heeds the hand.

    `coming` are acts to do again at their steps; with `replay` the run ends where its model did,
    and clock and inbox play no part. Several ranks decide alike: by the news, which are the first
    one's, and by what they have added up; the first alone writes and tells.
    """

    def __init__(
        self,
        run: RunFolder,
        hand: Hand,
        state: TrainState,
        engine: Engine,
        feed: Feed,
        judge: Judge,
        inbox: Inbox,
        observers: Sequence[Observer] = (),
        adaptation: Adaptation | None = None,
        coming: Sequence[Intervention] = (),
        replay: Replay | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.adaptation = adaptation
        self.run, self.hand, self.state, self.engine = run, hand, state, engine
        self.feed, self.judge, self.observers = feed, judge, observers
        self.coming, self.replay = list(coming), replay
        self.ranks, self.recipe = ranks, hand.recipe
        self.outside = Outside(inbox, ranks, state.wall_s)
        self.keeper = Keeper(run, self.recipe.sha256(), writes=ranks.is_first)
        self.freezer = Freezer()
        self._stopped = self._paused = self._saved = False
        self._began_s = 0.0
        self._looked = monotonic()

    def fit(self) -> Result:
        """Train to the end of the plan, or until something ends it earlier.

        Raises: DivergedError where the loss is not finite; CheckpointError where a save fails
        """
        seed = self.recipe.training.seed
        with self.outside:
            self._heed_news()
            while (reason := self._reason_to_end()) is None:
                self._adapt()
                at = self._enter(self.hand.plan.at(self.state.step))
                seed_step(seed, at.step, self.engine.device, self.ranks.world.rank)
                images, labels, mix = self.feed.batch(at)
                self._set_mode(at)
                loss = train_step(
                    self.state, images, labels, at, self.engine, mix, self.ranks, self.feed.weights
                )
                self._count(loss, at)
                if at.snapshot:
                    self._check_weights()
                    self.keeper.snapshot(self.state, at.snapshot, at.epoch + 1)
                if at.ends_epoch:
                    self._end_epoch(at)
                elif self.keeper.is_due():
                    self._save()
                self._heed_news()
                self._learn(at)
            if reason == "interrupted" and not self._at_epoch_end():
                self._save()
        return self._end(reason)

    def _reason_to_end(self) -> str | None:
        training = self.recipe.training
        if self.replay is not None and self.state.step >= self.replay.until:
            if self.replay.reason == "time_budget":
                self._cut()
            return self.replay.reason
        if self.state.step >= self.hand.plan.num_steps:
            return "finished"
        if training.early_stop and self.state.epochs_since_best >= training.early_stop:
            return "early_stop"
        if self._stopped:
            return "stopped"
        if self.replay is None and self._is_out_of_time():
            self._cut()
            return "time_budget"
        return "interrupted" if self.news.stop else None

    def _is_out_of_time(self) -> bool:
        budget_s = self.recipe.training.time_budget_s
        return budget_s is not None and self.news.wall_s >= budget_s

    def _cut(self) -> None:
        """Judge and save what there is, in the middle of an epoch or at its end."""
        budget_s = self.recipe.training.time_budget_s
        if not self._at_epoch_end():
            self._end_epoch(self._shaped(self.hand.plan.at(self.state.step - 1)))
        elif budget_s is None or self.state.wall_s < budget_s:
            self._save()  # else a resume would find some time left

    def _heed_news(self) -> None:
        """Do what is due before the next step: acts to be repeated, then what has come."""
        while self.coming and self.coming[0].step <= self.state.step:
            self._act(replace(self.coming.pop(0), step=self.state.step), None)
        self._hear()
        while self._paused and not (self.news.stop or self._stopped):
            self.outside.pause()
            self._hear()

    def _hear(self) -> None:
        self.news = self.outside.news(commands=self.replay is None)
        for command in self.news.commands:
            self._obey(command)

    def _obey(self, command: Command) -> None:
        self._act(Intervention(self.state.step, command.kind, command.value), command.ident)

    def _act(self, act: Intervention, ident: str | None) -> None:
        refused = None
        try:
            self.hand.apply(act)
        except (RecipeError, TypeError, ValueError) as error:
            refused = str(error)
        self._tell(Handled(act.step, act.kind, act.value, refused, ident))
        if refused is None and act.kind == "skip":
            self._skip_to(int(act.value or 0))
        elif refused is None and act.kind == "threads":
            self.engine.use_threads(int(act.value or 1))
        elif act.kind == "stop":
            self._cut()
            self._stopped = self.replay is None
        elif act.kind in {"pause", "continue"} and self.replay is None:
            self._paused = act.kind == "pause"
            if self._paused:
                self._save()

    def _adapt(self) -> None:
        """Change what a machine slower than estimated makes necessary."""
        self._began_s, self._saved = self.news.wall_s, False
        if self.adaptation is None:
            return
        plan = self.hand.plan
        for change in self.adaptation.due(plan, self.state.step, self.news.wall_s):
            self._act(change, None)
        share = self.adaptation.too_slow(plan, self.state.step, self.state.num_skipped)
        if share is not None:
            self._tell(Slow(self.state.step, plan.num_steps, share))

    def _learn(self, at: StepPlan) -> None:
        """Measure the step that was done, by the clock that all ranks share."""
        if self.adaptation is None:
            return
        seconds = self.news.wall_s - self._began_s
        if at.ends_epoch:
            self.adaptation.evaluated(seconds)
        elif self._saved:
            self.adaptation.disturbed()
        else:
            self.adaptation.stepped(at.phase, seconds)

    def _skip_to(self, step: int) -> None:
        self.state.num_skipped += step - self.state.step
        self.state.step = step

    def _enter(self, at: StepPlan) -> StepPlan:
        """Begin a phase where one begins, and return the step at its learning rate."""
        state = self.state
        if at.phase != state.phase:
            self.freezer.freeze(state.model, ())  # a fresh optimizer is to hold all
            phase = self.hand.plan.phases[at.phase]
            if phase.from_best:
                best = self.run.weights("best") / WEIGHTS
                tensors, _ = self.ranks.told(lambda: load_tensors(best))
                for model in (state.model, state.ema):
                    if model is not None:
                        model.load_state_dict(tensors)
            if phase.fresh_optimizer:
                state.optimizer = build_optimizer(self.recipe, phase.optimizer, state.model)
                state.clip_norm = phase.optimizer.clip_norm
            if phase.own_schedule:
                state.plateau = Plateau()
            state.phase = at.phase
        self.freezer.freeze(state.model, at.freeze)
        return self._shaped(at)

    def _shaped(self, at: StepPlan) -> StepPlan:
        """Return the step at the learning rate that plateau and hand make of the plan's."""
        lr = self.hand.lr
        return replace(at, lr=at.lr * self.state.plateau.scale if lr is None else lr)

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
        waited = now - self._looked >= LOOK_EVERY_S or self.engine.device.type == "cpu"
        if waited and self.ranks.is_first:
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
            "start again with a lower learning rate (--set training.schedule.lr=...), with what "
            "fits the data (--auto), or in fp32 (--set training.precision=fp32)"
        )

    def _end_epoch(self, at: StepPlan) -> None:
        state = self.state
        train_loss = self._mean_loss()
        self._check_weights()
        self.ranks.level(state.judged())
        scores = self.judge(state.judged(), lambda done, total: self._tell(Watched(done, total)))
        if not math.isfinite(scores.loss):
            self._diverge(f"the watched loss is {scores.loss}")
        row = make_row(at, state.step, self.outside.wall_s(), train_loss, scores)
        self._check_holdout([*state.rows, row])
        is_best = state.note(row)
        schedule = self.hand.plan.phases[at.phase].schedule
        if isinstance(schedule, PlateauSpec):
            state.plateau = state.plateau.after(schedule, scores.loss, scores.top1)
        state.loss_sum.zero_()
        state.images_seen = 0
        self.keeper.end_epoch(state, at.epoch + 1, is_best)
        self._save()
        self._tell(EpochEnded(row, scores, is_best))

    def _check_holdout(self, rows: Sequence[dict[str, Any]]) -> None:
        """End a run whose watched loss has blown up, though every number is finite."""
        num_classes = self.recipe.data.num_classes or 2
        done = self.state.step / self.hand.plan.num_steps
        if has_blown_up([row["watch_loss"] for row in rows], num_classes, done):
            guess = math.log(num_classes)
            self._diverge(
                f"the watched loss is {rows[-1]['watch_loss']:,.4g}, far above the {guess:.3g} of "
                f"a network that guesses among {num_classes} classes"
            )

    def _check_weights(self) -> None:
        if not self.state.is_finite():
            self._diverge("a weight is not finite")

    def _save(self) -> None:
        self._check_weights()
        self.state.wall_s = self.outside.wall_s()
        self.keeper.save(self.state)
        self._saved = True
        self._tell(Saved(self.state.step))

    def _end(self, reason: str) -> Result:
        state = self.state
        self._tell(self._ended(reason))
        return Result(
            self.run,
            reason,
            state.best_top1,
            state.best_epoch,
            tuple(state.rows),
            self.outside.wall_s(),
            state.num_skipped,
            self.hand.plan.num_steps,
            state.step - state.num_skipped,
        )

    def _ended(self, reason: str) -> Ended:
        state = self.state
        return Ended(
            reason,
            state.step,
            state.best_top1,
            state.best_epoch,
            self.outside.wall_s(),
            state.num_skipped,
        )

    def _tell(self, event: Event) -> None:
        for observer in self.observers:
            observer(event)
