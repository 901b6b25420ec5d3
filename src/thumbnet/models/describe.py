"""What a network is and costs, read off by running it, not from tables."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model, model_entry

IMAGE_SIZE = 64  # px, Tiny ImageNet's, for networks that take any size
COPIES = 3  # of each parameter: itself, its gradient, its momentum


@dataclass(frozen=True)
class Layer:
    """One run of a layer that holds parameters or changes the shape.

    Args:
        output: shape without the batch
        flops: of one image forward; a multiplication and its addition count as two
    """

    name: str
    kind: str
    output: tuple[int, ...]
    num_parameters: int
    flops: int


@dataclass(frozen=True)
class ModelDescription:
    """A network at one image size and batch size.

    Args:
        image_size: px
        flops: of one image forward, in convolutions and matrix products; a multiplication and
            its addition count as two
        receptive_field: px along a side that the middle of the last feature map sees, as far as
            the image reaches
        parameter_names: as in a file of weights, in its order
        state_bytes: weights, gradients, momentum and running statistics, 32 bits each
        activation_bytes: what the forward pass of a batch keeps for the backward pass; numbers
            of 32 bits
    """

    name: str
    image_size: int
    batch_size: int
    layers: tuple[Layer, ...]
    parameter_names: tuple[str, ...]
    num_parameters: int
    flops: int
    receptive_field: int
    state_bytes: int
    activation_bytes: int

    @property
    def training_bytes(self) -> int:
        """Add up what training needs."""
        return self.state_bytes + self.activation_bytes


def describe(
    name: str,
    num_classes: int,
    image_size: int | None = None,
    batch_size: int = 128,
    **options: Any,
) -> ModelDescription:
    """Run the network `name` without numbers and tell its layers, computation and memory.

    Units: image_size in px; None takes the network's own size, or 64
    Args: options: what the network takes besides
    Raises: RecipeError for an unknown name or option, or a size the network does not take
    Example: describe("squeezenet1_1", 1000, image_size=224).flops
    """
    entry = model_entry(name)
    image_size = image_size or entry.image_size or max(IMAGE_SIZE, entry.min_image_size)
    if image_size < entry.min_image_size or entry.image_size not in {None, image_size}:
        allowed = f"{entry.image_size}" if entry.image_size else f"{entry.min_image_size} or more"
        raise RecipeError(f"model '{name}' takes images of {allowed} px, not {image_size}")
    if batch_size < 1:
        raise RecipeError(f"batch_size={batch_size} must be at least 1")
    with torch.device("meta"):
        model = create_model(name, num_classes, **options)
        images = torch.empty(1, entry.in_channels, image_size, image_size)
    layers, flops = _layers(model.eval(), images)
    few, more = (_kept_bytes(model.train(), images.repeat(n, 1, 1, 1)) for n in (2, 4))
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    buffers = sum(buffer.nbytes for buffer in model.buffers())
    return ModelDescription(
        name=name,
        image_size=image_size,
        batch_size=batch_size,
        layers=tuple(layers),
        parameter_names=tuple(name for name, _ in model.named_parameters()),
        num_parameters=num_parameters,
        flops=flops,
        receptive_field=_receptive_field(model, images[:, :, : entry.min_image_size]),
        state_bytes=4 * COPIES * num_parameters + buffers,
        activation_bytes=few + (batch_size - 2) * (more - few) // 2,
    )


def count_flops(model: nn.Module, images: Tensor) -> int:
    """Return what a forward pass computes; a multiplication and its addition count as two."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(images)
    return int(counter.get_total_flops())


def _layers(model: nn.Module, images: Tensor) -> tuple[list[Layer], int]:
    """List the layers in the order they run, and count the FLOPs of all."""
    layers: list[Layer] = []
    seen: set[nn.Module] = set()
    counter = FlopCounterMode(display=False)
    before = 0

    def start(*_: object) -> None:
        nonlocal before
        before = counter.get_total_flops()

    def stop(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        own = 0 if module in seen else sum(p.numel() for p in module.parameters())
        seen.add(module)
        if own or output.shape != inputs[0].shape:
            flops = counter.get_total_flops() - before
            layers.append(Layer(name, type(module).__name__, tuple(output.shape[1:]), own, flops))

    with ExitStack() as hooks, torch.no_grad(), counter:
        for name, module in _leaves(model):
            hooks.enter_context(module.register_forward_pre_hook(start))
            hooks.enter_context(module.register_forward_hook(partial(stop, name)))
        model(images)
    return layers, counter.get_total_flops()


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_modules():
        if next(module.children(), None) is None:
            yield name, module


def _kept_bytes(model: nn.Module, images: Tensor) -> int:
    """Add up the storages a forward pass keeps for the backward pass, parameters left out."""
    own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor  # alive, so that no number is used twice
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(images)  # alive too: with it, the graph
    del logits
    return sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in own)


class _Reached(Exception):  # noqa: N818, it ends a forward pass early and is no mistake
    """The layers behind the last feature map are about to run."""


def _last_map(model: nn.Module, images: Tensor) -> Tensor:
    """Run a network up to what a global pool, a flattening or a linear layer ends."""
    maps: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        maps.append(output)

    def end(*_: object) -> None:
        raise _Reached

    with ExitStack() as hooks, torch.no_grad(), suppress(_Reached):
        for module in model.modules():
            if isinstance(module, nn.AdaptiveAvgPool2d | nn.Flatten | nn.Linear):
                hooks.enter_context(module.register_forward_pre_hook(end))
            else:
                hooks.enter_context(module.register_forward_hook(keep))
        model(images)
    return maps[-1]


def _receptive_field(model: nn.Module, images: Tensor) -> int:
    """Count the columns of an image that reach the middle of the last feature map.

    A number that is none (NaN) spreads through every layer as far as the layer looks, whatever
    the weights. The outermost columns that matter are found by halving, from the left and from
    the right.
    """
    model = model.eval().to_empty(device="cpu")
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.detach().zero_()
    size = images.shape[3]

    def reaches(columns: slice) -> bool:
        image = torch.zeros(images.shape)
        image[..., columns] = torch.nan
        found = _last_map(model, image)
        return bool(found[..., found.shape[3] // 2].isnan().any())

    left = _smallest(size, lambda count: reaches(slice(0, count)))
    right = _smallest(size, lambda count: reaches(slice(size - count, size)))
    return size - (left - 1) - (right - 1)


def _smallest(size: int, fits: Callable[[int], bool]) -> int:
    """Return the smallest count of 1 to `size` that fits, where every larger one does too."""
    return bisect_left(range(1, size + 1), True, key=fits) + 1
