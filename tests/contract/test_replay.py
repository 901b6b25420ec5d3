"""A run changed by hand while it trains, and the same run once more: byte-equal."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.contract.driver import assert_same_end, interrupt, rows, saved_step, small

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.runs import RunFolder
from thumbnet.training import job, session
from thumbnet.training.control import is_trained, send
from thumbnet.training.events import Event, Handled, Observer, Stepped
from thumbnet.training.session import replay, resume, same_weights, train

PHASES = [{"epochs": 1, "image_size": 16}, {"epochs": 3, "image_size": 32}]  # 8 steps


def commands(run: RunFolder, *planned: tuple[int, str, Any]) -> Observer:
    """Return an observer that sends each command while the step before `step` runs."""

    def observe(event: Event) -> None:
        if isinstance(event, Stepped):
            for step, kind, value in planned:
                if step == event.at.step + 1:
                    send(run, kind, value, wait_s=0)

    return observe


def acts(run: RunFolder) -> list[tuple[int, str, Any]]:
    events = [json.loads(line) for line in run.events_file.read_text().splitlines()]
    return [(e["step"], e["kind"], e["value"]) for e in events if e["event"] == "hand"]


def lrs(run: RunFolder) -> list[float]:
    return [float(row["lr"]) for row in rows(run)]


CASES: dict[str, tuple[tuple[int, str, Any], ...]] = {
    "lr": ((2, "lr", 0.003), (6, "lr", None)),
    "longer": ((5, "epochs", 6.0), (7, "note", "still falling")),
    "shorter": ((3, "epochs", 2.5),),
    "stop": ((5, "stop", None),),
    "stop at an epoch's end": ((4, "stop", None),),
    "all": (
        (1, "lr", 0.01),
        (3, "epochs", 5.0),
        (4, "lr", None),
        (6, "lr", 0.02),
        (7, "stop", None),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_replay_ends_byte_equal(case: str, data: PackedDataset, tmp_path: Path) -> None:
    planned, run = CASES[case], RunFolder(tmp_path / "run")
    recipe = small(data, phases=PHASES)
    first = train(recipe, data, out=run.path, observers=[commands(run, *planned)])
    assert acts(run) == list(planned)
    again = replay(run, data, out=tmp_path / "again")
    assert again.reason == first.reason == ("stopped" if planned[-1][1] == "stop" else "finished")
    assert acts(again.run) == acts(run)
    assert_same_end(run, again.run)
    assert same_weights(run, again.run)
    assert saved_step(run) == saved_step(again.run)
    plain = train(recipe, data, out=tmp_path / "plain")
    assert not same_weights(run, plain.run)  # the hand did something


def test_learning_rate_holds_until_it_is_given_back(data: PackedDataset, tmp_path: Path) -> None:
    run, plain = RunFolder(tmp_path / "run"), tmp_path / "plain"
    recipe = small(data, phases=PHASES)
    train(recipe, data, out=run.path, observers=[commands(run, *CASES["lr"])])
    free = lrs(train(recipe, data, out=plain).run)
    held = lrs(run)
    assert held == [free[0], 0.003, 0.003, free[3]]


def test_a_longer_run_has_more_epochs_and_a_shorter_one_fewer(
    data: PackedDataset, tmp_path: Path
) -> None:
    for case, epochs, steps in (("longer", 6, 12), ("shorter", 3, 5)):
        run = RunFolder(tmp_path / case)
        observers = [commands(run, *CASES[case])]
        result = train(small(data, phases=PHASES), data, out=run.path, observers=observers)
        assert len(result.rows) == epochs
        assert saved_step(run) == steps


def test_killed_and_resumed_it_heeds_the_hand_once_more(
    data: PackedDataset, tmp_path: Path
) -> None:
    """What was done after the last save is done again at the same step."""
    planned = CASES["all"][:-1]
    recipe = small(data, phases=PHASES)
    whole = RunFolder(tmp_path / "whole")
    train(recipe, data, out=whole.path, observers=[commands(whole, *planned)])

    def fail(event: Event) -> None:
        if isinstance(event, Stepped) and event.at.step == 4:  # saved last after step 3
            raise KeyboardInterrupt

    run = RunFolder(tmp_path / "run")
    sender = commands(run, *planned)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, data, out=run.path, observers=[sender, fail])
    assert saved_step(run) == 4
    assert_same_end(resume(run, data, observers=[sender]).run, whole)
    assert_same_end(replay(run, data, out=tmp_path / "again").run, whole)


def test_a_replay_that_was_interrupted_goes_on_as_one(data: PackedDataset, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    observers = [commands(run, *CASES["all"])]
    train(small(data, phases=PHASES), data, out=run.path, observers=observers)
    stop = [interrupt(Stepped, 2)]
    half = replay(run, data, out=tmp_path / "half", observers=stop)
    assert half.reason == "interrupted"
    assert_same_end(resume(half.run, data).run, run)
    assert acts(half.run) == acts(run)


def test_an_interrupted_run_is_repeated_up_to_where_it_is(
    data: PackedDataset, tmp_path: Path
) -> None:
    stop = [interrupt(Stepped, 5)]
    first = train(small(data, phases=PHASES), data, out=tmp_path / "run", observers=stop)
    again = replay(first.run, data, out=tmp_path / "again")
    assert again.reason == "interrupted"
    assert saved_step(again.run) == saved_step(first.run) == 5
    assert_same_end(first.run, again.run)


def test_steps_left_out_for_want_of_time_are_left_out_again(
    data: PackedDataset, tmp_path: Path
) -> None:
    def slow(event: Event) -> None:
        if isinstance(event, Stepped) and event.at.step < 20:
            time.sleep(0.02)

    phases = [{"epochs": 40, "image_size": 16}]
    calm = {"training__batch_size": 2, "training__schedule__lr": 1e-4}
    recipe = small(data, phases=phases, training__time_budget_s=0.6, **calm)
    first = train(recipe, data, out=tmp_path / "run", observers=[slow])
    assert first.num_skipped > 0
    assert any(kind == "skip" for _, kind, _ in acts(first.run))
    again = replay(first.run, data, out=tmp_path / "again")
    assert (again.reason, again.num_skipped) == (first.reason, first.num_skipped)
    assert_same_end(first.run, again.run)


class Scripted:
    """A stand-in for `ThreadTuner`: one thread before step 3, two before step 7."""

    def __init__(self, threads: int, *_: object) -> None:
        self.threads, self.num = threads, 0

    def stepped(self, phase: int, seconds: float) -> int:
        self.num += 1
        self.threads = {3: 1, 7: 2}.get(self.num, self.threads)
        return self.threads

    def disturbed(self) -> None:
        self.num += 1  # the last step of an epoch


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_other_threads_are_taken_again_by_resume_and_replay(
    data: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_threads: None
) -> None:
    monkeypatch.setattr(job, "ThreadTuner", Scripted)
    used: list[int] = []

    def count(event: Event) -> None:
        if isinstance(event, Stepped):
            used.append(torch.get_num_threads())

    recipe = small(data, phases=PHASES, training__threads=None)
    first = train(recipe, data, out=tmp_path / "run", observers=[count])
    assert used[:3] == [used[0]] * 3
    assert used[3:] == [1, 1, 1, 1, 2]
    expected, used[:] = list(used), []
    again = replay(first.run, data, out=tmp_path / "again", observers=[count])
    assert used == expected
    assert_same_end(first.run, again.run)

    used.clear()
    stop = [count, interrupt(Stepped, 5)]
    half = train(recipe, data, out=tmp_path / "half", observers=stop)
    monkeypatch.setattr(Scripted, "stepped", lambda self, *_: self.threads)
    resume(half.run, data, observers=[count])
    assert used[3:] == [1] * 5


def test_a_run_begun_from_other_weights_is_repeated_from_them(
    data: PackedDataset, tmp_path: Path
) -> None:
    begin = train(small(data), data, out=tmp_path / "begin")
    first = train(small(data), data, init=begin.run.path, out=tmp_path / "run")
    assert_same_end(first.run, replay(first.run, data, out=tmp_path / "again").run)
    (begin.run.weights("best") / "model.safetensors").write_bytes(b"changed")
    with pytest.raises(CheckpointError, match="which is gone or was changed since"):
        replay(first.run, data, out=tmp_path / "more")
    assert not (tmp_path / "more" / "recipe.yaml").exists()


def test_a_command_sent_before_the_first_step_is_carried_out(
    data: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the moment on that `control` finds a process, none of its commands is lost."""
    run = RunFolder(tmp_path / "run")

    def fit(*given: Any) -> Any:
        assert is_trained(run)
        send(run, "stop", None, wait_s=0)
        return job.fit(*given)

    monkeypatch.setattr(session, "fit", fit)
    assert train(small(data), data, out=run.path).reason == "stopped"
    assert saved_step(run) == 0
    assert resume(run, data).reason == "stopped"
    monkeypatch.setattr(session, "fit", job.fit)
    assert resume(run, data).reason == "finished"  # what an earlier process left is not heard


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def test_pause_saves_and_waits_and_costs_no_training_time(
    data: PackedDataset, tmp_path: Path
) -> None:
    run, told = RunFolder(tmp_path / "run"), list[Event]()
    recipe = small(data, phases=PHASES)
    observers: list[Observer] = [commands(run, (3, "pause", None)), told.append]
    thread, results = in_background(lambda: train(recipe, data, out=run.path, observers=observers))
    wait_for(lambda: any(isinstance(event, Handled) for event in told))
    wait_for(lambda: saved_step(run) == 3)
    time.sleep(0.5)
    assert is_trained(run)
    assert sum(isinstance(event, Stepped) for event in told) == 3
    assert send(run, "continue", None) == "done before step 3"
    thread.join(60)
    plain = train(recipe, data, out=tmp_path / "plain")
    assert_same_end(run, plain.run)
    ended = run.last_event()
    assert ended["wall_s"] < plain.wall_s + 0.4
    assert results[0].reason == "finished"
    assert_same_end(replay(run, data, out=tmp_path / "again").run, run)


def test_an_answer_tells_when_it_was_done_or_why_not(data: PackedDataset, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")

    def slow(event: Event) -> None:
        if isinstance(event, Stepped):
            time.sleep(0.05)

    phases = [{"epochs": 30, "image_size": 16}]
    recipe = small(data, phases=phases)
    thread, results = in_background(partial(train, recipe, data, out=run.path, observers=[slow]))
    wait_for(run.state_file.exists)
    assert send(run, "lr", 0.01).startswith("done before step ")
    with pytest.raises(RecipeError, match=r"epochs=0\.1 is too few"):
        send(run, "epochs", 0.1)
    with pytest.raises(CheckpointError, match="is being trained by another process"):
        resume(run, data)
    send(run, "stop", None)
    thread.join(60)
    assert results[0].reason == "stopped"
    again = replay(run, data, out=tmp_path / "again")
    assert_same_end(run, again.run)


def test_nobody_hears_a_command_to_a_run_that_is_over(data: PackedDataset, tmp_path: Path) -> None:
    run = train(small(data), data, out=tmp_path / "run").run
    with pytest.raises(CheckpointError, match=r"not being trained.*it ended: finished"):
        send(run, "lr", 0.1)
    assert not run.control_file.exists()


def test_a_run_that_is_not_over_is_not_repeated(data: PackedDataset, tmp_path: Path) -> None:
    run, tried = RunFolder(tmp_path / "run"), list[str]()

    def observe(event: Event) -> None:
        if isinstance(event, Stepped) and event.at.step == 2:
            with pytest.raises(CheckpointError, match="has not finished"):
                replay(run, data, out=tmp_path / "again")
            tried.append("yes")

    train(small(data), data, out=run.path, observers=[observe])
    assert tried == ["yes"]
    assert not (tmp_path / "again").exists()
