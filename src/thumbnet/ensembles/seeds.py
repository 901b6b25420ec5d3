"""One recipe trained several times, each with its own seed, and how far the figures spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import RunFolder
from thumbnet.training.again import finished_run
from thumbnet.training.events import Observer


@dataclass(frozen=True)
class Spread:
    """What several runs of one recipe came to; `sd` is the sample's standard deviation."""

    mean: float
    sd: float
    num: int


def spread_of(figures: Sequence[float]) -> Spread:
    """Return mean and standard deviation of at least two figures."""
    return Spread(mean(figures), stdev(figures), len(figures))


def check_vacant(folder: Path) -> Path:
    """Refuse a place for a model folder that is taken.

    Raises: CheckpointError
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} is there already; choose another --output")
    return folder


def train_seeds(
    recipe: RecipeSpec,
    num: int,
    dataset: PackedDataset,
    *,
    weights: Path | None = None,
    device: str | None = None,
    observers: Callable[[RecipeSpec], Sequence[Observer]] = lambda _: (),
) -> list[RunFolder]:
    """Train a recipe `num` times, with seeds that count up from its own.

    Seeds whose run is over are not trained again, and an unfinished run is resumed.

    Returns: the runs in the order of their seeds; fewer than `num` where one was interrupted
    Raises: RecipeError for fewer than two
    """
    if num < 2:
        raise RecipeError(f"--seeds {num}: an ensemble takes at least two")
    runs: list[RunFolder] = []
    for seed in range(recipe.training.seed, recipe.training.seed + num):
        training = recipe.training.model_copy(update={"seed": seed})
        one = recipe.model_copy(update={"training": training})
        run = finished_run(one, dataset, weights=weights, device=device, observers=observers)
        if run is None:
            break
        runs.append(run)
    return runs
