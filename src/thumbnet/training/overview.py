"""An overview of run folders: what was trained, on what, how far it is, and how good it is."""

import csv
import hashlib
import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from thumbnet.data.packed import PackedDataset, is_packed, open_packed
from thumbnet.data.splits import apply_protocol, source_part
from thumbnet.errors import CheckpointError, RecipeError, ThumbnetError
from thumbnet.evaluation.stored import Key, read_logits
from thumbnet.model_folder import WEIGHTS
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.changes import changed_keys
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RUNS, RunFolder
from thumbnet.scoring import ranked
from thumbnet.training.control import is_trained

FINISHED = {"finished", "early_stop", "time_budget", "stopped"}
WATCHED = {"official": "val", "vonmartens2019": "val, first half"}  # by protocol; else holdout
REPORTED = {"vonmartens2019": "val, second half"}  # by protocol; else val
TRACES = {"recipe.yaml", "results.csv", "events.jsonl", "weights"}  # any of them makes a run


@dataclass(frozen=True)
class RunOverview:
    """A run as a list shows it; of a damaged run only its folder and its problem are known.

    Args:
        changed: dotted keys that differ from the built-in recipe of its name
        top1: of the best weights on the images of `top1_on`: the reported ones where they were
            evaluated, else the best epoch's on those that the run was watched on
        state: finished, training, resumable, diverged or damaged
    """

    run: RunFolder
    state: str
    problem: str | None = None
    recipe: str = ""
    seed: int | None = None
    changed: dict[str, Any] = field(default_factory=dict)
    data: str | None = None
    num_epochs: float | None = None
    num_epochs_done: float = 0.0
    top1: float | None = None
    top1_on: str | None = None
    wall_s: float | None = None


def overviews() -> list[RunOverview]:
    """Return an overview of every run under `runs/`, by name; one that is damaged is among them."""
    try:
        folders = sorted(path for path in RUNS.iterdir() if path.is_dir() and _is_run(path))
    except OSError:
        return []
    return [overview(RunFolder(path)) for path in folders]


def overview(run: RunFolder) -> RunOverview:
    """Return what a run's folder says of it."""
    try:
        return _overview(run)
    except (ThumbnetError, OSError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = reason.removeprefix(f"run folder {run.path} is damaged: ")
        return RunOverview(run, "damaged", reason.replace(f"{run.path}{os.sep}", ""))


def _is_run(path: Path) -> bool:
    try:
        return bool(TRACES & set(os.listdir(path)))
    except OSError:
        return True  # it cannot be read, which the list shows


def _overview(run: RunFolder) -> RunOverview:
    os.listdir(run.path)
    for file in (run.recipe_file, run.env_file):
        if not file.exists():
            raise CheckpointError(f"{file.name} is missing")
    recipe = run.recipe()
    run.env()
    rows, state = _rows(run), _state(run)
    protocol = recipe.data.protocol
    best = max((top1 for _, top1, _ in rows), default=None)
    top1, top1_on = best, WATCHED.get(protocol, "holdout")
    judged = _judged_top1(run, recipe)
    if judged is not None:
        top1, top1_on = judged, REPORTED.get(protocol, "val")
    return RunOverview(
        run=run,
        state=state,
        recipe=recipe.name,
        seed=recipe.training.seed,
        changed=_changed(recipe),
        data=recipe.data.path,
        num_epochs=recipe.num_epochs,
        num_epochs_done=min(rows[-1][0], recipe.num_epochs) if rows else 0.0,
        top1=top1,
        top1_on=None if top1 is None else top1_on,
        wall_s=rows[-1][2] if rows else None,
    )


def _rows(run: RunFolder) -> list[tuple[float, float, float]]:
    """Return epoch, watched top-1 and seconds of each line of results.csv."""
    if not run.results_file.exists():
        return []
    try:
        with run.results_file.open(encoding="utf-8", newline="") as file:
            rows = [
                (float(row["epoch"]), float(row["watch_top1"]), float(row["wall_s"]))
                for row in csv.DictReader(file)
            ]
        if not all(0 <= top1 <= 1 for _, top1, _ in rows):
            raise ValueError
    except (ValueError, KeyError, TypeError, csv.Error):
        raise CheckpointError("results.csv is damaged") from None
    return rows


def _state(run: RunFolder) -> str:
    event: dict[str, Any] = {}
    if run.events_file.exists():
        try:
            text = run.events_file.read_text(encoding="utf-8")
            lines = text[: text.rfind("\n") + 1].splitlines()  # a crash may leave half a line
            event = dict(json.loads(lines[-1])) if lines else {}
        except (ValueError, TypeError):
            raise CheckpointError("events.jsonl is damaged") from None
    if is_trained(run):
        return "training"
    reason = event.get("reason") if event.get("event") == "ended" else None
    return "finished" if reason in FINISHED else "diverged" if reason == "diverged" else "resumable"


def _changed(recipe: RecipeSpec) -> dict[str, Any]:
    try:
        base = _built_in(recipe.name)
    except RecipeError:  # a recipe of one's own
        return {}
    return changed_keys(recipe, base)


@cache
def _built_in(name: str) -> RecipeSpec:
    return load_recipe(name)


def _judged_top1(run: RunFolder, recipe: RecipeSpec) -> float | None:
    """Return the top-1 of stored predictions of the reported images; None where there are none."""
    folder, weights = run.path / "predictions", run.weights("best") / WEIGHTS
    if recipe.data.path is None or not any(folder.glob("val-*-one-*")) or not weights.is_file():
        return None
    dataset = _data(recipe.data.path)
    if dataset is None or dataset.fingerprint != recipe.data.fingerprint:
        return None
    val = dataset.splits.get("val")
    if val is None or val.labels is None:
        return None
    key = Key(
        split="val",
        fingerprint=dataset.fingerprint,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        image_size=recipe.preprocess.image_size,
        views="one",
        num_images=len(val),
        num_classes=dataset.num_classes,
    )
    logits = read_logits(folder, key)
    if logits is None:
        return None
    in_halves = recipe.data.protocol == "vonmartens2019"
    part = apply_protocol(dataset, recipe.data.protocol).report if in_halves else None
    indices = (part or source_part(dataset, "val")).indices
    right = ranked(logits[indices], 1)[:, 0] == np.asarray(val.labels)[indices]
    return float(right.mean())


@cache
def _data(path: str) -> PackedDataset | None:
    """Open a run's data; None where it is gone or damaged."""
    try:
        return open_packed(Path(path)) if is_packed(Path(path)) else None
    except (ThumbnetError, OSError):
        return None
