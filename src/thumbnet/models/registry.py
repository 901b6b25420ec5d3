"""The one place that maps a name to a network; families are imported on first use."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from thumbnet.errors import RecipeError, did_you_mean

if TYPE_CHECKING:
    from torch import nn

Builder = Callable[..., "nn.Module"]

FAMILIES = (
    "alchnet",
    "alexnet",
    "densenet",
    "fractalnet",
    "inception",
    "lenet",
    "quick",
    "resnet",
    "squeezenet",
    "vgg",
)

_entries: dict[str, "ModelEntry"] = {}


@dataclass(frozen=True)
class ModelEntry:
    """What is known of a network before it is built.

    Args:
        head: prefix of the parameters of the final classifier, drawn anew on fine-tuning
        min_image_size: px, the smallest side the network can take
        image_size: px, the only side it can take, or None where any from the smallest on will do
        in_channels: what the network takes unless told otherwise
    """

    name: str
    builder: Builder
    head: str
    summary: str
    min_image_size: int
    image_size: int | None
    in_channels: int

    @property
    def options(self) -> tuple[str, ...]:
        """Name the arguments the builder takes besides `num_classes` and `in_channels`."""
        parameters = inspect.signature(self.builder).parameters
        return tuple(name for name in parameters if name not in {"num_classes", "in_channels"})


def register_model(
    head: str = "fc", *, min_image_size: int = 1, image_size: int | None = None
) -> Callable[[Builder], Builder]:
    """Register the decorated function as the network of its own name.

    Units: image sizes in px
    Raises: ValueError where the name is taken
    Example:
        @register_model(head="fc", image_size=28)
        def lenet5(num_classes: int, in_channels: int = 1) -> nn.Module: ...
    """

    def register(builder: Builder) -> Builder:
        name = builder.__name__
        if name in _entries:
            raise ValueError(f"a network named '{name}' is registered already")
        _entries[name] = ModelEntry(
            name=name,
            builder=builder,
            head=head,
            summary=(inspect.getdoc(builder) or "").partition("\n")[0],
            min_image_size=image_size or min_image_size,
            image_size=image_size,
            in_channels=inspect.signature(builder).parameters["in_channels"].default,
        )
        return builder

    return register


def model_names() -> list[str]:
    """Return the names of all networks, sorted."""
    _load_families()
    return sorted(_entries)


def model_entry(name: str) -> ModelEntry:
    """Return what is known of the network `name`.

    Raises: RecipeError for an unknown name
    """
    names = model_names()
    if name not in _entries:
        raise RecipeError(
            f"unknown model '{name}'{did_you_mean(name, names) or ';'} `thumbnet model list` shows "
            "all; of your own, import the module that registers it first"
        )
    return _entries[name]


def create_model(
    name: str, num_classes: int, in_channels: int | None = None, **options: Any
) -> "nn.Module":
    """Build the network `name` with fresh weights, drawn from torch's global generator.

    Args:
        in_channels: None takes the network's own default
        options: what this network takes besides; see `model_entry(name).options`
    Raises: RecipeError for an unknown name or option, or a count below 1
    """
    entry = model_entry(name)
    in_channels = entry.in_channels if in_channels is None else in_channels
    for key, count in (("num_classes", num_classes), ("in_channels", in_channels)):
        if count < 1:
            raise RecipeError(f"model '{name}': {key}={count} must be at least 1")
    for key in options:
        if key not in entry.options:
            allowed = ", ".join(entry.options) or "none"
            hint = did_you_mean(key, entry.options)
            raise RecipeError(
                f"model '{name}' takes no option '{key}'{hint}; options allowed: {allowed}"
            )
    return entry.builder(num_classes=num_classes, in_channels=in_channels, **options)


@cache
def _load_families() -> None:
    for family in FAMILIES:
        import_module(f"thumbnet.models.{family}")
