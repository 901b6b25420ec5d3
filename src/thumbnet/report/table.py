"""The table of all published rows: published, faithful, tuned, spread, time, parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import torch

from thumbnet.build import build_model
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import load_recipe, recipe_names
from thumbnet.report.measured import Measured

NUM_CLASSES = 200
OWN = "thumbnet"


@dataclass(frozen=True)
class Cell:
    """Runs of one recipe together; `spread` is the sd over seeds, in points."""

    recipe: str
    top1: float
    num_runs: int
    spread: float | None
    wall_s: float | None
    chosen_on_val: bool

    @property
    def spread_text(self) -> str:
        """The spread in words."""
        if self.spread is None:
            return "1 run"
        return f"sd {self.spread:.2f}, {self.num_runs} runs"


@dataclass(frozen=True)
class TableRow:
    """A published row with what was measured for it; a row of our own has no claim."""

    recipe: RecipeSpec
    faithful: Cell | None
    tuned: tuple[Cell, ...]
    parameters: int

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All that was measured."""
        return ((self.faithful,) if self.faithful else ()) + self.tuned


def published_rows(measured: Sequence[Measured], all_rows: bool = True) -> list[TableRow]:
    """Return published rows, in the order of the sources, with their tuned rows.

    Args: all_rows: also those of which nothing was measured
    """
    recipes = [load_recipe(name) for name in recipe_names()]
    published = [one for one in recipes if one.published is not None]
    home: dict[str, list[str]] = {}
    for one in recipes:
        place = _home(one, published) if one.published is None else None
        if place is not None:
            home.setdefault(place, []).append(one.name)
    rows = []
    for one in published:
        cells = (_cell(load_recipe(name), measured) for name in home.get(one.name, []))
        faithful, tuned = _cell(one, measured), tuple(filter(None, cells))
        if all_rows or faithful or tuned:
            rows.append(TableRow(one, faithful, tuned, count_parameters(one)))
    return rows


def own_rows(measured: Sequence[Measured]) -> list[TableRow]:
    """Return the measured rows of our own whose network no published row trains from scratch."""
    recipes = [load_recipe(name) for name in recipe_names()]
    published = [one for one in recipes if one.published is not None]
    rows = []
    for one in recipes:
        if one.published is None and _home(one, published) is None:
            cell = _cell(one, measured)
            if cell is not None:
                rows.append(TableRow(one, None, (cell,), count_parameters(one)))
    return rows


def _home(tuned: RecipeSpec, published: Sequence[RecipeSpec]) -> str | None:
    """Return the published row that trains the same network from scratch, if there is one."""
    if not tuned.name.startswith(f"{OWN}/"):
        return None
    for row in published:
        alone = row.ensemble is None and not row.model.pretrained
        if alone and row.model.name == tuned.model.name:
            return row.name
    return None


def _cell(recipe: RecipeSpec, measured: Sequence[Measured]) -> Cell | None:
    runs = [one for one in measured if one.recipe == recipe.name]
    if not runs:
        return None
    top1 = [one.top1 for one in runs]
    times = [one.wall_s for one in runs if one.wall_s is not None]
    return Cell(
        recipe=recipe.name,
        top1=mean(top1),
        num_runs=len(runs),
        spread=100 * stdev(top1) if len(top1) > 1 else None,
        wall_s=mean(times) if times else None,
        chosen_on_val=recipe.data.protocol == "official",
    )


def count_parameters(recipe: RecipeSpec) -> int:
    """Return the number of parameters for 200 classes, of all members of an ensemble."""
    if recipe.ensemble is not None:
        return sum(count_parameters(load_recipe(name)) for name in recipe.ensemble.members)
    data = recipe.data.model_copy(update={"num_classes": NUM_CLASSES})
    with torch.device("meta"):
        model = build_model(recipe.model_copy(update={"data": data}))
    return sum(parameter.numel() for parameter in model.parameters())
