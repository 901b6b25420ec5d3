"""The observer that writes a run's epochs as TensorBoard events; it takes the `[track]` extra."""

import csv
from pathlib import Path
from time import time
from typing import Any

from thumbnet.errors import RecipeError
from thumbnet.runs import RunFolder
from thumbnet.training.events import EpochEnded, Event, Started

TAGS = {  # of TensorBoard, by the column of results.csv
    "train_loss": "loss/train",
    "watch_loss": "loss/watch",
    "watch_top1": "top1/watch",
    "watch_top5": "top5/watch",
    "lr": "lr",
    "epoch": "epoch",
}
VERSION = "brain.Event:2"


class TensorBoard:
    """Writes what results.csv holds, a scalar a column, over the step.

    A run that is resumed gets a new file of all its epochs, and readers are told to forget what
    they had: none is lost or stands twice, also in a TensorBoard that is open meanwhile.

    Raises: RecipeError where tensorboard is not installed
    """

    def __init__(self) -> None:
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise RecipeError(
                f"TensorBoard events take {error.name or error}; install it: "
                "pip install 'thumbnet[track]'"
            ) from None
        self._event, self._summary = event_pb2, summary_pb2
        self._writer_of: Any = RecordWriter
        self._file: Path | None = None

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if isinstance(event, Started):
            run = RunFolder(event.path)
            self._begin(run.tensorboard, _rows(run.results_file, event.step))
        elif isinstance(event, EpochEnded):
            self._append([self._scalars(event.row, time())])

    def _begin(self, folder: Path, rows: list[dict[str, Any]]) -> None:
        """Begin a file with these epochs; what older ones hold no longer counts."""
        folder.mkdir(parents=True, exist_ok=True)
        old = sorted(folder.glob("events.out.tfevents.*"))
        number = int(old[-1].name.split(".")[3]) if old else 0
        self._file = folder / f"events.out.tfevents.{max(int(time()), number + 1):010d}.thumbnet"
        now = time()
        last_s = float(rows[-1]["wall_s"]) if rows else 0.0
        proto = self._event
        start = proto.SessionLog(status=proto.SessionLog.START)  # a reader forgets what it had
        self._append([
            proto.Event(wall_time=now - last_s, file_version=VERSION),
            proto.Event(wall_time=now - last_s, step=0, session_log=start),
            *(self._scalars(row, now - last_s + float(row["wall_s"])) for row in rows),
        ])  # fmt: skip

    def _scalars(self, row: dict[str, Any], wall_time: float) -> Any:
        values = [
            self._summary.Summary.Value(tag=tag, simple_value=float(row[column]))
            for column, tag in TAGS.items()
        ]
        summary = self._summary.Summary(value=values)
        return self._event.Event(wall_time=wall_time, step=int(row["step"]), summary=summary)

    def _append(self, events: list[Any]) -> None:
        assert self._file is not None
        with self._file.open("ab") as file:
            writer = self._writer_of(file)
            for event in events:
                writer.write(event.SerializeToString())


def _rows(path: Path, step: int) -> list[dict[str, Any]]:
    """Read the lines of results.csv up to a step; what was written after it will be done again."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) <= step]
