"""Recipes in YAML files: whole, or what differs from a base."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import parse_recipe

SUFFIXES = (".yaml", ".yml")
OF_THE_BASE = ("name", "summary", "published", "tolerance")  # they speak of the base alone


def read_recipe(
    path: Path, find: Callable[[str], RecipeSpec], above: tuple[Path, ...] = ()
) -> RecipeSpec:
    """Read a recipe from a YAML file; with `base:` the file states only what differs.

    Mappings merge key by key; a list, a value, and a block whose `name` differs are replaced.

    Args: find: finds a built-in recipe by its name
        above: the files that have this one as their base
    Raises: RecipeError
    """
    data = _load(path)
    if not isinstance(data, dict) or "base" not in data:
        return parse_recipe(data, str(path))
    here = path.resolve()
    if here in above:
        files = " -> ".join(file.name for file in (*above[above.index(here) :], here))
        raise RecipeError(f"{path}: base: the files are bases of each other: {files}")
    base = _base(path, data.pop("base"), find, (*above, here)).model_dump(mode="json")
    own = {key: value for key, value in base.items() if key not in OF_THE_BASE}
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", path.stem).lstrip("._+-") or "recipe"
    return parse_recipe({"name": name, **_merged(own, data)}, str(path))


def _base(
    path: Path, base: Any, find: Callable[[str], RecipeSpec], above: tuple[Path, ...]
) -> RecipeSpec:
    if not isinstance(base, str):
        raise RecipeError(
            f"{path}: base: give the name of a recipe, or of a file that ends in .yaml; not {base}"
        )
    if base.endswith(SUFFIXES):
        return read_recipe(path.parent / base, find, above)
    try:
        return find(base)
    except RecipeError as error:
        raise RecipeError(f"{path}: base: {error}") from None


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and _is_same_kind(old, value):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged


def _is_same_kind(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return "name" not in new or new["name"] == old.get("name")


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from None
