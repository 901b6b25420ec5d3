"""Find a recipe by its name, or read one from YAML."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from thumbnet.errors import RecipeError, did_you_mean
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.files import SUFFIXES, read_recipe
from thumbnet.recipes.parse import with_overrides

SOURCES = (
    "zheng2018",
    "hansen2015",
    "bastidas2017",
    "abai2019",
    "columbia2020",
    "vonmartens2019",
    "thumbnet",
)


@dataclass(frozen=True)
class Family:
    """Recipes that each change the same few keys of a row, to test one claim.

    Args:
        keys: dotted, with `*` for any phase; a member differs from its row in no others
        source: whose claim it is, and where it stands
        members: named `<row>+<variant>`
    """

    name: str
    claim: str
    source: str
    keys: tuple[str, ...]
    members: tuple[RecipeSpec, ...]


_recipes: dict[str, Callable[[], RecipeSpec]] = {}
_families: dict[str, Callable[[], Family]] = {}


def recipe(function: Callable[[], RecipeSpec]) -> Callable[[], RecipeSpec]:
    """Register a recipe under the name it carries; a name taken already is an error."""
    name = function().name
    if name in _recipes:
        raise RecipeError(f"the recipe name '{name}' is taken")
    _recipes[name] = function
    return function


Members = Callable[[], Iterable[RecipeSpec]]


def ablation(claim: str, *, source: str, keys: tuple[str, ...]) -> Callable[[Members], Members]:
    """Register a family of recipes, built when first asked for, under the function's name."""

    def register(function: Members) -> Members:
        name = function.__name__.replace("_", "-")
        if name in _families:
            raise RecipeError(f"the family name '{name}' is taken")
        _families[name] = lambda: Family(name, claim, source, keys, tuple(function()))
        return function

    return register


def recipe_names() -> list[str]:
    """Return the names of the published rows and of our own recipes, source by source."""
    for source in SOURCES:
        import_module(f"thumbnet.recipes.{source}")
    place = {source: number for number, source in enumerate(SOURCES)}
    return sorted(_recipes, key=lambda name: place.get(name.partition("/")[0], len(place)))


def check_source(source: str) -> None:
    """Raise RecipeError unless recipes of this source are known."""
    if source not in SOURCES:
        raise RecipeError(
            f"unknown source '{source}'{did_you_mean(source, SOURCES)}; "
            f"sources: {', '.join(SOURCES)}"
        )


def families() -> tuple[Family, ...]:
    """Return the ablations: families of recipes that each test a claim."""
    for module in ("ablations_augment", "ablations"):
        import_module(f"thumbnet.recipes.{module}")
    return tuple(family() for family in _families.values())


def ablation_names() -> list[str]:
    """Return the names of all recipes that are an ablation's."""
    return list(_ablations())


def parent_name(name: str) -> str:
    """Return the row that an ablation's recipe changes: `a/b+c` for `a/b+c+d`."""
    return name.rpartition("+")[0]


def load_recipe(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> RecipeSpec:
    """Return a built-in recipe by name, or one from a YAML file.

    Args: overrides by dotted key, e.g. `{"training.batch_size": 64}`.
    Raises: RecipeError for an unknown name, an unreadable file, or a key or value not allowed.
    Example: load_recipe("thumbnet/quick", {"training.seed": 1})
    """
    text = str(name_or_path)
    spec = read_recipe(Path(text), _find) if text.endswith(SUFFIXES) else _find(text)
    return with_overrides(spec, dict(overrides), text) if overrides else spec


def as_recipe(recipe: RecipeSpec | str | Path) -> RecipeSpec:
    """Return a recipe given as such, by its name, or as a YAML file."""
    return recipe if isinstance(recipe, RecipeSpec) else load_recipe(recipe)


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
            raise RecipeError(f"--set {key}: the value is not valid YAML: {error}") from None
    return overrides


def _find(name: str) -> RecipeSpec:
    names = recipe_names()
    if name in names:
        return _recipes[name]()
    ablations = _ablations()
    if name in ablations:
        return ablations[name]
    hint = did_you_mean(name, [*names, *ablations]) or ";"
    raise RecipeError(
        f"unknown recipe '{name}'{hint} `thumbnet recipe list` shows all; "
        "a recipe of your own is a file that ends in .yaml"
    )


@cache
def _ablations() -> dict[str, RecipeSpec]:
    members = [member for family in families() for member in family.members]
    found = {member.name: member for member in members}
    assert len(found) == len(members), "an ablation's name is taken"
    return found
