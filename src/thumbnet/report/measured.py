"""Figures of trained rows: those that a file of results holds, and those of the runs given."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thumbnet.errors import DataError, ThumbnetError, reason_of
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import load_recipe

DEFAULT = Path("benchmarks/results/runs.jsonl")
FREE: dict[str, set[str] | bool] = {  # what may differ between runs of one row
    "data": {"num_classes", "fingerprint", "path"},
    "training": {"seed", "augment_seed", "precision", "memory_format", "threads", "step"},
    "published": True,
    "summary": True,
    "deviations": True,
    "tolerance": True,
}


@dataclass(frozen=True)
class Measured:
    """A trained network's top-1 as a fraction, and its training time in seconds.

    `origin`: the run's name, or the file it was read from.
    """

    recipe: str
    seed: int
    top1: float
    wall_s: float | None
    origin: str


def read_results(path: Path) -> list[Measured]:
    """Read the trained rows of a file with one JSON object a line; other measurements are left out.

    Raises: DataError where it cannot be read, or a line is damaged
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the results {path}: {error}; give --results FILE") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = _read(json.loads(line), path.name)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} is damaged in line {number}: {reason_of(error)}; each line is one JSON "
                "object with benchmark, what and figures; correct or remove that line"
            ) from None
        if one is not None:
            found.append(one)
    return found


def _read(row: dict[str, Any], origin: str) -> Measured | None:
    if row["benchmark"] != "train":
        return None
    figures = row["figures"]
    held = figures.get("best")
    top1 = float(held["top1"] if isinstance(held, dict) else figures["report_top1_best"])
    if not 0 <= top1 <= 1:
        raise ValueError(f"top-1 {top1} is not a fraction of 1")
    wall_s = figures.get("wall_s")
    return Measured(
        recipe=str(row["what"]).partition(",")[0].strip(),
        seed=int(row["seed"]),
        top1=top1,
        wall_s=None if wall_s is None else float(wall_s),
        origin=origin,
    )


def without_repeats(measured: Sequence[Measured]) -> list[Measured]:
    """Count a run once that is given and stands in the file too: same seed, top-1 and second."""
    kept: dict[tuple[object, ...], Measured] = {}
    for one in measured:
        second = None if one.wall_s is None else round(one.wall_s)
        kept.setdefault((one.recipe, one.seed, round(one.top1, 4), second), one)
    return list(kept.values())


def is_unchanged(recipe: RecipeSpec) -> bool:
    """Tell whether a run's recipe is the built-in one of its name but for seed, data and engine."""
    try:
        known = load_recipe(recipe.name)
    except ThumbnetError:
        return False
    own, other = (one.model_dump(mode="json", exclude=FREE) for one in (recipe, known))
    return own == other
