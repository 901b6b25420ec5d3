"""What a run writes while it trains: weights, results, state; of several ranks the first does."""

from time import monotonic

from thumbnet.checkpoint import write_atomic
from thumbnet.model_folder import CONFIG, write_weights
from thumbnet.runs import RunFolder
from thumbnet.training.results import format_rows
from thumbnet.training.state import TrainState, save_state

SAVE_EVERY_S = 60.0
SAVE_SHARE = 0.01  # of the time since the last save, at most


class Keeper:
    """Writes into the run folder, and knows when a save is due.

    Raises: CheckpointError where something cannot be written (disk full)
    """

    def __init__(self, run: RunFolder, recipe_sha256: str, writes: bool = True) -> None:
        self.run, self.writes = run, writes
        self._meta = {"recipe_sha256": recipe_sha256}
        self._saved, self._save_s = monotonic(), 0.0

    def is_due(self) -> bool:
        """Tell whether it is time for a save within an epoch."""
        since = monotonic() - self._saved
        return self.writes and since >= SAVE_EVERY_S and self._save_s <= SAVE_SHARE * since

    def save(self, state: TrainState) -> None:
        """Write what a resume starts from."""
        if not self.writes:
            return
        started = monotonic()
        save_state(state, self.run.state_file, self._meta)
        self._saved = monotonic()
        self._save_s = self._saved - started

    def end_epoch(self, state: TrainState, epoch: int, is_best: bool) -> None:
        """Write the weights and the lines of results.csv."""
        if not self.writes:
            return
        for which in ("last", "best") if is_best else ("last",):
            write_weights(self.run.weights(which), state.judged(), {**self._meta, "epoch": epoch})
        write_atomic(self.run.results_file, format_rows(state.rows))

    def snapshot(self, state: TrainState, number: int, epoch: int) -> None:
        """Keep the weights as they are now, as a model folder of their own."""
        if not self.writes:
            return
        folder = self.run.snapshot(number)
        config = self.run.weights("last") / CONFIG
        write_atomic(folder / CONFIG, config.read_text(encoding="utf-8"))
        write_weights(folder, state.judged(), {**self._meta, "epoch": epoch})
