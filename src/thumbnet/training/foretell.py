"""What a resolved recipe will take here: its plan, how the engine runs it, seconds and bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from thumbnet.build import at_size, build_model, resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.recipe import RecipeSpec
from thumbnet.training.engine import find_device
from thumbnet.training.forecast import Forecast, make_forecast
from thumbnet.training.measure import Measured
from thumbnet.training.phases import Plan
from thumbnet.training.picks import measured_picks
from thumbnet.training.ranks import ALONE, Ranks

BUDGET_SHARE = 0.9  # of a time budget is planned for; the rest is for errors of the estimate
EVALUATION_SHARE = 0.2  # of it at most goes into evaluations,
LEAST_EPOCHS = 2.0  # fewer over large images teach less than more over small ones
SMALLER = (0.75, 0.5)  # of the image size
LEAST_WATCHED = 500  # which see at least so many images
HALVINGS = 20  # of the interval in which the length of a recipe is searched


@dataclass(frozen=True)
class Foretold:
    """A plan, how the engine runs it, and what it will take."""

    plan: Plan
    measured: Measured
    forecast: Forecast
    num_watched: int


def foretell(
    recipe: RecipeSpec,
    dataset: PackedDataset,
    device: str | None = None,
    model: nn.Module | None = None,
    measured: Measured | None = None,
    ranks: Ranks = ALONE,
) -> Foretold:
    """Say what a resolved recipe will take on this machine, from a few real steps of it.

    Raises: RecipeError for a device that is not there
    """
    protocol = apply_protocol(dataset, recipe.data.protocol)
    model = model or build_model(recipe)
    plan = Plan(recipe, len(protocol.fit.indices))
    if measured is None:
        measured = ranks.told(
            lambda: measured_picks(recipe, plan, model, find_device(device), ranks.world.size)
        )
    ema = recipe.training.ema_decay is not None
    num_watched = len(protocol.watch.thinned(recipe.training.watched_images))
    forecast = make_forecast(plan, measured, model, num_watched, ema, dataset.image_size)
    return Foretold(plan, measured, forecast, num_watched)


def shorten(
    recipe: RecipeSpec, budget_s: float, estimate: Callable[[RecipeSpec], Foretold]
) -> tuple[RecipeSpec, Foretold]:
    """Make a recipe so short that it fits into a time budget; one that fits is left as it is.

    All phases become shorter alike. Every phase is evaluated at least once; where that would take
    much of the budget, fewer images are evaluated.
    """
    goal_s = BUDGET_SHARE * budget_s
    whole = estimate(recipe)
    if whole.forecast.total_s <= goal_s:
        return recipe, whole
    shortest = whole.forecast.watch_s * len(recipe.phases)
    if shortest > EVALUATION_SHARE * goal_s:
        share = EVALUATION_SHARE * goal_s / shortest
        num = min(whole.num_watched, max(LEAST_WATCHED, int(share * whole.num_watched)))
        training = recipe.training.model_copy(update={"watched_images": num})
        recipe = recipe.model_copy(update={"training": training})
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        factor = (low + high) / 2
        fits = estimate(recipe.scaled(factor)).forecast.total_s <= goal_s
        low, high = (factor, high) if fits else (low, factor)
    short = recipe.scaled(low or high)
    return short, estimate(short)


def smaller_if_slow(recipe: RecipeSpec, dataset: PackedDataset, budget_s: float) -> RecipeSpec:
    """Return the recipe, on smaller images where fewer than two epochs fit into a time budget.

    Raises: RecipeError
    """
    judged = recipe.preprocess.image_size
    for size in (judged, *(round(share * judged) for share in SMALLER)):
        smaller = at_size(recipe, size)
        resolved = resolve(smaller, dataset)
        measured = foretell(resolved, dataset).measured
        estimate = partial(foretell, dataset=dataset, measured=measured)
        short, _ = shorten(resolved, budget_s, estimate)
        if short.num_epochs >= LEAST_EPOCHS:
            break
    return smaller
