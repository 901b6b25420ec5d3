"""What reaches a run from outside between two steps: commands, a signal to stop, the time."""

from dataclasses import dataclass
from time import monotonic, sleep

from thumbnet.training.control import POLL_S, Command, Inbox
from thumbnet.training.interrupt import StopSignal
from thumbnet.training.ranks import Ranks


@dataclass(frozen=True)
class News:
    """What is known before a step, on all ranks alike: whatever depends on it does so too."""

    wall_s: float
    stop: bool
    commands: tuple[Command, ...]


class Outside(StopSignal):
    """Clock, inbox and signals of a run, those of the first rank for all.

    Units: wall_s are seconds of training so far
    """

    def __init__(self, inbox: Inbox, ranks: Ranks, wall_s: float) -> None:
        super().__init__()
        self._ranks, self._inbox = ranks, inbox
        self._started = monotonic() - wall_s

    def wall_s(self) -> float:
        """Return the seconds trained so far, by this rank's clock."""
        return monotonic() - self._started

    def pause(self) -> None:
        """Wait a moment that is no training time."""
        sleep(POLL_S)
        self._started += POLL_S

    def news(self, commands: bool = True) -> News:
        """Hear what has come.

        Args: commands: else what lies in the inbox is left there
        """
        come = self._inbox.take() if commands and self._ranks.is_first else []
        wall_s, stop, num = self._ranks.numbers(self.wall_s(), self.requested, len(come))
        told = self._ranks.told(lambda: come) if num else []
        return News(wall_s, bool(stop), tuple(told))
