"""Measured picks, kept in the cache so that the next run of the same step need not measure."""

import hashlib
import json
import os
import platform
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from thumbnet.build import build_optimizer
from thumbnet.checkpoint import write_atomic
from thumbnet.data.cache import cache_dir
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.recipe import RecipeSpec, TrainingSpec
from thumbnet.training.engine import Picks
from thumbnet.training.measure import Measured, is_stale, measure
from thumbnet.training.phases import Plan

VERSION = 7  # of how picks are measured


def measured_picks(
    recipe: RecipeSpec, plan: Plan, model: nn.Module, device: str, num_ranks: int = 1
) -> Measured:
    """Return the engine's picks for a plan: from the cache, or measured now and put there.

    On a busy machine what the cache holds is measured anew, and the result is not kept.

    Args: num_ranks: how many share a batch; what is measured is the step of one
    Raises: RecipeError for a way of running steps that the device, or several ranks, cannot take
    """
    channels = 1 if recipe.preprocess.color == "grey" else 3
    shapes = [
        (ceil(p.batch_size / num_ranks), channels, p.input_size, p.input_size) for p in plan.phases
    ]
    training = with_step(recipe.training, device, num_ranks)
    forced = [training.precision, training.memory_format, training.threads, training.step]
    optimizer = recipe.optimizer.model_dump()
    key = _key([VERSION, recipe.model.model_dump(), optimizer, shapes, device, _machine(), forced])
    path = cache_dir() / "engine" / f"{key}.json"
    cached = _read(path)
    if cached is not None and not is_stale(model, cached):
        return cached

    def optimizer_of(copy: nn.Module) -> Optimizer:
        return build_optimizer(recipe, recipe.optimizer, copy)

    size = recipe.preprocess.input_size
    measured = measure(model, training, shapes, size, device, optimizer_of)
    if measured.busy:
        return measured
    try:
        write_atomic(path, json.dumps(asdict(measured)))
    except CheckpointError:
        return measured  # a cache that cannot be written costs a second next time, no more
    return measured


def with_step(training: TrainingSpec, device: str, num_ranks: int) -> TrainingSpec:
    """Return what holds for a run, its steps run as they are where several ranks share them.

    Raises: RecipeError for what was asked for and cannot be
    """
    if training.step == "graph" and not device.startswith("cuda"):
        raise RecipeError(
            f"training.step=graph: only CUDA captures graphs, and the device is '{device}'; take "
            "auto, eager or compiled"
        )
    if training.step in {"graph", "compiled"} and num_ranks > 1:
        raise RecipeError(
            f"training.step={training.step} is for one process, and there are {num_ranks}; take "
            "auto or eager"
        )
    return training if num_ranks == 1 else training.model_copy(update={"step": "eager"})


def _machine() -> list[Any]:
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return [platform.node(), _cpu_name(), os.cpu_count(), torch.get_num_threads(),
            torch.__version__, cuda]  # fmt: skip


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    return next((line for line in text.splitlines() if line.startswith("model name")), "")


def _key(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _read(path: Path) -> Measured | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        data["picks"] = Picks(**data["picks"])
        data |= {key: tuple(data[key]) for key in ("step_s", "probe")}
        return Measured(**data)
    except (OSError, ValueError, TypeError, KeyError):
        return None
