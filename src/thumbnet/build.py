"""From recipe data to live objects: nobody else maps a recipe's names to classes."""

from torch import nn
from torch.optim import Optimizer

from thumbnet.augment.policy import check_augment
from thumbnet.augment.views import Preprocess
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import DataError, RecipeError
from thumbnet.models.registry import create_model, model_entry
from thumbnet.optim.optimizers import sgd
from thumbnet.recipe import MeanStd, PreprocessSpec, RecipeSpec


def build_model(recipe: RecipeSpec) -> nn.Module:
    """Make the recipe's network for the resolved number of classes.

    Raises: RecipeError for an unknown network or argument
    """
    num_classes = recipe.quirks.num_outputs or recipe.data.num_classes
    assert num_classes is not None, "the recipe must be resolved"
    channels = 1 if recipe.preprocess.color == "grey" else 3
    return create_model(recipe.model.name, num_classes, in_channels=channels, **recipe.model.args)


def build_optimizer(recipe: RecipeSpec, model: nn.Module) -> Optimizer:
    """Make the recipe's optimizer over the network's parameters."""
    assert recipe.optimizer.name == "sgd"
    return sgd(model, recipe.optimizer)


def build_preprocess(spec: PreprocessSpec, dataset: PackedDataset) -> Preprocess:
    """Make the preprocessing that is saved with the weights."""
    mean, std = dataset.mean, dataset.std
    constants: tuple[tuple[float, ...], tuple[float, ...]] = (mean, std)
    if isinstance(spec.normalize, MeanStd):
        constants = (spec.normalize.mean, spec.normalize.std)
    elif spec.normalize == "overall" or spec.color == "grey":
        constants = ((dataset.overall_mean,), (dataset.overall_std,))
    return Preprocess(
        image_size=spec.image_size,
        color=spec.color,
        mean=constants[0],
        std=constants[1],
        source_size=dataset.image_size,
        resize=dataset.resize,
    )


def resolve(recipe: RecipeSpec, dataset: PackedDataset) -> RecipeSpec:
    """Fill in what the data set decides, and refuse what cannot run, before any training.

    Raises: RecipeError, DataError
    """
    outputs = recipe.quirks.num_outputs
    if outputs is not None and outputs < dataset.num_classes:
        raise RecipeError(
            f"quirks.num_outputs={outputs}: the data has {dataset.num_classes} classes"
        )
    if recipe.data.fingerprint not in (None, dataset.fingerprint):
        raise DataError(
            f"{dataset.path} holds other data (fingerprint {dataset.fingerprint[:12]}) than this "
            f"run was made with ({str(recipe.data.fingerprint)[:12]}); give that data with --data, "
            "or start a new run"
        )
    entry = model_entry(recipe.model.name)
    judged_at = recipe.preprocess.image_size
    for number, phase in enumerate(recipe.phases):
        size = phase.image_size or judged_at
        for pixels in (size, judged_at):
            if pixels < entry.min_image_size or entry.image_size not in (None, pixels):
                allowed = entry.image_size or f"at least {entry.min_image_size}"
                raise RecipeError(
                    f"phases.{number}: {entry.name} takes images of {allowed} pixels, not {pixels}"
                )
        try:
            check_augment(
                phase.augment if phase.augment is not None else recipe.training.augment,
                min(size, dataset.image_size),
            )
        except ValueError as error:
            raise RecipeError(f"phases.{number}: {error}") from None
    data = recipe.data.model_copy(
        update={
            "num_classes": dataset.num_classes,
            "fingerprint": dataset.fingerprint,
            "path": str(dataset.path),
        }
    )
    return recipe.model_copy(update={"data": data})
