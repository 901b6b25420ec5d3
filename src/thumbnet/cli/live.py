"""What a person sees while a run trains: a bar for the whole run, or plain lines."""

from time import monotonic
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from thumbnet.cli.duration import format_duration, format_number
from thumbnet.cli.output import err
from thumbnet.training.events import (
    Ended,
    EpochEnded,
    Event,
    Handled,
    Slow,
    Started,
    Stepped,
    Watched,
)
from thumbnet.training.phases import StepPlan
from thumbnet.training.recorder import describe_act, describe_row, describe_slow
from thumbnet.training.time_left import TimeLeft

LINE_EVERY_S = 30.0
REDRAW_EVERY_S = 0.25


class LiveTraining:
    """An observer with a clock: the time left is that of the whole run, judging included."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._drawn = self._last_line = self._before = monotonic()

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
            now = monotonic()
            self._time.evaluated(now - self._before)
            self._before = now
            err.print(describe_row(event.row) + ("  best" if event.is_best else ""))
            self._last_line = monotonic()
        elif isinstance(event, Handled):
            self._hand(event)
        elif isinstance(event, Slow):
            err.print(f"WARNING: {describe_slow(event)}", style="bold yellow")
        elif isinstance(event, Ended):
            self._show(event.reason, force=True)

    def _start(self, event: Started) -> None:
        plan, forecast = event.plan, event.forecast
        self._run = event.run
        self._plan, self._time = plan, TimeLeft(forecast)
        self._before = monotonic()
        budget_s = plan.recipe.training.time_budget_s
        self._until = None if budget_s is None or event.step else self._before + budget_s
        picks = event.picks
        err.print(
            f"{event.run}: {plan.recipe.model.name}, {plan.num_images} images, "
            f"{format_number(plan.recipe.num_epochs)} epochs in {plan.num_steps} steps; "
            f"{picks['device']}, {picks['precision']}, {picks['memory_format']}, "
            f"{picks['threads']} threads"
            + ("" if picks["step"] == "eager" else f", {picks['step']}")
            + (f", each of {event.num_ranks} processes" if event.num_ranks > 1 else "")
        )
        for number, phase in enumerate(plan.phases):
            epochs = format_number(phase.num_steps / phase.steps_per_epoch)
            err.print(
                f"phase {number + 1}: {epochs} epochs at "
                f"{phase.image_size} px, batch {phase.batch_size}, about "
                f"{format_duration(forecast.epoch_s(plan, number))} an epoch"
            )
        total = format_duration(self._left_s(event.step))
        err.print(f"about {total} in all, peak memory about {forecast.peak_bytes / 1e9:.1f} GB")
        if event.step:
            err.print(f"resumed at step {event.step}")
        if self._bar is not None:
            self._task = self._bar.add_task("training", total=plan.num_steps, note="")
            self._bar.update(self._task, completed=event.step)

    def _step(self, event: Stepped) -> None:
        now = monotonic()
        self._time.stepped(event.at.phase, now - self._before)
        self._before = now
        if now - self._drawn < REDRAW_EVERY_S:
            return
        self._drawn, done = now, event.at.step + 1
        left = format_duration(self._left_s(done))
        loss = "" if event.loss is None else f"loss {event.loss:.3f}  "
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task,
                completed=done,
                description=self._position(event.at),
                note=f"{loss}{left} left",
            )
        elif now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            err.print(f"step {done}/{self._plan.num_steps}  {loss}{left} left")

    def _left_s(self, step: int) -> float:
        """Return the seconds that are left, at most those of the time budget."""
        left_s = self._time.total_s(self._plan, step)
        return left_s if self._until is None else max(0, min(left_s, self._until - monotonic()))

    def _position(self, at: StepPlan) -> str:
        """Return the epoch of its phase, and the phase where there are several."""
        phases = self._plan.phases
        phase = phases[at.phase]
        epoch = f"epoch {at.epoch - phase.first_epoch + 1}/{phase.num_epochs}"
        return epoch if len(phases) == 1 else f"phase {at.phase + 1}/{len(phases)} {epoch}"

    def _hand(self, event: Handled) -> None:
        if event.kind == "skip":
            return
        if event.kind == "threads":
            num = int(event.value or 1)
            threads = "1 thread" if num == 1 else f"{num} threads"
            err.print(f"step {event.step}: going on with {threads}, which is faster now")
            return
        err.print(describe_act(event), markup=False)
        if event.kind == "epochs" and not event.refused and event.value is not None:
            self._plan = self._plan.with_epochs(float(event.value), event.step)
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
