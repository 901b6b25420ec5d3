"""The observer that writes a run's events.jsonl and log.txt."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thumbnet.errors import CheckpointError
from thumbnet.runs import RunFolder
from thumbnet.training.events import Ended, EpochEnded, Event, Handled, Saved, Slow, Started
from thumbnet.training.hand import Intervention

ON_A_SLOW_MACHINE = (
    "Close other programs, give more time (--time-budget), or use fewer threads "
    "(--set training.threads=1)"
)


class Recorder:
    """Appends one line an event, flushed at once; steps are too many and left out.

    Raises: CheckpointError where they cannot be written (disk full)
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if isinstance(event, Started):
            self._mend()
            self._write(
                "started" if event.step == 0 else "resumed",
                {
                    "step": event.step,
                    "num_steps": event.plan.num_steps,
                    "engine": event.picks,
                    "num_ranks": event.num_ranks,
                },
                f"{event.run}: step {event.step} of {event.plan.num_steps}",
            )
        elif isinstance(event, EpochEnded):
            row = event.row
            self._write("epoch", {**row, "is_best": event.is_best}, describe_row(row))
        elif isinstance(event, Saved):
            self._write("saved", {"step": event.step}, None)
        elif isinstance(event, Handled):
            fields = {**asdict(event), "id": event.ident}
            del fields["ident"]
            line = describe_act(event) if event.kind != "skip" else None
            self._write("hand", fields, line)
        elif isinstance(event, Slow):
            self._write("slow", asdict(event), describe_slow(event))
        elif isinstance(event, Ended):
            fields = asdict(event)
            self._write("ended", fields, f"{event.reason} at step {event.step}")

    def _write(self, kind: str, fields: dict[str, Any], line: str | None) -> None:
        time = datetime.now(UTC).isoformat(timespec="seconds")
        self._append(self.run.events_file, json.dumps({"time": time, "event": kind, **fields}))
        if line is not None:
            self._append(self.run.log_file, f"{time} {line}")

    def _mend(self) -> None:
        """Cut off the half line that a crash may have left."""
        if self.run.events_file.is_file():
            held = self.run.events_file.read_bytes()
            if not held.endswith(b"\n"):
                with self.run.events_file.open("r+b") as file:
                    file.truncate(held.rfind(b"\n") + 1)

    def _append(self, path: Path, line: str) -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as error:
            raise CheckpointError(
                f"cannot write {path}: {error}; what was saved before is untouched; free some "
                "space, then resume"
            ) from None


def describe_act(event: Handled) -> str:
    """Return what a hand did as one line for people."""
    act = Intervention(event.step, event.kind, event.value)
    return f"step {event.step}: {act}" + (f" refused: {event.refused}" if event.refused else "")


def describe_slow(event: Slow) -> str:
    """Return what a slow machine means for the run, and what to do."""
    return (
        f"this machine is slower than estimated: only about {max(100 * event.share, 1):.0f} % of "
        f"the {event.num_steps} planned steps will be trained. {ON_A_SLOW_MACHINE}"
    )


def describe_row(row: dict[str, Any]) -> str:
    """Return an epoch's figures as one line for people."""
    return (
        f"epoch {row['epoch']}  phase {row['phase']}  loss {row['train_loss']:.3f}  "
        f"watch {row['watch_loss']:.3f}  top-1 {100 * row['watch_top1']:.2f} %  "
        f"top-5 {100 * row['watch_top5']:.2f} %  {row['wall_s']:.0f} s"
    )
