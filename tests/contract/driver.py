"""What the contract tests of training share: small recipes, stops, and what a run left."""

import csv
import signal
from collections.abc import Sequence
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any

from thumbnet.checkpoint import load_tensors
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.events import Event, Observer

# Narrow, and of one engine candidate: the tests that take one recipe for all are quick. Its own
# learning rate would blow it up on so few images.
SMALL = {
    "model.args": {"width": 4},
    "training.precision": "fp32",
    "training.memory_format": "channels_last",
    "training.threads": 1,
    "training.schedule.lr": 0.05,
}
HEAVY = {"densenet_network1", "densenet_network2"}  # GFLOP an image; they take any size


MEMORY = Path("/dev/shm")
ROOM = 8 << 30  # bytes; two runs of the largest network, in each of two workers


def scratch() -> TemporaryDirectory[str]:
    """Return a folder for large files, gone after use; in memory where there is room.

    A disk takes seconds to flush what a network of 57 million parameters saves.
    """
    roomy = MEMORY.is_dir() and disk_usage(MEMORY).free >= ROOM
    return TemporaryDirectory(dir=MEMORY if roomy else None)


def tiny(name: str, data: PackedDataset, **changes: Any) -> RecipeSpec:
    """Return a recipe of two steps an epoch, with an epoch a phase but at least two in all."""
    recipe = load_recipe(name)
    settings: dict[str, Any] = {"training.batch_size": 2}
    if recipe.model.name in HEAVY:
        settings["preprocess.image_size"] = 32
    elif recipe.preprocess.image_size > 64:
        settings["preprocess.image_size"] = 64
    if name.startswith("thumbnet/"):  # for large batches: so few images would blow the loss up
        settings["training.schedule.lr"] = recipe.training.schedule.lr / 10_000
    if recipe.optimizer.name == "muon":
        settings["optimizer.num_iterations"] = 1  # most of a step of so few images
    for number, phase in enumerate(recipe.phases):
        settings[f"phases.{number}.epochs"] = 1 if len(recipe.phases) > 1 else 2
        settings[f"phases.{number}.steps_per_epoch"] = 2
        settings[f"phases.{number}.batch_size"] = None
        if recipe.model.name in HEAVY and phase.image_size is not None:
            settings[f"phases.{number}.image_size"] = max(16, phase.image_size // 2)
    given = {key.replace("__", "."): value for key, value in changes.items()}
    return with_overrides(recipe, settings | given, name)


def small(data: PackedDataset, **changes: Any) -> RecipeSpec:
    num_images = len(apply_protocol(data, "holdout").fit)
    whole_epochs = {f"phases.{number}.steps_per_epoch": None for number in range(3)}
    changed = {**SMALL, **whole_epochs, "training.batch_size": num_images // 2}
    changed["preprocess.untrained_size"] = True  # tests give phases of any size
    recipe = with_overrides(tiny("thumbnet/quick", data), changed, "small")
    given = {key.replace("__", "."): value for key, value in changes.items()}
    return with_overrides(recipe, given, "small")


def interrupt(event_type: type[Event], count: int) -> Observer:
    """Return an observer that presses Ctrl-C at the `count`-th event of a type."""
    seen = 0

    def observe(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, event_type)
        if seen == count and isinstance(event, event_type):
            signal.raise_signal(signal.SIGINT)

    return observe


def rows(run: RunFolder) -> list[dict[str, str]]:
    with run.results_file.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def timeless(run: RunFolder) -> list[dict[str, str]]:
    return [{**row, "wall_s": ""} for row in rows(run)]


def weights(run: RunFolder, which: str = "last") -> bytes:
    return (run.weights(which) / "model.safetensors").read_bytes()


def saved_step(run: RunFolder) -> int:
    _, meta = load_tensors(run.state_file)
    return int(meta["progress"]["step"])


def assert_same_end(one: RunFolder, other: RunFolder) -> None:
    assert timeless(one) == timeless(other)
    assert weights(one) == weights(other)
    assert weights(one, "best") == weights(other, "best")


def contents(run: RunFolder, without: Sequence[str] | set[str] = ()) -> dict[str, bytes]:
    files = (path for path in run.path.rglob("*") if path.is_file())
    named = {path.relative_to(run.path).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if name not in without}
