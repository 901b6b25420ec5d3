"""Keep a run within its time budget: on a slow machine, leave steps out evenly."""

from thumbnet.training.phases import Plan
from thumbnet.training.time_left import TimeLeft

RESERVE = 0.03  # of the budget, for the last evaluation, saves and errors of the estimate
CHUNKS = 100  # steps are left out in about so many pieces, each an intervention on record
LEAST_SHARE = 0.01  # of the steps that are left; a run out of time ends by its budget


class TimeBudget:
    """Chooses the steps to leave out, so that all phases are run and the learning rate comes down.

    After each step the time that is left is compared with the time that the rest of the plan takes
    at the measured speed. Where only a share of the rest can be trained, steps are left out evenly
    over all of it.
    """

    def __init__(self, budget_s: float) -> None:
        self.budget_s = budget_s
        self.share = 1.0
        self._debt = 0.0

    def next_step(self, plan: Plan, step: int, wall_s: float, time: TimeLeft) -> int:
        """Return the step to go on with: `step`, or a later one of the same epoch.

        Never more than half of the remaining steps are left out at once, and never the last step
        of an epoch.
        """
        left_s = (1 - RESERVE) * self.budget_s - wall_s - time.evaluations_s(plan, step)
        needed_s = time.steps_s(plan, step)
        self.share = min(1.0, max(LEAST_SHARE, left_s / max(needed_s, 1e-9)))
        remaining = plan.num_steps - step
        if self.share == 1.0:
            self._debt = 0.0
            return step
        self._debt += 1 / self.share - 1
        if self._debt < max(1, remaining // CHUNKS):
            return step
        num = min(int(self._debt), _steps_before_end(plan, step), remaining // 2)
        self._debt = min(self._debt - num, remaining / 2)
        return step + num

    def expected(self, plan: Plan, step: int, num_skipped: int) -> float:
        """Return the expected share of all planned steps that are trained in the end."""
        return (step - num_skipped + self.share * (plan.num_steps - step)) / plan.num_steps


def _steps_before_end(plan: Plan, step: int) -> int:
    """Return how many steps of the plan lie before the last one of the epoch."""
    phase = plan.phases[plan.phase_of(step)]
    inside = step - phase.first_step
    end = min((inside // phase.steps_per_epoch + 1) * phase.steps_per_epoch, phase.num_steps)
    return end - 1 - inside
