"""The time that the rest of a run takes: the estimate, corrected by what steps really take."""

from math import ceil

from thumbnet.training.forecast import Forecast
from thumbnet.training.phases import PhasePlan, Plan

SETTLE_STEPS = 3  # the first steps of a run and of a phase warm caches
MEMORY_S = 10.0  # how far back the measured speed looks


class TimeLeft:
    """Learns the real speed of a run from its steps and evaluations.

    `slowdown` is the real time of a step over the estimated one; 1 until steps were measured.
    """

    def __init__(self, forecast: Forecast) -> None:
        self.step_s, self.watch_s = forecast.step_s, forecast.watch_s
        self.slowdown = 1.0
        self._phase = self._settled = self._measured = 0

    def stepped(self, phase: int, seconds: float) -> None:
        """Learn from one step."""
        if phase != self._phase:
            self._phase, self._settled = phase, 0
        self._settled += 1
        if self._settled <= SETTLE_STEPS:
            return
        self._measured += 1
        ratio = seconds / max(self.step_s[phase], 1e-9)
        weight = max(min(1.0, seconds / MEMORY_S), 1 / self._measured)
        self.slowdown += weight * (ratio - self.slowdown)

    def evaluated(self, seconds: float) -> None:
        """Learn from one evaluation at the end of an epoch, its saves included."""
        self.watch_s += 0.5 * (seconds - self.watch_s)

    def disturbed(self) -> None:
        """Leave out the next steps: something else was changed that they have to get used to."""
        self._settled = 0

    def steps_s(self, plan: Plan, step: int) -> float:
        """Return the seconds of all steps of the plan from `step` on."""
        phases = zip(plan.phases, self.step_s, strict=True)
        return self.slowdown * sum(_rest(phase, step) * step_s for phase, step_s in phases)

    def evaluations_s(self, plan: Plan, step: int) -> float:
        """Return the seconds of all evaluations from `step` on."""
        num = sum(ceil(_rest(phase, step) / phase.steps_per_epoch) for phase in plan.phases)
        return self.watch_s * num

    def total_s(self, plan: Plan, step: int) -> float:
        """Return the seconds that are left before the run is finished."""
        return self.steps_s(plan, step) + self.evaluations_s(plan, step)


def _rest(phase: PhasePlan, step: int) -> int:
    return max(0, phase.first_step + phase.num_steps - max(step, phase.first_step))
