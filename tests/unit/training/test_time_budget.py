"""A run on a slow machine leaves out steps evenly, and its learning rate still comes down."""

from itertools import pairwise

import pytest
from tests.unit.training.test_time_left import RECIPE

from thumbnet.recipe import PhaseSpec
from thumbnet.training.forecast import Forecast
from thumbnet.training.phases import Plan
from thumbnet.training.time_budget import RESERVE, TimeBudget
from thumbnet.training.time_left import TimeLeft

LONG = Plan(RECIPE.model_copy(update={"phases": (PhaseSpec(epochs=40), PhaseSpec(epochs=20))}), 100)
COST = Forecast((1.0, 2.0), watch_s=1.0, total_s=400 + 400 + 60, peak_bytes=0)


def play(plan: Plan, budget_s: float, slow: float, from_s: float = 0) -> tuple[list[int], float]:
    """Train a plan on a machine `slow` times as slow as estimated after `from_s` seconds.

    Return the steps that were trained and the time at the end.
    """
    time, budget, wall_s, step = TimeLeft(COST), TimeBudget(budget_s), 0.0, 0
    trained = []
    while step < plan.num_steps and wall_s < budget_s:
        remaining = plan.num_steps - step
        next_step = budget.next_step(plan, step, wall_s, time)
        assert next_step - step <= remaining // 2
        step = next_step
        at = plan.at(step)
        seconds = COST.step_s[at.phase] * (slow if wall_s >= from_s else 1)
        wall_s += seconds
        trained.append(step)
        if at.ends_epoch:
            wall_s += COST.watch_s
            time.evaluated(COST.watch_s)
        else:
            time.stepped(at.phase, seconds)
        step += 1
    return trained, wall_s


def test_a_run_in_time_leaves_out_nothing() -> None:
    trained, _ = play(LONG, budget_s=900, slow=1.0)
    assert trained == list(range(600))
    trained, wall_s = play(LONG, budget_s=2000, slow=2.0)
    assert trained == list(range(600))
    assert wall_s == 1660


@pytest.mark.parametrize("from_s", [0, 300])
@pytest.mark.parametrize("slow", [1.5, 2.5, 6.0])
def test_on_a_slow_machine_steps_are_left_out_evenly(slow: float, from_s: float) -> None:
    trained, wall_s = play(LONG, budget_s=900, slow=slow, from_s=from_s)
    assert 0.9 * 900 < wall_s < 900
    assert trained[-1] == 599  # the end of the plan is reached
    ends = {step for step in range(600) if LONG.at(step).ends_epoch}
    assert ends <= set(trained)  # no epoch is left out
    gaps = [two - one for one, two in pairwise(trained) if one > 60 and two not in ends]
    assert max(gaps) <= 3 * slow + 3


def test_a_pause_of_the_machine_is_spread_over_the_rest() -> None:
    """A laptop that slept for half of the budget goes on evenly, and never jumps to the end."""
    time, budget = TimeLeft(COST), TimeBudget(900)
    steps = [budget.next_step(LONG, 300, 600.0, time)]
    assert steps[0] < 310


def test_a_budget_that_is_used_up_drops_half_of_the_rest_at_most() -> None:
    time, budget = TimeLeft(COST), TimeBudget(900)
    assert budget.next_step(LONG, 0, 899.0, time) <= 9  # to the last step of the epoch
    one_phase = Forecast((1.0,), watch_s=1.0, total_s=1001, peak_bytes=0)
    one_epoch = Plan(RECIPE.model_copy(update={"phases": (PhaseSpec(epochs=1),)}), 10_000)
    assert budget.next_step(one_epoch, 0, 899.0, TimeLeft(one_phase)) <= 500


def test_the_last_step_of_an_epoch_is_never_left_out() -> None:
    time, budget = TimeLeft(COST), TimeBudget(900)
    assert budget.next_step(LONG, 9, 899.0, time) == 9


def test_the_expected_share_counts_what_was_trained_and_what_will_be() -> None:
    time, budget = TimeLeft(COST), TimeBudget(1000)
    budget.next_step(LONG, 0, 0.0, time)
    assert budget.expected(LONG, 0, 0) == 1
    time.slowdown = 4.0
    left_s = (1 - RESERVE) * 1000 - 100 - 30
    budget.next_step(LONG, 300, 100.0, time)
    share = left_s / (4 * (100 + 400))
    assert budget.expected(LONG, 300, 60) == pytest.approx((240 + share * 300) / 600)
