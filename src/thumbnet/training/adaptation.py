"""What a run changes by itself on a machine that is slower than estimated."""

from thumbnet.threads import ThreadTuner
from thumbnet.training.forecast import Forecast
from thumbnet.training.hand import Intervention
from thumbnet.training.phases import Plan
from thumbnet.training.time_budget import TimeBudget
from thumbnet.training.time_left import TimeLeft

LOW_SHARE = 0.5  # of the planned steps; less is a loud warning


class Adaptation:
    """Turns measured times into interventions: other threads, or steps left out.

    Interventions are recorded with their step, so that resume and replay repeat them.

    Args:
        tuner: None leaves the threads as they are
        budget: None leaves out no step
    """

    def __init__(
        self, forecast: Forecast, budget: TimeBudget | None, tuner: ThreadTuner | None
    ) -> None:
        self.time = TimeLeft(forecast)
        self.budget, self.tuner = budget, tuner
        self._threads = None if tuner is None else tuner.threads
        self._wanted = self._threads
        self._warned = False

    def stepped(self, phase: int, seconds: float) -> None:
        """Learn from a step."""
        self.time.stepped(phase, seconds)
        if self.tuner is not None:
            self._wanted = self.tuner.stepped(phase, seconds)

    def evaluated(self, seconds: float) -> None:
        """Learn from the last step of an epoch, its evaluation and its saves."""
        self.time.evaluated(seconds)
        if self.tuner is not None:
            self.tuner.disturbed()

    def disturbed(self) -> None:
        """Leave out the next step: a save or a pause makes it slow."""
        self.time.disturbed()
        if self.tuner is not None:
            self.tuner.disturbed()

    def due(self, plan: Plan, step: int, wall_s: float) -> list[Intervention]:
        """Return what is to be changed before a step."""
        changes = []
        if self._wanted != self._threads:
            self._threads = self._wanted
            changes.append(Intervention(step, "threads", self._wanted))
        if self.budget is not None and step < plan.num_steps:
            next_step = self.budget.next_step(plan, step, wall_s, self.time)
            if next_step > step:
                changes.append(Intervention(step, "skip", next_step))
        return changes

    def too_slow(self, plan: Plan, step: int, num_skipped: int) -> float | None:
        """Return the share of the steps that will be trained, once, where it is low."""
        if self.budget is None or self._warned:
            return None
        share = self.budget.expected(plan, step, num_skipped)
        self._warned = share < LOW_SHARE
        return share if self._warned else None
