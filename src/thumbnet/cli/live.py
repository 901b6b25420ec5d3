"""What a person sees while a run trains: a bar for the whole run, or plain lines."""

from math import ceil
from time import monotonic
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from thumbnet.cli.duration import format_duration
from thumbnet.cli.output import err
from thumbnet.training.events import Ended, EpochEnded, Event, Handled, Started, Stepped, Watched
from thumbnet.training.forecast import Forecast
from thumbnet.training.recorder import describe_act, describe_row

LINE_EVERY_S = 30.0
REDRAW_EVERY_S = 0.25
SETTLE_STEPS = 3  # the first steps also warm caches


class LiveTraining:
    """An observer with a clock: the time left is that of the whole run, judging included."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._drawn = self._last_line = monotonic()

    def __enter__(self) -> Self:
        if err.is_terminal:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %  {task.fields[note]}"),
                console=err,
                refresh_per_second=4,
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Stepped):
            self._step(event)
        elif isinstance(event, Watched):
            self._show(f"judging {event.done}/{event.total}")
        elif isinstance(event, EpochEnded):
            self._clock.judged(monotonic())
            err.print(describe_row(event.row) + ("  best" if event.is_best else ""))
            self._last_line = monotonic()
        elif isinstance(event, Handled):
            self._hand(event)
        elif isinstance(event, Ended):
            self._show(event.reason, force=True)

    def _start(self, event: Started) -> None:
        plan, forecast = event.plan, event.forecast
        self._run = event.run
        self._plan, self._clock = plan, _Clock(event)
        picks = event.picks
        err.print(
            f"{event.run}: {plan.recipe.model.name}, {plan.num_images} images, "
            f"{plan.recipe.num_epochs:g} epochs in {plan.num_steps} steps; "
            f"{picks['device']}, {picks['precision']}, {picks['memory_format']}, "
            f"{picks['threads']} threads"
            + ("" if picks["step"] == "eager" else f", {picks['step']}")
            + (f", each of {event.num_ranks} processes" if event.num_ranks > 1 else "")
        )
        for number, phase in enumerate(plan.phases):
            err.print(
                f"phase {number + 1}: {phase.num_steps / phase.steps_per_epoch:g} epochs at "
                f"{phase.image_size} px, batch {phase.batch_size}, about "
                f"{format_duration(forecast.epoch_s(plan, number))} an epoch"
            )
        total = format_duration(self._clock.left(event.step))
        err.print(f"about {total} in all, peak memory about {forecast.peak_bytes / 1e9:.1f} GB")
        if event.step:
            err.print(f"resumed at step {event.step}")
        if self._bar is not None:
            self._task = self._bar.add_task("training", total=plan.num_steps, note="")
            self._bar.update(self._task, completed=event.step)

    def _step(self, event: Stepped) -> None:
        now = monotonic()
        self._clock.stepped(event.at.phase, now)
        if now - self._drawn < REDRAW_EVERY_S:
            return
        self._drawn, done = now, event.at.step + 1
        left = format_duration(self._clock.left(done))
        loss = "" if event.loss is None else f"loss {event.loss:.3f}  "
        if self._bar is not None and self._task is not None:
            epoch = f"epoch {event.at.epoch + 1}/{self._plan.num_epochs}"
            self._bar.update(
                self._task, completed=done, description=epoch, note=f"{loss}{left} left"
            )
        elif now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            err.print(f"step {done}/{self._plan.num_steps}  {loss}{left} left")

    def _hand(self, event: Handled) -> None:
        if event.kind == "skip":
            return
        err.print(describe_act(event), markup=False)
        if event.kind == "epochs" and not event.refused and event.value is not None:
            self._plan = self._clock.plan = self._plan.with_epochs(float(event.value), event.step)
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, total=self._plan.num_steps)
        if event.kind == "pause":
            self._show(f"paused; `thumbnet control {self._run} continue` goes on", force=True)

    def _show(self, note: str, force: bool = False) -> None:
        if self._bar is None or self._task is None:
            return
        if force or monotonic() - self._drawn >= REDRAW_EVERY_S:
            self._drawn = monotonic()
            self._bar.update(self._task, note=note)


class _Clock:
    """The time left: the forecast, corrected by what steps and judging really take."""

    def __init__(self, event: Started) -> None:
        self.plan = event.plan
        self.forecast: Forecast = event.forecast
        self.watch_s = event.forecast.watch_s
        self.factor = 1.0  # real over forecast, of steps
        self._before: float | None = None
        self._num = 0

    def stepped(self, phase: int, now: float) -> None:
        """Learn from one step."""
        if self._before is not None and self._num >= SETTLE_STEPS:
            ratio = (now - self._before) / max(self.forecast.step_s[phase], 1e-9)
            weight = max(0.02, 1 / (self._num - SETTLE_STEPS + 1))
            self.factor += weight * (ratio - self.factor)
        self._before, self._num = now, self._num + 1

    def judged(self, now: float) -> None:
        """Learn from one judging, the saves included."""
        if self._before is not None:
            self.watch_s += 0.5 * (now - self._before - self.watch_s)
        self._before = None

    def left(self, done: int) -> float:
        """Return the seconds left after `done` steps."""
        steps_s = judgings = 0.0
        for phase, step_s in zip(self.plan.phases, self.forecast.step_s, strict=True):
            rest = phase.first_step + phase.num_steps - max(done, phase.first_step)
            steps_s += max(0, rest) * step_s
            judgings += ceil(max(0, rest) / phase.steps_per_epoch)
        return steps_s * self.factor + self.watch_s * judgings
