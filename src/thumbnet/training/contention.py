"""Tell whether other processes compete with this one for the processor."""

from time import monotonic

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


def _involuntary_switches() -> int:
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
