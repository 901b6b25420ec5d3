"""What a run leaves in events.jsonl and log.txt."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from thumbnet.errors import CheckpointError
from thumbnet.evaluation.evaluate import Scores
from thumbnet.recipe import ModelSpec, PhaseSpec, RecipeSpec
from thumbnet.runs import RunFolder
from thumbnet.training.events import Ended, EpochEnded, Saved, Started, Stepped, Watched
from thumbnet.training.forecast import Forecast
from thumbnet.training.phases import Plan
from thumbnet.training.recorder import Recorder, describe_row

PLAN = Plan(
    RecipeSpec(name="t", model=ModelSpec(name="lenet5"), phases=(PhaseSpec(epochs=2),)), 256
)
ROW = {
    "epoch": 2, "phase": 1, "step": 4, "wall_s": 12.6, "lr": 0.1,
    "train_loss": 1.23456, "watch_loss": 2.5, "watch_top1": 0.12345, "watch_top5": 0.5,
}  # fmt: skip
LINE = "epoch 2  phase 1  loss 1.235  watch 2.500  top-1 12.35 %  top-5 50.00 %  13 s"


def started(step: int) -> Started:
    return Started("my-run", PLAN, Forecast((0.1,), 1, 2, 3), step, {"device": "cpu"}, 10)


def record(folder: Path, *events: Any) -> tuple[list[dict[str, Any]], list[str]]:
    run = RunFolder(folder)
    recorder = Recorder(run)
    for event in events:
        recorder(event)
    lines = [json.loads(line) for line in run.events_file.read_text().splitlines()]
    for line in lines:
        age = datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))
        assert timedelta(seconds=-1) < age < timedelta(minutes=1)
    log = run.log_file.read_text().splitlines() if run.log_file.exists() else []
    return lines, [line.split(" ", 1)[1] for line in log]


def test_every_event_but_steps_leaves_a_line(tmp_path: Path) -> None:
    ended = Ended("finished", 4, 0.25, 2, 12.5, 7)
    lines, log = record(
        tmp_path,
        started(0),
        Stepped(PLAN.at(0), 1.0),
        Watched(1, 10),
        EpochEnded(ROW, Scores(0.12345, 0.5, 2.5, 10), is_best=True),
        Saved(4),
        ended,
    )
    assert lines == [
        {
            "event": "started",
            "step": 0,
            "num_steps": 4,
            "engine": {"device": "cpu"},
            "num_ranks": 1,
        },
        {"event": "epoch", **ROW, "is_best": True},
        {"event": "saved", "step": 4},
        {
            "event": "ended",
            "reason": "finished",
            "step": 4,
            "best_top1": 0.25,
            "best_epoch": 2,
            "wall_s": 12.5,
            "num_skipped": 7,
        },
    ]
    assert log == ["my-run: step 0 of 4", LINE, "finished at step 4"]


def test_a_resumed_run_goes_on_in_the_same_files(tmp_path: Path) -> None:
    record(tmp_path, started(0), Saved(3))
    lines, log = record(tmp_path, started(3))
    assert [line["event"] for line in lines] == ["started", "saved", "resumed"]
    assert lines[-1]["step"] == 3
    assert log == ["my-run: step 0 of 4", "my-run: step 3 of 4"]


def test_what_cannot_be_written_is_a_plain_error(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.events_file.mkdir()
    with pytest.raises(CheckpointError, match=rf"cannot write {run.events_file}.*then resume"):
        Recorder(run)(Saved(3))


def test_an_epoch_is_described_in_percent() -> None:
    assert describe_row(ROW) == LINE
