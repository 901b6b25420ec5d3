"""The rule that fits batch size, learning rate, epochs and image sizes to a data set."""

from dataclasses import dataclass
from math import log2, sqrt
from typing import Any

from thumbnet.recipe import PhaseSpec, RecipeSpec
from thumbnet.recipes.parse import parse_recipe
from thumbnet.recipes.sizes import resized

BASE = "thumbnet/quick"  # what is fitted where no recipe is named
FEW_STEPS = 20  # an epoch: below it batch norm and the schedule have too little to go by
LEAST_BATCH = 16  # images; smaller ones are too few for batch norm
STEPS_PER_DOUBLING = 100  # of the number of classes, from one class on
MOST_EPOCHS = 100
CLIP_NORM = 1.0  # of small batches: two classes of noise diverge without it, and learn with it
MOST_PIXELS = 128  # px that a recipe is judged at unasked: time grows with the square


@dataclass(frozen=True)
class Fitted:
    """A recipe fitted to a data set, and one line for each thing that was chosen."""

    recipe: RecipeSpec
    reasons: tuple[str, ...]


def fit_recipe(
    recipe: RecipeSpec, num_images: int, num_classes: int, size: int, smallest: int = 8
) -> Fitted:
    """Fit a recipe to a number of training images and classes.

    - The batch size is halved until an epoch has 20 steps, but not below 16 images.
    - The learning rate follows the batch size: in proportion for SGD (arXiv:1706.02677), by the
      square root for the others (arXiv:2205.10287).
    - Where the batch size changes, gradients are clipped at norm 1: in few images a single step can
      be large.
    - The epochs grow until there are 100 steps in all, and 100 more for every doubling of the
      number of classes: 358 for 6, 864 for 200. At most 100 epochs, and never fewer than the recipe
      has. What is added goes to the shortest phases first, the later ones before: few epochs of
      little data at the judged size are too few steps there.
    - The recipe is judged at `size`, and the sizes of its phases scale along.

    A data set that is large enough changes nothing: Tiny ImageNet leaves `thumbnet/quick` as it is.

    Args: size: px to judge at; smallest: px that no phase goes below
    Raises: RecipeError where no recipe can be made of it
    """
    batch_size = _batch_size(recipe, num_images)
    ratio = batch_size / recipe.training.batch_size
    data = resized(recipe, size, smallest).model_dump(mode="json")
    _change_batches(data, ratio, batch_size)
    if ratio < 1:
        _clip_gradients(data)
    _change_rates(data, ratio if recipe.optimizer.name == "sgd" else sqrt(ratio))
    fitted = parse_recipe(data, f"{recipe.name}, fitted to the data")
    epochs = _epochs(fitted, num_images, num_classes)
    phases = tuple(
        phase.model_copy(update={"epochs": num})
        for phase, num in zip(fitted.phases, epochs, strict=True)
    )
    fitted = fitted.model_copy(update={"phases": phases})
    if fitted != recipe:
        summary = f"{recipe.name} fitted to {num_images:,} images of {num_classes:,} classes"
        fitted = fitted.model_copy(update={"summary": summary})
    return Fitted(fitted, _reasons(recipe, fitted, num_images, num_classes))


def least_steps(recipe: RecipeSpec, num_images: int) -> int:
    """Return the steps of an epoch, in the phase in which they are fewest."""
    return min(_steps(recipe, phase, num_images) for phase in recipe.phases)


def few_steps_warning(recipe: RecipeSpec, fitted: RecipeSpec, num_images: int) -> str | None:
    """Return a warning where a recipe makes few steps an epoch and another would make more."""
    steps = least_steps(recipe, num_images)
    if steps >= FEW_STEPS or fitted.training.batch_size >= recipe.training.batch_size:
        return None
    total = _total_steps(recipe, num_images)
    batch_size, lr = fitted.training.batch_size, fitted.training.schedule.lr
    return (
        f"WARNING: {num_images:,} images in batches of {recipe.training.batch_size} make {steps} "
        f"step{'s' * (steps != 1)} an epoch, {total:,} in all: the network will learn little.\n"
        f"What would fit: batch size {batch_size}, learning rate {lr:g}, {fitted.num_epochs:g} "
        f"epochs ({_total_steps(fitted, num_images):,} steps). Give --auto to train so."
    )


def _steps(recipe: RecipeSpec, phase: PhaseSpec, num_images: int) -> int:
    """Return the whole batches of an epoch."""
    batch_size = phase.batch_size or recipe.training.batch_size
    steps = max(1, num_images // batch_size)
    return min(steps, phase.steps_per_epoch or steps)


def _total_steps(recipe: RecipeSpec, num_images: int) -> int:
    return sum(round(p.epochs * _steps(recipe, p, num_images)) for p in recipe.phases)


def _batch_size(recipe: RecipeSpec, num_images: int) -> int:
    batch_size = recipe.training.batch_size
    while num_images // batch_size < FEW_STEPS and batch_size // 2 >= LEAST_BATCH:
        batch_size //= 2
    return batch_size


def _change_batches(data: dict[str, Any], ratio: float, batch_size: int) -> None:
    data["training"]["batch_size"] = batch_size
    for phase in data["phases"]:
        if phase["batch_size"] is not None:
            least = min(LEAST_BATCH, phase["batch_size"])
            phase["batch_size"] = max(least, round(phase["batch_size"] * ratio))


def _clip_gradients(data: dict[str, Any]) -> None:
    for optimizer in (data["optimizer"], *(phase["optimizer"] for phase in data["phases"])):
        if optimizer is not None and optimizer["clip_norm"] is None:
            optimizer["clip_norm"] = CLIP_NORM


def _change_rates(data: dict[str, Any], factor: float) -> None:
    for schedule in (data["training"]["schedule"], *(p["schedule"] for p in data["phases"])):
        for key in {"lr", "base_lr", "min_lr"} & set(schedule or ()):
            schedule[key] = float(f"{schedule[key] * factor:.3g}") if factor != 1 else schedule[key]


def _epochs(recipe: RecipeSpec, num_images: int, num_classes: int) -> list[float]:
    """Return the epochs of each phase: as they are, or more where the steps are too few."""
    wanted, total = _wanted_steps(num_classes), _total_steps(recipe, num_images)
    epochs = [phase.epochs for phase in recipe.phases]
    target = min(MOST_EPOCHS, int(recipe.num_epochs * wanted / total))
    while sum(epochs) < target:
        shortest = min(range(len(epochs)), key=lambda number: (epochs[number], -number))
        epochs[shortest] = int(epochs[shortest]) + 1
    return epochs


def _wanted_steps(num_classes: int) -> int:
    return round(STEPS_PER_DOUBLING * (1 + log2(max(2, num_classes))))


def _reasons(
    recipe: RecipeSpec, fitted: RecipeSpec, num_images: int, num_classes: int
) -> tuple[str, ...]:
    """Say what was chosen and why, one line each."""
    steps, total = least_steps(fitted, num_images), _total_steps(fitted, num_images)
    sizes = dict.fromkeys(p.image_size or fitted.preprocess.image_size for p in fitted.phases)

    def was(now: float, before: float) -> str:
        return "" if now == before else f" (not {before:g})"

    clips = fitted.optimizer.clip_norm not in (None, recipe.optimizer.clip_norm)
    clipped = f"; gradients are clipped at norm {fitted.optimizer.clip_norm:g}" if clips else ""
    batch_size, lr = fitted.training.batch_size, fitted.training.schedule.lr
    epochs, judged = fitted.num_epochs, fitted.preprocess.image_size
    return (
        f"batch size {batch_size}{was(batch_size, recipe.training.batch_size)}: "
        f"{num_images:,} images make {steps:,} step{'s' * (steps != 1)} an epoch",
        f"learning rate {lr:g}{was(lr, recipe.training.schedule.lr)}: it follows the batch size"
        f"{clipped}",
        f"epochs {epochs:g}{was(epochs, recipe.num_epochs)}: {total:,} steps in all; "
        f"{num_classes:,} classes need about {_wanted_steps(num_classes):,}",
        f"image sizes {', '.join(map(str, sizes))} px, judged at {judged} px"
        f"{was(judged, recipe.preprocess.image_size)}",
    )
