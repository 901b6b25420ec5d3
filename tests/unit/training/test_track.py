"""TensorBoard events, read back with TensorBoard's own reader."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import QUICK_ENGINE, Thumbnet, settings

from thumbnet.data.packed import PackedDataset
from thumbnet.evaluation.evaluate import Scores
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.events import EpochEnded, Event, Started
from thumbnet.training.forecast import Forecast
from thumbnet.training.phases import Plan
from thumbnet.training.results import format_rows
from thumbnet.training.session import resume, train

pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'thumbnet[track]'")

from tensorboard.backend.event_processing import event_accumulator

from thumbnet.training.track import TAGS, TensorBoard

PLAN = Plan(load_recipe("thumbnet/quick", QUICK_ENGINE), 80)
Scalars = dict[str, list[tuple[int, float]]]


def row(epoch: int) -> dict[str, Any]:
    return {
        "epoch": epoch, "phase": 1, "step": 10 * epoch, "wall_s": 2.5 * epoch, "lr": 0.5 / epoch,
        "train_loss": 3.0 / epoch, "watch_loss": 4.0 / epoch, "watch_top1": 0.25, "watch_top5": 0.5,
    }  # fmt: skip


def started(run: RunFolder, step: int) -> Started:
    forecast = Forecast((0.1,), 1, 2, 3)
    return Started(run.name, PLAN, forecast, step, {"device": "cpu"}, 10, path=run.path)


def ended(epoch: int) -> EpochEnded:
    return EpochEnded(row(epoch), Scores(0.25, 0.5, 4.0 / epoch, 10), is_best=True)


def read(folder: Path) -> Scalars:
    reader = event_accumulator.EventAccumulator(str(folder), {event_accumulator.SCALARS: 0})
    reader.Reload()
    return {
        tag: [(one.step, one.value) for one in reader.Scalars(tag)]
        for tag in reader.Tags()["scalars"]
    }


def of_rows(rows: list[dict[str, Any]]) -> Scalars:
    return {
        tag: [(int(one["step"]), pytest.approx(float(one[column]))) for one in rows]
        for column, tag in TAGS.items()
    }


def test_a_crash_loses_no_epoch_and_doubles_none(tmp_path: Path) -> None:
    run, first = RunFolder(tmp_path), TensorBoard()
    first(started(run, 0))
    first(ended(1))
    open_reader = event_accumulator.EventAccumulator(str(run.tensorboard))
    open_reader.Reload()
    # saved after epoch 2, killed before it was told of, with a line more that will be done again
    run.results_file.write_text(format_rows([row(1), row(2), row(3)]))
    held = next(run.tensorboard.iterdir())
    held.write_bytes(held.read_bytes()[:-5])  # killed inside a line
    again = TensorBoard()
    again(started(run, 20))
    assert read(run.tensorboard) == of_rows([row(1), row(2)])
    again(ended(3))
    assert read(run.tensorboard) == of_rows([row(1), row(2), row(3)])
    open_reader.Reload()
    assert [one.step for one in open_reader.Scalars("lr")] == [10, 20, 30]
    times = [one.wall_time for one in open_reader.Scalars("lr")]
    assert times[1] - times[0] == pytest.approx(2.5)


class Breaks:
    """An observer that is Ctrl-C after the first epoch."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise KeyboardInterrupt


def test_a_run_broken_off_and_resumed(tiny: PackedDataset, tmp_path: Path) -> None:
    recipe = load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.3)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tiny, out=tmp_path / "run", observers=[Breaks(), TensorBoard()])
    run = RunFolder(tmp_path / "run")
    resume(run, tiny, observers=[TensorBoard()])
    with run.results_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 1
    assert read(run.tensorboard) == of_rows(rows)


def test_the_command_tracks_and_resume_goes_on(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    said = thumbnet("train", "thumbnet/quick", "--data", tiny.path, "--epochs", "1", *settings(),
                    "--track", "tensorboard")  # fmt: skip
    assert said.status == 0, said.err
    folder = Path("runs/thumbnet-quick")
    assert f"tensorboard --logdir {folder / 'tensorboard'}" in said.out
    before = read(folder / "tensorboard")
    assert len(before["top1/watch"]) >= 1
    shutil.rmtree(folder / "tensorboard")
    (folder / "tensorboard").mkdir()
    said = thumbnet("resume", folder)
    assert said.status == 0, said.err
    assert read(folder / "tensorboard") == before
