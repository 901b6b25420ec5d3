"""From recipe data to live objects: nobody else maps a recipe's names to classes."""

from collections.abc import Sequence

from torch import nn
from torch.optim import Optimizer

from thumbnet.augment.policy import check_augment
from thumbnet.augment.views import Preprocess, encode_mean_image
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.errors import DataError, RecipeError, did_you_mean
from thumbnet.models.registry import create_model, model_entry
from thumbnet.optim.optimizers import make_optimizer
from thumbnet.recipe import MeanStd, OptimizerSpec, PhaseSpec, PreprocessSpec, RecipeSpec
from thumbnet.recipes.auto import MOST_PIXELS, Fitted, fit_recipe
from thumbnet.recipes.sizes import resized


def build_model(recipe: RecipeSpec) -> nn.Module:
    """Make the recipe's network for the resolved number of classes.

    Raises: RecipeError for an unknown network or argument, or an unknown part to freeze
    """
    num_classes = recipe.quirks.num_outputs or recipe.data.num_classes
    assert num_classes is not None, "the recipe must be resolved"
    channels = 1 if recipe.preprocess.color == "grey" else 3
    name = recipe.model.name
    model = create_model(name, num_classes, in_channels=channels, **recipe.model.args)
    for phase in recipe.phases:
        frozen = parameters_of(model, phase.freeze)
        if len({id(parameter) for parameter in frozen}) == len(list(model.parameters())):
            raise RecipeError(f"freeze={list(phase.freeze)} leaves nothing that learns")
    return model


def parameters_of(model: nn.Module, names: Sequence[str]) -> list[nn.Parameter]:
    """Return the parameters of these parts of a network, named as in its state dict.

    Raises: RecipeError for a part that it does not have, or that has none
    """
    parts = dict(model.named_modules())
    found = list[nn.Parameter]()
    for name in names:
        here = list(parts[name].parameters()) if name and name in parts else []
        if not here:
            known = [part for part, _ in model.named_children()]
            raise RecipeError(
                f"freeze: the network has no part '{name}' that learns"
                f"{did_you_mean(name, known)}; it has {', '.join(known)} and parts of these"
            )
        found += here
    return found


def build_optimizer(recipe: RecipeSpec, spec: OptimizerSpec, model: nn.Module) -> Optimizer:
    """Make an optimizer, the recipe's own or a phase's, over the network's parameters."""
    return make_optimizer(model, spec, head=model_entry(recipe.model.name).head)


def build_preprocess(spec: PreprocessSpec, dataset: PackedDataset) -> Preprocess:
    """Make the preprocessing that is saved with the weights.

    Raises: RecipeError for a crop that cannot be told from the data's own images
    """
    if spec.crop == dataset.image_size < spec.image_size:
        raise RecipeError(
            f"preprocess.crop={spec.crop} of images scaled up to {spec.image_size} pixels: it must "
            f"differ from the data's own size, {dataset.image_size}; change crop or image_size"
        )
    mean, std = dataset.mean, dataset.std
    constants: tuple[tuple[float, ...], tuple[float, ...]] = (mean, std)
    if isinstance(spec.normalize, MeanStd):
        constants = (spec.normalize.mean, spec.normalize.std)
    elif spec.normalize == "overall" or spec.color == "grey":
        constants = ((dataset.overall_mean,), (dataset.overall_std,))
    mean_image = None
    if spec.normalize == "mean_image":
        constants, mean_image = ((0.0,), (1.0,)), encode_mean_image(dataset.mean_image())
    return Preprocess(
        image_size=spec.image_size,
        color=spec.color,
        mean=constants[0],
        std=constants[1],
        source_size=dataset.image_size,
        resize=dataset.resize,
        background=dataset.background,
        crop=spec.crop,
        mean_image=mean_image,
    )


def fit_to_data(recipe: RecipeSpec, dataset: PackedDataset, size: int | None = None) -> Fitted:
    """Fit a recipe's batch size, learning rate, epochs and image sizes to a data set.

    Args: size: px to judge at; None takes the recipe's, or those of larger packed images up to
        `MOST_PIXELS`, where the network takes images of any size
    Raises: RecipeError, DataError
    """
    num_images = len(apply_protocol(dataset, recipe.data.protocol).fit)
    entry, view = model_entry(recipe.model.name), recipe.preprocess
    if size is None and entry.image_size is None and view.crop is None:
        size = max(view.image_size, min(dataset.image_size, MOST_PIXELS))
    size = size or view.image_size
    return fit_recipe(recipe, num_images, dataset.num_classes, size, entry.min_image_size)


def at_size(recipe: RecipeSpec, size: int) -> RecipeSpec:
    """Return a recipe judged at another image size, the sizes of its phases in proportion.

    Raises: RecipeError
    """
    return resized(recipe, size, model_entry(recipe.model.name).min_image_size)


def check_judged_size(recipe: RecipeSpec) -> None:
    """Refuse a recipe that no phase trains at the size it is judged at, unless it says so.

    Raises: RecipeError
    """
    judged = recipe.preprocess.image_size
    sizes = dict.fromkeys(phase.image_size or judged for phase in recipe.phases)
    if judged in sizes or recipe.preprocess.untrained_size:
        return
    raise RecipeError(
        f"{recipe.name} is judged at {judged} px, but trains at {', '.join(map(str, sizes))} px "
        f"only, which costs accuracy; give --size {judged} instead of preprocess.image_size to "
        f"scale all phases, or add a phase with image_size: {judged}, or allow it with "
        "--set preprocess.untrained_size=true"
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
    for number, phase in enumerate(recipe.phases):
        _check_phase(recipe, phase, dataset, f"phases.{number}")
    data = recipe.data.model_copy(
        update={
            "num_classes": dataset.num_classes,
            "fingerprint": dataset.fingerprint,
            "path": str(dataset.path.resolve()),
        }
    )
    return recipe.model_copy(update={"data": data})


def _check_phase(recipe: RecipeSpec, phase: PhaseSpec, dataset: PackedDataset, where: str) -> None:
    """Refuse a phase that cannot run at its image size."""
    entry, view = model_entry(recipe.model.name), recipe.preprocess
    size = phase.image_size or view.image_size
    if view.crop is not None and size != view.image_size:
        raise RecipeError(
            f"{where}: preprocess.crop={view.crop} goes with images of {view.image_size} pixels, "
            f"not {size}; leave out the phase's image_size"
        )
    for pixels in (view.crop or size, view.input_size):
        if pixels < entry.min_image_size or entry.image_size not in (None, pixels):
            allowed = entry.image_size or f"at least {entry.min_image_size}"
            raise RecipeError(
                f"{where}: {entry.name} takes images of {allowed} pixels, not {pixels}"
            )
    augment = phase.augment if phase.augment is not None else recipe.training.augment
    try:
        check_augment(augment, min(size, dataset.image_size), crop=view.crop)
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from None
