"""thumbnet: train, judge and use image classifiers on Tiny ImageNet and folders of small images.

Everything here is loaded when it is first used: importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from thumbnet.version import __version__

if TYPE_CHECKING:
    from thumbnet.data.sources import load_dataset
    from thumbnet.inference import evaluate, load_predictor
    from thumbnet.models.registry import create_model
    from thumbnet.recipes.registry import load_recipe
    from thumbnet.training.session import replay, resume, train

_HOMES = {
    "create_model": "thumbnet.models.registry",
    "evaluate": "thumbnet.inference",
    "load_dataset": "thumbnet.data.sources",
    "load_predictor": "thumbnet.inference",
    "load_recipe": "thumbnet.recipes.registry",
    "replay": "thumbnet.training.session",
    "resume": "thumbnet.training.session",
    "train": "thumbnet.training.session",
}

__all__ = [
    "__version__",
    "create_model",
    "evaluate",
    "load_dataset",
    "load_predictor",
    "load_recipe",
    "replay",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'thumbnet' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
