"""The weights a run begins from: those of another run, or public ones."""

import hashlib
from pathlib import Path

from torch import nn

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.model_folder import WEIGHTS, read_model
from thumbnet.models.registry import model_entry
from thumbnet.models.weights import load_pretrained, read_state_dict
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import find_run
from thumbnet.training.pretrained import pretrained_file


def begin(
    model: nn.Module,
    recipe: RecipeSpec,
    dataset: PackedDataset,
    init: str | Path | None,
    weights: str | Path | None,
) -> dict[str, str]:
    """Load the weights a run begins from, and return what they were; empty where it has none."""
    if weights is not None and not recipe.model.pretrained:
        raise RecipeError(
            f"{recipe.name} does not start from public weights; --weights needs "
            "--set model.pretrained=true, and the weights of a run are --init RUN"
        )
    if init is not None:
        folder = _model_folder(init)
        start_from(model, recipe, dataset, folder)
        file, kind = folder / WEIGHTS, "run"
    elif recipe.model.pretrained:
        file, kind = pretrained_file(recipe.model.name, weights), "pretrained"
        _load_public(model, recipe, file)
    else:
        return {}
    return {"kind": kind, "path": str(file.resolve()), "sha256": digest(file)}


def begin_again(
    model: nn.Module, recipe: RecipeSpec, dataset: PackedDataset, begun: dict[str, str]
) -> None:
    """Load the same weights once more.

    Raises: CheckpointError where they are gone or were changed
    """
    file = Path(begun["path"])
    if not file.is_file() or digest(file) != begun["sha256"]:
        raise CheckpointError(f"the run began from {file}, which is gone or was changed since")
    if begun["kind"] == "run":
        start_from(model, recipe, dataset, file.parent)
    else:
        _load_public(model, recipe, file)


def _load_public(model: nn.Module, recipe: RecipeSpec, file: Path) -> None:
    tensors = read_state_dict(file)
    try:
        load_pretrained(model, tensors, model_entry(recipe.model.name).head)
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from None


def start_from(model: nn.Module, recipe: RecipeSpec, dataset: PackedDataset, folder: Path) -> None:
    """Copy the weights of a trained network; the head only where the classes are the same.

    Raises: CheckpointError for another network
    """
    trained = read_model(folder)
    if trained.architecture != recipe.model.name or trained.model_args != recipe.model.args:
        raise CheckpointError(
            f"{folder} holds {trained.architecture} {trained.model_args}; the recipe trains "
            f"{recipe.model.name} {recipe.model.args}; choose a recipe of the same network"
        )
    tensors = trained.model.state_dict()
    outputs = recipe.quirks.num_outputs or dataset.num_classes
    if trained.wnids != dataset.wnids or trained.num_outputs != outputs:
        head = model_entry(recipe.model.name).head + "."
        own = model.state_dict()
        tensors = {k: own[k] if k.startswith(head) else v for k, v in tensors.items()}
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:  # another number of input channels, say
        raise CheckpointError(f"{folder} does not fit this recipe's network: {error}") from None


def _model_folder(name: str | Path) -> Path:
    """Return a model folder given as such, or as the run it is the best of."""
    path = Path(name)
    return path if (path / "config.json").is_file() else find_run(name).weights("best")


def digest(file: Path) -> str:
    """Return the SHA-256 of a file; empty where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
