"""Choose the number of CPU threads again while work goes on, where others use the processor."""

from collections.abc import Callable
from time import monotonic

SLOW = 1.5  # a step this many times as long as usual is worth a trial
GAIN = 0.9  # the new number of threads must need less than this share of the time
TRIAL_S = 0.15  # how long a number of threads is tried: at least two steps
LOST_S = 1.0  # the most that a trial may lose against the pace before it
WINDOW_S = 0.5  # steps are compared in groups of this length: at least three
FIRST_RETRY_S, LAST_RETRY_S = 5.0, 80.0  # between trials, doubled after each: no flipping

CONTENDED_PER_S = 30  # involuntary switches a second: a quiet machine has a few, a busy one 100


class Contention:
    """Counts how often the system took the processor from this process.

    A process that waits gives the processor away by itself; it loses it involuntarily only where
    others want it too. Where the system does not count that (Windows), nothing is contended.
    """

    def __init__(self) -> None:
        self._since, self._before = monotonic(), _involuntary_switches()

    def per_s(self) -> float:
        """Return the involuntary switches a second since the last call."""
        now, count = monotonic(), _involuntary_switches()
        rate = (count - self._before) / max(now - self._since, 1e-6)
        self._since, self._before = now, count
        return rate

    def found(self) -> bool:
        """Tell whether others competed for the processor since the last call."""
        return self.per_s() > CONTENDED_PER_S


class ThreadTuner:
    """Tries other numbers of threads on the steps of the work itself, and keeps the fastest.

    Threads wait for each other in every operation. Where another process keeps one of two cores
    busy, two threads are often slower than one. Nothing is tried on a quiet machine: steps must be
    slow, and the system must have taken the processor away. Where a busy machine made the threads
    fewer, more are tried again from time to time.

    Args:
        threads: used now; `most` may be used
        step_s: the estimated seconds of a step of each phase; times are compared as multiples.
            Without an estimate every busy machine is worth a trial
        busy: tells whether others took the processor away since it was last asked
        was_busy: whether `threads` were chosen on a busy machine
    """

    def __init__(
        self,
        threads: int,
        most: int,
        step_s: tuple[float, ...] | None,
        busy: Callable[[], bool],
        was_busy: bool = False,
    ) -> None:
        self.threads, self.most, self._busy = threads, most, busy
        self.step_s = step_s or (1.0,)
        self._on_quiet = most if was_busy else threads
        self._usual = 1.0 if step_s else 0.0
        self._wait_s = FIRST_RETRY_S / 2
        self._retry_s = FIRST_RETRY_S if step_s else 0.0
        self._phase, self._settled = -1, False
        self._times: list[float] = []
        self._untried: list[int] = []
        self._tried: dict[int, float] = {}  # threads -> time; the first entry is from before

    def disturbed(self) -> None:
        """Leave out the next step: an evaluation or a save makes it slow."""
        self._settled = False

    def stepped(self, phase: int, seconds: float) -> int:
        """Learn from a step, and return how many threads to use for the next one."""
        if phase != self._phase:
            self._phase, self._settled, self._times = phase, False, []
        self._retry_s -= seconds
        if not self._settled:
            self._settled = True
            return self.threads
        self._times.append(seconds / max(self.step_s[phase], 1e-9))
        return self._go_on_with_trial() if self._tried else self._watch()

    def _watch(self) -> int:
        if not self._is_measured(3, WINDOW_S):
            return self.threads
        pace, self._times = _median(self._times), []
        slow = self._busy() and pace > SLOW * self._usual
        self._usual = min(self._usual, pace)
        if self._retry_s <= 0 and (slow or self.threads < self._on_quiet):
            if self._retry_s < -LAST_RETRY_S:  # long without a trial
                self._wait_s = FIRST_RETRY_S / 2
            self._tried = {self.threads: pace}
            others = {self.most, self.most - 1, self.most // 2, 1} - {0, self.threads}
            self._untried = sorted(others, reverse=True)
            return self._try_next()
        return self.threads

    def _try_next(self) -> int:
        if not self._untried:
            return self._end_trial()
        self.threads, self._settled, self._times = self._untried.pop(0), False, []
        return self.threads

    def _go_on_with_trial(self) -> int:
        before = next(iter(self._tried.values()))
        lost_s = (sum(self._times) - before * len(self._times)) * self.step_s[self._phase]
        given_up = lost_s > LOST_S or self._times[-1] > 2 * before
        if not given_up and not self._is_measured(2, TRIAL_S):
            return self.threads
        self._tried[self.threads] = _median(self._times)
        return self._try_next()

    def _end_trial(self) -> int:
        before = next(iter(self._tried))
        best = min(self._tried, key=lambda threads: self._tried[threads])
        if self._tried[best] >= GAIN * self._tried[before]:
            best = before
        self._wait_s = min(2 * self._wait_s, LAST_RETRY_S)
        self._retry_s, self._usual = self._wait_s, self._tried[best]
        self.threads, self._settled = best, False
        self._tried, self._times = {}, []
        return best

    def _is_measured(self, least: int, seconds: float) -> bool:
        steps_s = sum(self._times) * self.step_s[self._phase]
        return len(self._times) >= least and steps_s >= seconds


def _median(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def _involuntary_switches() -> int:
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
