"""Find a recipe by its name, or read one from YAML."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from thumbnet.errors import RecipeError, did_you_mean
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import parse_recipe, with_overrides

SOURCES = ("vonmartens2019", "zheng2018", "thumbnet")
_recipes: dict[str, Callable[[], RecipeSpec]] = {}


def recipe(function: Callable[[], RecipeSpec]) -> Callable[[], RecipeSpec]:
    """Register a recipe under the name it carries; a name taken already is an error."""
    name = function().name
    if name in _recipes:
        raise RecipeError(f"the recipe name '{name}' is taken")
    _recipes[name] = function
    return function


def recipe_names() -> list[str]:
    """Return the names of all built-in recipes, source by source."""
    for source in SOURCES:
        import_module(f"thumbnet.recipes.{source}")
    return list(_recipes)


def load_recipe(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> RecipeSpec:
    """Return a built-in recipe by name, or one from a YAML file.

    Args: overrides by dotted key, e.g. `{"training.batch_size": 64}`.
    Raises: RecipeError for an unknown name, an unreadable file, or a key or value not allowed.
    Example: load_recipe("thumbnet/quick", {"training.seed": 1})
    """
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        spec = _read(Path(text))
    else:
        names = recipe_names()
        if text not in names:
            hint = did_you_mean(text, names)
            raise RecipeError(
                f"unknown recipe '{text}'{hint}; known: {', '.join(names)}; "
                "a recipe of your own is a file ending in .yaml"
            )
        spec = _recipes[text]()
    return with_overrides(spec, dict(overrides), text) if overrides else spec


def dump_recipe(spec: RecipeSpec) -> str:
    """Return the recipe as YAML that `load_recipe` reads back to an equal recipe."""
    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, width=100)


def parse_overrides(settings: list[str]) -> dict[str, Any]:
    """Turn `key=value` words into overrides; values are read as YAML.

    Raises: RecipeError for a word without `=` or a value that is no YAML
    Example: parse_overrides(["training.batch_size=64"]) == {"training.batch_size": 64}
    """
    overrides: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise RecipeError(
                f"--set takes key=value, e.g. training.batch_size=64; got '{setting}'"
            )
        try:
            overrides[key.strip()] = yaml.safe_load(value)
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            raise RecipeError(f"--set {key}: the value is no YAML: {error}") from None
    return overrides


def _read(path: Path) -> RecipeSpec:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from None
    return parse_recipe(data, str(path))
