"""What is shown of a run: lines in a pipe, a bar in a terminal, and an honest time left."""

import io
from dataclasses import asdict
from itertools import pairwise

import pytest
from rich.console import Console

from thumbnet.cli import live
from thumbnet.cli.live import LiveTraining
from thumbnet.evaluation.evaluate import Scores
from thumbnet.recipe import ModelSpec, PhaseSpec, RecipeSpec, TrainingSpec
from thumbnet.training.engine import Picks
from thumbnet.training.events import (
    Ended,
    EpochEnded,
    Event,
    Handled,
    Saved,
    Slow,
    Started,
    Stepped,
    Watched,
)
from thumbnet.training.forecast import Forecast
from thumbnet.training.phases import Plan

PLAN = Plan(
    RecipeSpec(
        name="test",
        model=ModelSpec(name="lenet5"),
        training=TrainingSpec(batch_size=10),
        phases=(PhaseSpec(epochs=2, image_size=32), PhaseSpec(epochs=1, image_size=64)),
    ),
    100,
)
FORECAST = Forecast(step_s=(2.0, 6.0), watch_s=5.0, total_s=115.0, peak_bytes=1.26e9)
PICKS = asdict(Picks("cpu", "bf16", "channels_last", threads=2))
ROW = {
    "epoch": 1, "phase": 1, "step": 10, "wall_s": 25, "lr": 0.1,
    "train_loss": 1.5, "watch_loss": 2.5, "watch_top1": 0.125, "watch_top5": 0.5,
}  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live, "monotonic", clock)
    return clock


@pytest.fixture(params=[False], ids=["pipe"])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Catch what is printed; parametrize with True to print to a terminal."""
    screen = io.StringIO()
    console = Console(
        file=screen, force_terminal=request.param, width=200, soft_wrap=True, highlight=False
    )
    monkeypatch.setattr(live, "err", console)
    return screen


def started(step: int = 0) -> Started:
    return Started("my-run", PLAN, FORECAST, step, PICKS, num_watched=20)


def run(watch: LiveTraining, clock: Clock, first: int = 0, step_s: float = 1.0) -> list[float]:
    """Play a whole run whose steps and judgings take `step_s` times the forecast."""
    left = []
    for step in range(first, PLAN.num_steps):
        at = PLAN.at(step)
        clock.now += FORECAST.step_s[at.phase] * step_s
        watch(Stepped(at, 1.5 if step % 2 else None))
        left.append(watch._left_s(step + 1))
        if at.ends_epoch:
            clock.now += FORECAST.watch_s * step_s
            watch(Watched(20, 20))
            watch(EpochEnded({**ROW, "epoch": at.epoch + 1}, Scores(0, 0, 0, 20), at.epoch == 1))
            watch(Saved(step + 1))
    return left


def test_a_run_is_introduced(screen: io.StringIO, clock: Clock) -> None:
    with LiveTraining() as watch:
        watch(started())
    assert screen.getvalue().splitlines() == [
        "my-run: lenet5, 100 images, 3 epochs in 30 steps; cpu, bf16, channels_last, 2 threads",
        "phase 1: 2 epochs at 32 px, batch 10, about 25 s an epoch",
        "phase 2: 1 epochs at 64 px, batch 10, about 1 min 05 s an epoch",
        "about 1 min 55 s in all, peak memory about 1.3 GB",
    ]


def test_plain_lines_come_at_most_every_half_minute(screen: io.StringIO, clock: Clock) -> None:
    with LiveTraining() as watch:
        watch(started())
        screen.truncate(0), screen.seek(0)
        run(watch, clock)
        watch(Ended("finished", 30, 0.5, 3, 115))
    epoch = "phase 1  loss 1.500  watch 2.500  top-1 12.50 %  top-5 50.00 %  25 s"
    assert screen.getvalue().splitlines() == [
        f"epoch 1  {epoch}",
        f"epoch 2  {epoch}  best",
        "step 25/30  35 s left",  # 5 steps of 6 s, and a judging of 5 s
        "step 30/30  loss 1.500  0 s left",
        f"epoch 3  {epoch}",
    ]
    assert "\x1b" not in screen.getvalue()


@pytest.mark.parametrize("step_s", [0.25, 1.0, 4.0])
def test_the_time_left_learns_the_real_pace(
    screen: io.StringIO, clock: Clock, step_s: float
) -> None:
    with LiveTraining() as watch:
        watch(started())
        assert watch._left_s(0) == pytest.approx(FORECAST.total_s)
        begun = clock.now
        left = run(watch, clock, step_s=step_s)
    assert left[-1] == 0
    settled = left[10:]  # one judging is known
    assert all(one > other for one, other in pairwise(settled))
    ends = begun + FORECAST.total_s * step_s
    after_20 = ends - (begun + (20 * 2 + 2 * 5) * step_s)  # two epochs are done and judged
    assert left[20] + 6 * step_s == pytest.approx(after_20, rel=0.2)


def test_a_slow_first_step_says_nothing_of_the_rest(screen: io.StringIO, clock: Clock) -> None:
    with LiveTraining() as watch:
        watch(started())
        clock.now += 500
        watch(Stepped(PLAN.at(0), None))
        for step in (1, 2):
            clock.now += 100
            watch(Stepped(PLAN.at(step), None))
        assert watch._left_s(3) == pytest.approx(FORECAST.total_s, rel=0.1)


def test_a_slow_judging_is_half_believed(screen: io.StringIO, clock: Clock) -> None:
    with LiveTraining() as watch:
        watch(started())
        for step in range(10):
            clock.now += 2
            watch(Stepped(PLAN.at(step), None))
        clock.now += 25  # instead of 5
        watch(EpochEnded(ROW, Scores(0, 0, 0, 20), is_best=True))
        assert watch._left_s(10) == pytest.approx(10 * 2 + 10 * 6 + 2 * 15)


def test_a_resumed_run_counts_from_where_it_stands(screen: io.StringIO, clock: Clock) -> None:
    with LiveTraining() as watch:
        watch(started(step=20))
        assert "resumed at step 20" in screen.getvalue()
        assert "about 1 min 05 s in all" in screen.getvalue()
        left = run(watch, clock, first=20)
    assert left == sorted(left, reverse=True)
    assert "epoch 3  phase 1" in screen.getvalue()


def test_a_run_resumed_at_its_end_shows_nothing_left(screen: io.StringIO, clock: Clock) -> None:
    with LiveTraining() as watch:
        for event in (started(step=30), Ended("finished", 30, 0.5, 3, 115)):
            watch(event)
    assert "about 0 s in all" in screen.getvalue()


@pytest.mark.parametrize("screen", [True], indirect=True)
def test_a_terminal_gets_a_bar_that_leaves_only_the_lines(
    screen: io.StringIO, clock: Clock
) -> None:
    with LiveTraining() as watch:
        events: list[Event] = [started(step=5), Ended("interrupted", 30, 0.5, 3, 115)]
        watch(events[0])
        bar = watch._bar
        assert bar is not None
        assert (bar.tasks[0].completed, bar.tasks[0].total) == (5, 30)
        run(watch, clock, first=5)
        assert bar.tasks[0].completed == 30
        assert bar.tasks[0].description == "phase 2/2 epoch 1/1"
        watch(events[1])
        assert bar.tasks[0].fields["note"] == "interrupted"
    assert bar.live.is_started is False
    assert "epoch 2  phase 1" in screen.getvalue()
    assert "step 25/30" not in screen.getvalue()


@pytest.mark.parametrize("screen", [True], indirect=True)
def test_the_bar_shows_loss_judging_and_time_left(screen: io.StringIO, clock: Clock) -> None:
    with LiveTraining() as watch:
        watch(started())
        assert watch._bar is not None
        task = watch._bar.tasks[0]
        clock.now += 2
        watch(Stepped(PLAN.at(0), 1.23456))
        assert task.fields["note"] == "loss 1.235  1 min 53 s left"
        assert task.description == "phase 1/2 epoch 1/2"
        clock.now += 0.1
        watch(Stepped(PLAN.at(1), 1.0))  # too soon to draw again
        assert task.completed == 1
        clock.now += 0.3
        watch(Watched(7, 20))
        assert task.fields["note"] == "judging 7/20"


@pytest.mark.parametrize("screen", [True], indirect=True)
def test_an_error_takes_the_bar_away(screen: io.StringIO, clock: Clock) -> None:
    watch = LiveTraining()
    with pytest.raises(AttributeError, match="nonsense"), watch:
        watch(started().nonsense)  # type: ignore[attr-defined]
    assert watch._bar is not None
    assert watch._bar.live.is_started is False


def test_a_time_budget_bounds_the_time_left(screen: io.StringIO, clock: Clock) -> None:
    training = PLAN.recipe.training.model_copy(update={"time_budget_s": 60.0})
    plan = Plan(PLAN.recipe.model_copy(update={"training": training}), 100)
    with LiveTraining() as watch:
        watch(Started("my-run", plan, FORECAST, 0, PICKS, num_watched=20))
        assert "about 1 min 00 s in all" in screen.getvalue()
        clock.now += 59
        assert watch._left_s(1) == pytest.approx(1)
        clock.now += 2
        assert watch._left_s(1) == 0


def test_a_slow_machine_is_a_warning_that_says_what_to_do(
    screen: io.StringIO, clock: Clock
) -> None:
    with LiveTraining() as watch:
        watch(started())
        screen.truncate(0), screen.seek(0)
        watch(Handled(7, "threads", 1))
        watch(Handled(8, "threads", 4))
        watch(Handled(9, "skip", 11))
        watch(Slow(9, 380, 0.4))
    assert screen.getvalue().splitlines() == [
        "step 7: going on with 1 thread, which is faster now",
        "step 8: going on with 4 threads, which is faster now",
        "WARNING: this machine is slower than estimated: only about 40 % of the 380 planned steps "
        "will be trained. Close other programs, give more time (--time-budget), or use fewer "
        "threads (--set training.threads=1)",
    ]
