"""A time budget on a machine that turns out slower than foretold: which step is due by now."""

from dataclasses import dataclass

from thumbnet.training.forecast import Forecast
from thumbnet.training.phases import Plan

SLACK = 0.05  # of the budget: how far behind a run may be before it leaves steps out


@dataclass(frozen=True)
class Pace:
    """The forecast, stretched to the whole budget.

    A run that is behind it skips to the step that is due, so that all phases are run and the
    learning rate comes down, each in the share of the time planned for it.
    """

    plan: Plan
    forecast: Forecast
    budget_s: float

    @property
    def slack_s(self) -> float:
        """Return the seconds a run may be behind."""
        return SLACK * self.budget_s

    def planned_s(self, step: int) -> float:
        """Return the seconds within which the steps before `step` should be done."""
        seconds = 0.0
        for phase, step_s in zip(self.plan.phases, self.forecast.step_s, strict=True):
            done = min(max(step - phase.first_step, 0), phase.num_steps)
            seconds += done * step_s + done // phase.steps_per_epoch * self.forecast.watch_s
        return seconds * max(1.0, (self.budget_s - self.slack_s) / self.forecast.total_s)

    def due(self, step: int, wall_s: float) -> int:
        """Return the step to go on with: `step`, or a later one of the same epoch if behind."""
        last = step
        while not self.plan.at(last).ends_epoch:
            if self.planned_s(last) + self.slack_s >= wall_s:
                break
            last += 1
        return last
