"""Find the layers of a network that pictures are made of."""

from collections.abc import Iterator

from torch import Tensor, nn

from thumbnet.errors import RecipeError, did_you_mean
from thumbnet.models.taps import taps

_KEEPS_MAP = (nn.modules.batchnorm._NormBase, nn.GroupNorm)
_ACTIVATIONS = (nn.ReLU, nn.PReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.ELU)


def convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the convolutions in the order they were made, by name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}


def find_convolution(model: nn.Module, layer: str | None, second: bool = False) -> str:
    """Return the name of a convolution: the given one, else the first, or the second.

    Raises: RecipeError for a name that is none, or a network with too few
    """
    convs = convolutions(model)
    if layer is not None:
        if layer not in convs:
            raise RecipeError(
                f"the network has no convolution '{layer}'{did_you_mean(layer, convs)}; "
                f"convolutions: {', '.join(convs) or 'none'}"
            )
        return layer
    if len(convs) < 1 + second:
        raise RecipeError(f"the network has {len(convs)} convolutions; give another --layer")
    return list(convs)[int(second)]


def map_layers(model: nn.Module, images: Tensor) -> list[str]:
    """Return the layers worth a look: each block, or convolution with what follows it, as it ran.

    Only those that put out maps count; a normalization or activation behind a convolution stands
    for it.

    Shapes: images (B, C, H, W)
    """
    names = list(_candidates(model, ""))
    with taps(model, names) as outputs:
        model(images)
    return [name for name, out in outputs.items() if out.ndim == 4 and out.shape[-1] > 1]


def _candidates(module: nn.Module, prefix: str) -> Iterator[str]:
    held: str | None = None
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        if held is not None and isinstance(child, (*_KEEPS_MAP, *_ACTIVATIONS)):
            held = path
            continue
        if held is not None:
            yield held
            held = None
        if isinstance(child, nn.Conv2d):
            held = path
        elif isinstance(child, nn.Sequential | nn.ModuleList):
            yield from _candidates(child, f"{path}.")
        elif next(child.children(), None) is not None and convolutions(child):
            yield path
    if held is not None:
        yield held
