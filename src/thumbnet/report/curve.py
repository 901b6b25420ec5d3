"""A run's curve from its folder, beside what its report published."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import RunFolder
from thumbnet.training.hand import Hand, Intervention, read_acts
from thumbnet.training.phases import Plan
from thumbnet.visualize.curves import Curve, read_curve

WHERE = {"val": "val", "watch": "held-out images"}
MOST_POINTS = 2000  # of the learning rate; a longer run is thinned

Floats = NDArray[np.float64]


def curve_of(folder: RunFolder, title: str) -> Curve:
    """Read a run's curve with its interventions, beside its published figure.

    Raises: CheckpointError where there is no epoch yet
    """
    recipe = folder.recipe()
    published = recipe.published
    done = read_acts(folder.events_file)
    acts = [(act.step, str(act)) for act in done if act.kind != "skip"]
    curve = replace(read_curve(title, folder.results_file, acts), planned=float(recipe.num_epochs))
    curve = replace(curve, rates=rates_by_step(recipe, curve, done))
    if published is None:
        return curve
    curve = replace(curve, published=published.top1, source=WHERE[published.split])
    way = published.curve
    if way is None:
        return curve
    return replace(curve, on_the_way=way.points, way_source=WHERE[way.split])


def rates_by_step(
    recipe: RecipeSpec, curve: Curve, acts: Sequence[Intervention]
) -> tuple[Floats, Floats] | None:
    """Return the learning rate of each step with its epoch; None where the plan is not known.

    The plan depends on the number of images, which a run does not store; it is found from where
    its epochs ended.
    """
    plan = _plan(recipe, curve.steps, {act.step for act in acts if act.kind in {"skip", "epochs"}})
    last = int(curve.steps[-1])
    if plan is None:
        return None
    chosen = np.unique(np.linspace(0, last - 1, min(last, MOST_POINTS)).astype(int))
    hand, left = Hand(recipe, plan), list(acts)
    rates = []
    for step in chosen.tolist():
        while left and left[0].step <= step:
            hand.apply(left.pop(0))
        if step >= hand.plan.num_steps:
            return None
        rates.append(hand.plan.at(step).lr if hand.lr is None else hand.lr)
    epochs = np.interp(chosen + 1, [0, *curve.steps], [0, *curve.epochs])
    return epochs, np.array(rates)


def _plan(recipe: RecipeSpec, steps: Floats, changed: set[int]) -> Plan | None:
    """Find a plan whose epochs end at these steps, up to where an intervention moved the ends."""
    first, until = int(steps[0]), min(changed, default=int(steps[-1]) + 1)
    known = {int(step) for step in steps if step <= until}
    batch = recipe.phases[0].batch_size or recipe.training.batch_size
    for num_images in range(first * batch + batch, max(1, (first - 1) * batch), -1):
        try:
            plan = Plan(recipe, num_images)
        except RecipeError:
            continue
        if known and known <= _ends(plan):
            return plan
    return None


def _ends(plan: Plan) -> set[int]:
    """Return the steps after which an epoch ends."""
    ends = set()
    for phase in plan.phases:
        inside = range(phase.steps_per_epoch, phase.num_steps, phase.steps_per_epoch)
        ends |= {phase.first_step + step for step in inside}
        ends.add(phase.first_step + phase.num_steps)
    return ends
