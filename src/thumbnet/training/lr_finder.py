"""Which learning rates a recipe can bear: a short run in which the rate grows from step to step."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from thumbnet.build import build_model, build_preprocess, resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.training.engine import Engine
from thumbnet.training.feed import Feed
from thumbnet.training.foretell import foretell
from thumbnet.training.job import new_state
from thumbnet.training.step import seed_step, train_step

MEMORY = 0.9  # of the running loss that a step keeps
WINDOW = 0.08  # of the steps: the deviation of the bell that the drawn curve is smoothed by
DIVERGED = 3.0  # smoothed loss above its least, in times of what has been gained


@dataclass(frozen=True)
class Sweep:
    """Losses by learning rate; `suggested` is where the smoothed loss falls fastest.

    `last` is the rate at which the loss had risen too far, None where all were borne.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float
    last: float | None


def sweep_lr(
    recipe: RecipeSpec,
    dataset: PackedDataset,
    lowest: float = 1e-4,
    highest: float = 10.0,
    num_steps: int = 120,
    device: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Sweep:
    """Take steps of a fresh network at growing learning rates until its loss rises; keep nothing.

    The images, their augmentation and the optimizer are those of the recipe's first phase.

    Raises: RecipeError unless 0 < lowest < highest and num_steps is at least 20
    Source: Smith 2015, arXiv:1506.01186, section 3.3
    """
    if not 0 < lowest < highest or not math.isfinite(highest):
        raise RecipeError(
            f"learning rates from {lowest:g} to {highest:g}: the first must be above 0 and below "
            "the second"
        )
    if num_steps < 20:
        raise RecipeError(f"{num_steps} steps are too few for a curve; take at least 20")
    recipe = resolve(recipe, dataset)
    torch.manual_seed(recipe.training.seed)
    model = build_model(recipe)
    told = foretell(recipe, dataset, device, model)
    engine = Engine(told.measured.picks)
    state = new_state(recipe, model, engine, told.plan)
    state.model.train()
    fit = apply_protocol(dataset, recipe.data.protocol).fit
    preprocess = build_preprocess(recipe.preprocess, dataset)
    feed = Feed(dataset, fit, preprocess, told.plan, engine.device)
    first = told.plan.phases[0].num_steps
    rates, losses, running, mean = list[float](), list[float](), list[float](), 0.0
    with engine.threads():
        for step in range(num_steps):
            lr = lowest * (highest / lowest) ** (step / (num_steps - 1))
            at = replace(told.plan.at(step % first), lr=lr)
            seed_step(recipe.training.seed, step, engine.device)
            images, labels, mix = feed.batch(at)
            loss = float(train_step(state, images, labels, at, engine, mix, weights=feed.weights))
            if not math.isfinite(loss):
                return _sweep(rates, losses, lr)
            mean = MEMORY * mean + (1 - MEMORY) * loss
            rates.append(lr)
            losses.append(loss)
            running.append(mean / (1 - MEMORY ** (step + 1)))
            if progress is not None:
                progress(step + 1, num_steps, "learning rates")
            if _has_diverged(running):
                return _sweep(rates, losses, lr)
    return _sweep(rates, losses, None)


def _has_diverged(running: list[float]) -> bool:
    gained = running[0] - min(running)
    return running[-1] - min(running) > max(DIVERGED * gained, 0.5)


def _sweep(rates: list[float], losses: list[float], last: float | None) -> Sweep:
    """Find the steepest fall of the smoothed loss before it is least.

    Raises: RecipeError where the loss was not finite from the start
    """
    if len(rates) < 5:
        raise RecipeError(
            f"the loss is not finite at a learning rate of {last or 0:g} already; begin lower "
            "(--from)"
        )
    places = np.arange(len(losses))
    bell = np.exp(-0.5 * ((places[:, None] - places) / max(1.0, WINDOW * len(losses))) ** 2)
    smoothed = bell @ np.minimum(losses, 2 * losses[0]) / bell.sum(1)
    until = max(3, int(np.argmin(smoothed)) + 1)
    falls = np.gradient(smoothed[:until], np.log(rates[:until]))
    suggested = rates[int(np.argmin(falls))]
    return Sweep(tuple(rates), tuple(losses), tuple(smoothed.tolist()), suggested, last)
