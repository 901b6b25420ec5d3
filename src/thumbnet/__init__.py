"""thumbnet: train, judge and use image classifiers on Tiny ImageNet and folders of small images.

Everything here is loaded when it is first used: importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from thumbnet.errors import CheckpointError, DataError, RecipeError, ThumbnetError
from thumbnet.version import __version__

if TYPE_CHECKING:
    from thumbnet.data.sources import load_dataset
    from thumbnet.ensembles import make_ensemble
    from thumbnet.export.folder import export_run
    from thumbnet.inference import compare, evaluate, load_predictor
    from thumbnet.models.registry import create_model, register_model
    from thumbnet.recipes.registry import load_recipe
    from thumbnet.search.search import search as search_recipe
    from thumbnet.training.session import replay, resume, train

_HOMES = {  # of `export` and `search` the plain words name packages
    "compare": "thumbnet.inference:compare",
    "create_model": "thumbnet.models.registry:create_model",
    "evaluate": "thumbnet.inference:evaluate",
    "export_run": "thumbnet.export.folder:export_run",
    "load_dataset": "thumbnet.data.sources:load_dataset",
    "load_predictor": "thumbnet.inference:load_predictor",
    "load_recipe": "thumbnet.recipes.registry:load_recipe",
    "make_ensemble": "thumbnet.ensembles:make_ensemble",
    "register_model": "thumbnet.models.registry:register_model",
    "replay": "thumbnet.training.session:replay",
    "resume": "thumbnet.training.session:resume",
    "search_recipe": "thumbnet.search.search:search",
    "train": "thumbnet.training.session:train",
}

__all__ = [
    "CheckpointError",
    "DataError",
    "RecipeError",
    "ThumbnetError",
    "__version__",
    "compare",
    "create_model",
    "evaluate",
    "export_run",
    "load_dataset",
    "load_predictor",
    "load_recipe",
    "make_ensemble",
    "register_model",
    "replay",
    "resume",
    "search_recipe",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'thumbnet' has no attribute '{name}'")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
