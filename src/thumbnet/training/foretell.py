"""What a resolved recipe will take here: its plan, how the engine runs it, seconds and bytes."""

from dataclasses import dataclass

from torch import nn

from thumbnet.build import build_model
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.recipe import RecipeSpec
from thumbnet.training.engine import find_device
from thumbnet.training.forecast import Forecast, make_forecast
from thumbnet.training.measure import Measured
from thumbnet.training.phases import Plan
from thumbnet.training.picks import measured_picks
from thumbnet.training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Foretold:
    """A plan, how the engine runs it, and what it will take."""

    plan: Plan
    measured: Measured
    forecast: Forecast


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
    return Foretold(plan, measured, forecast)
