"""What a search may change: ranges and choices of recipe keys, read from words or a YAML file."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from thumbnet.build import build_model, resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import DataError, RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import with_overrides

Point = dict[str, float | str]  # a number of a range, a choice as it is written

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(:log)?")
FIXED = {  # keys that are no setting of a training
    "name": "it only names the recipe",
    "summary": "it only describes the recipe",
    "data": "figures of different images cannot be compared; fix it with --set",
    "ensemble": "an ensemble is no run of its own",
    "published": "it is a claim, not a setting",
    "tolerance": "it is a claim, not a setting",
    "deviations": "it is a claim, not a setting",
    "training.seed": "the luckiest seed is no better recipe; see `thumbnet ensemble --seeds`",
    "training.time_budget_s": "fix it with --set",
}
HOW = "write KEY=LOW..HIGH, KEY=LOW..HIGH:log, or KEY=A|B|C"


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `whole` where both were written as such."""

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        low, high = (str(int(end)) if self.whole else repr(end) for end in (self.low, self.high))
        return f"{low}..{high}{':log' if self.log else ''}"

    def value(self, at: float | str) -> Any:
        """Return what a point's entry means to a recipe: of a fraction six digits."""
        return int(at) if self.whole else min(max(_rounded(float(at)), self.low), self.high)

    def probes(self) -> tuple[float, ...]:
        """Return values that a recipe must take if it is to take all."""
        middle = self.low + (self.high - self.low) * 0.3819
        return (self.low, self.high, float(round(middle)) if self.whole else middle)

    def holds(self, value: Any) -> float | None:
        """Return a recipe's own value as an entry of a point; None where it lies outside."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        inside = is_number and self.low <= value <= self.high
        exact = inside and value == (int(value) if self.whole else _rounded(value))
        return float(value) if exact else None


@dataclass(frozen=True)
class Choice:
    """One of several values, each as it is written in YAML."""

    key: str
    options: tuple[str, ...]

    def __str__(self) -> str:
        return "|".join(self.options)

    def value(self, at: float | str) -> Any:
        """Return what a point's entry means to a recipe."""
        return _yaml(self.key, str(at))

    def probes(self) -> tuple[str, ...]:
        """Return values that a recipe must take if it is to take all."""
        return self.options

    def holds(self, value: Any) -> str | None:
        """Return a recipe's own value as an entry of a point; None where it is no choice."""
        same = (one for one in self.options if _as_number(self.value(one)) == _as_number(value))
        return next(same, None)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


Dimension = Range | Choice
Space = tuple[Dimension, ...]


def parse_space(words: Sequence[str]) -> Space:
    """Read `key=low..high`, `key=low..high:log`, `key=a|b|c`, or the name of a YAML file of these.

    Raises: RecipeError
    Example: parse_space(["training.schedule.lr=1e-3..1:log", "training.batch_size=64|128"])
    """
    found: dict[str, Dimension] = {}
    for word in words:
        for key, text in _pairs(word):
            if key in found:
                raise RecipeError(f"--space {key} is given twice; join its ranges or choices")
            found[key] = _dimension(key, text)
    if not found:
        raise RecipeError(f"the space is empty; {HOW}")
    return tuple(found.values())


def as_space(space: Space | Mapping[str, Any]) -> Space:
    """Return a space given as such, or as a mapping of keys to a range or a list of choices.

    Raises: RecipeError
    Example: as_space({"training.batch_size": [64, 128], "optimizer.momentum": "0.8..0.99"})
    """
    if not isinstance(space, Mapping):
        return space
    if not space:
        raise RecipeError(f"the space is empty; {HOW}")
    return tuple(_dimension(key, text) for key, text in space.items())


def _pairs(word: str) -> Iterable[tuple[str, Any]]:
    key, equals, text = word.partition("=")
    if equals:
        return [(key.strip(), text.strip())]
    if not word.endswith((".yaml", ".yml")):
        raise RecipeError(f"--space {word}: {HOW}, or name a .yaml file of such lines")
    try:
        data = yaml.safe_load(Path(word).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecipeError(f"cannot read the space {word}: {error}") from None
    if not isinstance(data, dict):
        raise RecipeError(f"{word}: a space is a mapping of keys to 'low..high' or [a, b, c]")
    return [(str(key), value) for key, value in data.items()]


def _dimension(key: str, text: Any) -> Dimension:
    for fixed, why in FIXED.items():
        if key == fixed or key.startswith(f"{fixed}."):
            raise RecipeError(f"--space {key}: not to be searched: {why}")
    if isinstance(text, list):
        return _choice(key, [_flow(one) for one in text])
    text = str(text)
    if match := RANGE.fullmatch(text):
        return _range(key, text, match)
    if ".." in text and "|" not in text:
        raise RecipeError(f"--space {key}={text}: no range of numbers; {HOW}")
    return _choice(key, [one.strip() for one in text.split("|")])


def _range(key: str, text: str, match: re.Match[str]) -> Range:
    low, high = float(match[1]), float(match[2])
    if not low < high:
        raise RecipeError(f"--space {key}={text}: the range is empty; write the lower end first")
    if match[3] and low <= 0:
        raise RecipeError(f"--space {key}={text}: a logarithm takes ends above 0")
    whole = all(re.fullmatch(r"[-+]?\d+", end) for end in (match[1], match[2]))
    return Range(key, low, high, log=bool(match[3]), whole=whole)


def _choice(key: str, options: Sequence[str]) -> Choice:
    if len(options) < 2 or "" in options:
        shown = "|".join(options)
        raise RecipeError(
            f"--space {key}={shown}: {HOW}; a single value is fixed with --set {key}=VALUE"
        )
    if len(set(options)) < len(options):
        raise RecipeError(f"--space {key}={'|'.join(options)}: a choice is given twice")
    for option in options:
        _yaml(key, option)
    return Choice(key, tuple(options))


def _yaml(key: str, text: str) -> Any:
    try:
        return _as_number(yaml.safe_load(text))
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecipeError(f"--space {key}: '{text}' is not valid YAML: {error}") from None


def _flow(value: Any) -> str:
    """Write a value of a YAML list as one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()


def _as_number(value: Any) -> Any:
    """Return `1e-3`, which YAML takes for text, as the number it is."""
    if isinstance(value, str) and re.fullmatch(NUMBER, value):
        return float(value)
    return value


def changes(space: Space, point: Mapping[str, float | str]) -> dict[str, Any]:
    """Return a point of the space as overrides of a recipe."""
    return {one.key: one.value(point[one.key]) for one in space}


def own_point(space: Space, recipe: RecipeSpec) -> tuple[Point, list[str]]:
    """Return the recipe's own values as a point, and the keys whose value lies outside."""
    data, point, outside = recipe.model_dump(mode="json"), Point(), list[str]()
    for one in space:
        at: Any = data
        for part in one.key.split("."):
            at = at[int(part)] if isinstance(at, list) else (at or {}).get(part)
        entry = one.holds(at)
        if entry is None:
            outside.append(f"{one.key} is {at}")
        else:
            point[one.key] = entry
    return point, outside


def check_space(space: Space, recipe: RecipeSpec, dataset: PackedDataset) -> None:
    """Refuse a space with an end or a choice that the recipe can never take, before any training.

    Raises: RecipeError, DataError
    """
    corners = [
        {one.key: one.probes()[min(i, len(one.probes()) - 1)] for one in space} for i in (0, 1)
    ]
    for one in space:
        for probe in one.probes():
            errors = [
                _refusal(space, {**at, one.key: probe}, one, recipe, dataset) for at in corners
            ]
            if all(errors):
                raise RecipeError(f"--space {one.key}={one}, at {probe}: {errors[0]}")


def _refusal(
    space: Space, point: Point, one: Dimension, recipe: RecipeSpec, dataset: PackedDataset
) -> str | None:
    """Return why the recipe cannot take a point; None where it can."""
    try:
        resolved = resolve(with_overrides(recipe, changes(space, point), recipe.name), dataset)
        if one.key.startswith("model."):
            build_model(resolved)
    except (RecipeError, DataError, TypeError, ValueError, RuntimeError) as error:
        return str(error)  # the last three are what a network's builder says
    return None
