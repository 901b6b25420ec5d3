"""Learning rates step by step, from a recipe and where its epochs ended."""

import numpy as np
import pytest

from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import load_recipe
from thumbnet.report.curve import rates_by_step
from thumbnet.training.hand import Intervention
from thumbnet.training.phases import Plan
from thumbnet.visualize.curves import COLUMNS, Curve


def recipe() -> RecipeSpec:
    return load_recipe("thumbnet/quick", {"training.batch_size": 16})


def a_curve(plan: Plan, num_epochs: int | None = None) -> Curve:
    """What a run of this plan leaves: the steps at which its epochs ended."""
    ends = np.array([s + 1.0 for s in range(plan.num_steps) if plan.at(s).ends_epoch])[:num_epochs]
    epochs = np.arange(1.0, len(ends) + 1)
    values = {key: np.ones(len(ends)) for key in COLUMNS}
    return Curve("run", epochs, values, (("1", 0, 1),), steps=ends)


@pytest.mark.parametrize("num_images", [100, 103, 112])
@pytest.mark.parametrize("num_epochs", [None, 2])
def test_rates_are_those_of_the_plan(num_images: int, num_epochs: int | None) -> None:
    plan = Plan(recipe(), num_images)
    curve = a_curve(plan, num_epochs)
    found = rates_by_step(recipe(), curve, [])
    assert found is not None
    epochs, rates = found
    last = int(curve.steps[-1])
    assert rates.tolist() == [plan.at(step).lr for step in range(last)]
    assert epochs[-1] == len(curve.epochs)
    assert rates[0] < rates[1] < rates[2]  # the warm-up is there


def test_interventions_are_in_the_rates() -> None:
    plan = Plan(recipe(), 100)
    acts = [Intervention(5, "lr", 0.123), Intervention(9, "lr", None)]
    found = rates_by_step(recipe(), a_curve(plan), acts)
    assert found is not None
    assert found[1][4:10].tolist() == [plan.at(4).lr, *[0.123] * 4, plan.at(9).lr]


def test_epochs_that_fit_no_plan_leave_it_unknown() -> None:
    curve = a_curve(Plan(recipe(), 100))
    curve.steps[1] += 1
    assert rates_by_step(recipe(), curve, []) is None
