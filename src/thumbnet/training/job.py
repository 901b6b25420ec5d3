"""All that a run is made of, put together; and the loop started on it."""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy
import PIL
import torch
from torch import Tensor, nn

from thumbnet.build import build_model, build_optimizer, build_preprocess, resolve
from thumbnet.checkpoint import load_tensors
from thumbnet.data.packed import PackedDataset
from thumbnet.data.sources import load_dataset
from thumbnet.data.splits import apply_protocol
from thumbnet.errors import CheckpointError, RecipeError, reason_of
from thumbnet.evaluation.evaluate import Judge
from thumbnet.evaluation.predict import batch_for
from thumbnet.model_folder import TrainedModel, write_config
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import RunFolder
from thumbnet.threads import Contention, ThreadTuner
from thumbnet.training.adaptation import Adaptation
from thumbnet.training.control import Inbox
from thumbnet.training.engine import Engine, Picks, find_device
from thumbnet.training.events import Observer, Started
from thumbnet.training.feed import Feed
from thumbnet.training.forecast import Forecast
from thumbnet.training.hand import SCRIPTED, Hand, Intervention, Replay, read_acts
from thumbnet.training.measure import Measured
from thumbnet.training.phases import Plan
from thumbnet.training.ranks import ALONE, Ranks
from thumbnet.training.recorder import Recorder
from thumbnet.training.results import Result
from thumbnet.training.state import TrainState, fill_state
from thumbnet.training.time_budget import TimeBudget
from thumbnet.training.trainer import Trainer
from thumbnet.training.world import judged_by
from thumbnet.version import __version__


@dataclass(frozen=True)
class Job:
    """All that a run is made of, ready for its next step."""

    run: RunFolder
    plan: Plan
    dataset: PackedDataset
    state: TrainState
    engine: Engine
    forecast: Forecast
    ranks: Ranks = ALONE
    measured_busy: bool = False  # whether the engine's picks were made on a busy machine


def reopen(
    folder: RunFolder,
    data: PackedDataset | str | Path | None,
    at_start: bool = False,
    ranks: Ranks = ALONE,
) -> Job:
    """Build what a run was begun with, and fill in its saved state unless it is to start anew.

    Raises: CheckpointError, DataError
    """
    recipe, env = ranks.told(lambda: (folder.recipe(), folder.env()))
    data = folder.data_path(recipe) if data is None else data
    dataset = open_data(data, ranks)
    recipe = resolve(recipe, dataset)
    ranks.check_same(recipe.sha256())
    protocol = apply_protocol(dataset, recipe.data.protocol)
    try:
        picks = Picks(**env["engine"]["picks"])
        forecast = Forecast(**{**env["forecast"], "step_s": tuple(env["forecast"]["step_s"])})
        busy = bool(env["engine"].get("busy", False))
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{folder.env_file} is damaged: {reason_of(error)}") from None
    try:
        find_device(picks.device)
    except RecipeError as error:
        raise CheckpointError(
            f"{folder.path} was started on another kind of machine: {error}"
        ) from None
    torch.manual_seed(recipe.training.seed)
    model = build_model(recipe)
    plan = Plan(recipe, len(protocol.fit.indices))
    engine = Engine(ranks.picks(picks))
    saved, (tensors, meta) = ranks.told(lambda: _saved(folder, at_start))
    if saved and meta.get("recipe_sha256") != recipe.sha256():
        raise CheckpointError(
            f"{folder.recipe_file} was changed since {folder.state_file} was saved; put the "
            "recipe back, or train it as a new run"
        )
    phase = meta.get("progress", {}).get("phase", 0)
    state = new_state(recipe, model, engine, plan, phase, ranks)
    if saved:
        fill_state(state, tensors, meta, folder.state_file)
    return Job(folder, plan, dataset, state, engine, forecast, ranks, busy)


def open_data(data: PackedDataset | str | Path | None, ranks: Ranks) -> PackedDataset:
    """Open the data; of the ranks of one machine the first packs it, where that is to be done."""
    return data if isinstance(data, PackedDataset) else ranks.in_turn(lambda: load_dataset(data))


def _saved(
    folder: RunFolder, at_start: bool
) -> tuple[bool, tuple[dict[str, Tensor], dict[str, Any]]]:
    saved = not at_start and folder.state_file.is_file()
    return saved, load_tensors(folder.state_file) if saved else ({}, {})


def new_state(
    recipe: RecipeSpec,
    model: nn.Module,
    engine: Engine,
    plan: Plan,
    phase: int = 0,
    ranks: Ranks = ALONE,
) -> TrainState:
    """Make the state before the first step of a phase."""
    model = ranks.synced(engine.place(model), engine.device)
    spec = plan.phases[phase].optimizer
    state = TrainState(
        model=model,
        optimizer=build_optimizer(recipe, spec, model),
        loss_sum=torch.zeros((), device=engine.device),
        clip_norm=spec.clip_norm,
    )
    if recipe.training.ema_decay is not None:
        state.start_ema(recipe.training.ema_decay)
    return state


def fit(
    job: Job, observers: Sequence[Observer], inbox: Inbox, replay: Replay | None = None
) -> Result:
    """Write the model folders' configuration, then train to the end."""
    run, dataset, state, engine = job.run, job.dataset, job.state, job.engine
    recipe, ranks = job.plan.recipe, job.ranks
    preprocess = build_preprocess(recipe.preprocess, dataset)
    protocol = apply_protocol(dataset, recipe.data.protocol)
    trained = TrainedModel(
        model=state.model,
        architecture=recipe.model.name,
        model_args=dict(recipe.model.args),
        num_outputs=recipe.quirks.num_outputs or dataset.num_classes,
        preprocess=preprocess,
        wnids=dataset.wnids,
        class_names=dataset.class_names,
        fingerprint=dataset.fingerprint,
        recipe=recipe.name,
    )
    done, coming = ranks.told(lambda: _acts(run, state.step, replay))
    hand = Hand(recipe, job.plan, done)
    watchers: list[Observer] = []
    if ranks.is_first:
        for which in ("best", "last"):
            write_config(run.weights(which), trained)
        watchers = [Recorder(run), *observers]
    watched, world = protocol.watch.thinned(recipe.training.watched_images), ranks.world
    num_watched = len(watched)
    picks = asdict(engine.picks)
    begun = Started(
        run.name, hand.plan, job.forecast, state.step, picks, num_watched, world.size, run.path
    )
    for observer in watchers:
        observer(begun)
    feed = Feed(dataset, protocol.fit, preprocess, job.plan, engine.device, world)
    at_once = batch_for(engine.device, preprocess.input_size)
    own = watched.cut(judged_by(num_watched, at_once, world))
    judge = Judge(dataset, own, preprocess, engine.device, ranks.total)
    adaptation = None if replay else _adaptation(job, hand)
    trainer = Trainer(
        run, hand, state, engine, feed, judge, inbox, watchers, adaptation, coming, replay, ranks
    )
    with engine.threads(), ranks.together(run.name):
        if hand.threads is not None:
            engine.use_threads(hand.threads)
        return trainer.fit()


def _adaptation(job: Job, hand: Hand) -> Adaptation:
    """Return what reacts to a slow machine: threads on one CPU process, steps under a budget."""
    training, picks = job.plan.recipe.training, job.engine.picks
    budget = None if training.time_budget_s is None else TimeBudget(training.time_budget_s)
    tuner, most = None, max(picks.threads, torch.get_num_threads())
    if picks.device == "cpu" and training.threads is None and job.ranks.world.size == 1 < most:
        threads = hand.threads or picks.threads
        step_s = job.forecast.step_s
        tuner = ThreadTuner(threads, most, step_s, Contention().found, job.measured_busy)
    return Adaptation(job.forecast, budget, tuner)


def _acts(
    run: RunFolder, step: int, replay: Replay | None
) -> tuple[list[Intervention], list[Intervention]]:
    """Return what was done by hand up to a step, and what is to be done again after it."""
    acts = read_acts(run.events_file) if replay is None else replay.acts
    if replay is not None and not run.events_file.is_file():
        return [], [act for act in acts if act.kind not in {"pause", "continue"}]
    kinds = SCRIPTED if replay is None else {*SCRIPTED, "stop", "skip", "threads"}
    done = [act for act in acts if act.step <= step]
    return done, [act for act in acts if act.step > step and act.kind in kinds]


def environment(measured: Measured, num_ranks: int = 1) -> dict[str, Any]:
    """Return what a run's figures depend on besides its recipe."""
    return {
        "thumbnet": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "num_cores": os.cpu_count(),
        "num_ranks": num_ranks,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "engine": asdict(measured),
    }
