"""Start a run, or go on with one: everything between a recipe and the loop."""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy
import PIL
import torch
from torch import nn

from thumbnet.build import build_model, build_optimizer, build_preprocess, resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.data.sources import load_dataset
from thumbnet.data.splits import apply_protocol
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.evaluation.evaluate import Judge
from thumbnet.model_folder import TrainedModel, read_model, write_config
from thumbnet.models.registry import model_entry
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import with_overrides
from thumbnet.runs import RunFolder, find_run, new_run
from thumbnet.training.engine import Engine, Measured, Picks, find_device
from thumbnet.training.events import Observer, Started
from thumbnet.training.feed import Feed
from thumbnet.training.forecast import Forecast, make_forecast
from thumbnet.training.pace import Pace
from thumbnet.training.phases import Plan
from thumbnet.training.picks import measured_picks
from thumbnet.training.recorder import Recorder
from thumbnet.training.state import TrainState, load_state, save_state
from thumbnet.training.trainer import Result, Trainer
from thumbnet.version import __version__

MAX_EPOCHS = 100_000
BUDGET_SHARE = 0.9  # of a time budget is planned for; the rest is for what a forecast misses


def train(
    recipe: RecipeSpec,
    data: PackedDataset | str | Path | None = None,
    *,
    out: str | Path | None = None,
    init: str | Path | None = None,
    epochs: float | None = None,
    time_budget_s: float | None = None,
    seed: int | None = None,
    device: str | None = None,
    observers: Sequence[Observer] = (),
) -> Result:
    """Train a recipe in a new run folder.

    Args:
        data: a packed data set, or where one is; None searches as `load_dataset` does
        out: the run folder; None takes `runs/<recipe>`, or the next free name
        init: a run or model folder whose weights to start from; its head is kept only where
            the classes are the same
        epochs: lengthens or shortens all phases alike so that they last so many epochs
        time_budget_s: plans to fit, and ends the run when it is used up
        seed, device: instead of the recipe's, and the fastest there is
    Raises: RecipeError, DataError, CheckpointError, DivergedError
    Example: train(load_recipe("thumbnet/quick"), time_budget_s=120)
    """
    dataset = data if isinstance(data, PackedDataset) else load_dataset(data)
    recipe = resolve(_adjusted(recipe, epochs, time_budget_s, seed), dataset)
    where = find_device(device)
    protocol = apply_protocol(dataset, recipe.data.protocol)
    torch.manual_seed(recipe.training.seed)
    model = build_model(recipe)
    if init is not None:
        start_from(model, recipe, dataset, _model_folder(init))
    plan = Plan(recipe, len(protocol.fit.indices))
    measured = measured_picks(recipe, plan, model, where)
    ema = recipe.training.ema_decay is not None
    forecast = make_forecast(plan, measured, model, len(protocol.watch.indices), ema)
    if time_budget_s is not None and forecast.total_s > BUDGET_SHARE * time_budget_s:
        recipe = recipe.scaled(BUDGET_SHARE * time_budget_s / forecast.total_s)
        plan = Plan(recipe, plan.num_images)
        forecast = make_forecast(plan, measured, model, len(protocol.watch.indices), ema)
    run = new_run(recipe.name, None if out is None else Path(out))
    engine = Engine(measured.picks)
    state = _new_state(recipe, model, engine)
    if init is not None:  # else a stop before the first save would lose these weights
        save_state(state, run.state_file, {"recipe_sha256": recipe.sha256()})
    run.write_setup(recipe, {**_environment(measured), "forecast": asdict(forecast)})
    return _fit(run, plan, dataset, state, engine, forecast, observers)


def resume(
    run: str | Path | RunFolder,
    data: PackedDataset | str | Path | None = None,
    *,
    observers: Sequence[Observer] = (),
) -> Result:
    """Go on with a run from its last saved step; the end equals that of an unbroken run.

    Raises: CheckpointError for a damaged run, or an engine this machine does not have;
        DataError where the data is another than the run's
    """
    folder = run if isinstance(run, RunFolder) else find_run(run)
    recipe, env = folder.recipe(), folder.env()
    if data is None and recipe.data.path and Path(recipe.data.path).exists():
        data = recipe.data.path
    dataset = data if isinstance(data, PackedDataset) else load_dataset(data)
    recipe = resolve(recipe, dataset)
    protocol = apply_protocol(dataset, recipe.data.protocol)
    try:
        picks = Picks(**env["engine"]["picks"])
        forecast = Forecast(**env["forecast"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{folder.env_file} is damaged: {error!r}") from None
    try:
        find_device(picks.device)
    except RecipeError as error:
        raise CheckpointError(f"{folder.path} was begun elsewhere: {error}") from None
    torch.manual_seed(recipe.training.seed)
    model = build_model(recipe)
    plan = Plan(recipe, len(protocol.fit.indices))
    engine = Engine(picks)
    state = _new_state(recipe, model, engine)
    if folder.state_file.is_file():
        meta = load_state(state, folder.state_file)
        if meta.get("recipe_sha256") != recipe.sha256():
            raise CheckpointError(
                f"{folder.recipe_file} was changed since {folder.state_file} was saved; put the "
                "recipe back, or train it as a new run"
            )
    return _fit(folder, plan, dataset, state, engine, forecast, observers)


def start_from(model: nn.Module, recipe: RecipeSpec, dataset: PackedDataset, folder: Path) -> None:
    """Copy the weights of a trained network; the head only where the classes are the same.

    Raises: CheckpointError for another network
    """
    trained = read_model(folder)
    if trained.architecture != recipe.model.name or trained.model_args != recipe.model.args:
        raise CheckpointError(
            f"{folder} holds {trained.architecture} {trained.model_args}; the recipe trains "
            f"{recipe.model.name} {recipe.model.args}; choose a recipe of the same network"
        )
    tensors = trained.model.state_dict()
    outputs = recipe.quirks.num_outputs or dataset.num_classes
    if trained.wnids != dataset.wnids or trained.num_outputs != outputs:
        head = model_entry(recipe.model.name).head + "."
        own = model.state_dict()
        tensors = {k: own[k] if k.startswith(head) else v for k, v in tensors.items()}
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:  # another number of input channels, say
        raise CheckpointError(f"{folder} does not fit this recipe's network: {error}") from None


def _adjusted(
    recipe: RecipeSpec, epochs: float | None, time_budget_s: float | None, seed: int | None
) -> RecipeSpec:
    changes = {"training.seed": seed, "training.time_budget_s": time_budget_s}
    given = {key: value for key, value in changes.items() if value is not None}
    recipe = with_overrides(recipe, given, recipe.name) if given else recipe
    if epochs is None:
        return recipe
    if not 0 < epochs <= MAX_EPOCHS:
        raise RecipeError(f"epochs={epochs} must be above 0 and at most {MAX_EPOCHS}")
    return recipe.scaled(epochs / recipe.num_epochs)


def _model_folder(name: str | Path) -> Path:
    """Return a model folder given as such, or as the run it is the best of."""
    path = Path(name)
    return path if (path / "config.json").is_file() else find_run(name).weights("best")


def _new_state(recipe: RecipeSpec, model: nn.Module, engine: Engine) -> TrainState:
    state = TrainState(
        model=engine.place(model),
        optimizer=build_optimizer(recipe, model),
        loss_sum=torch.zeros((), device=engine.device),
        clip_norm=recipe.optimizer.clip_norm,
    )
    if recipe.training.ema_decay is not None:
        state.start_ema(recipe.training.ema_decay)
    return state


def _fit(
    run: RunFolder,
    plan: Plan,
    dataset: PackedDataset,
    state: TrainState,
    engine: Engine,
    forecast: Forecast,
    observers: Sequence[Observer],
) -> Result:
    recipe = plan.recipe
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
    for which in ("best", "last"):
        write_config(run.weights(which), trained)
    watchers: list[Observer] = [Recorder(run), *observers]
    started = Started(
        run.name, plan, forecast, state.step, asdict(engine.picks), len(protocol.watch.indices)
    )
    for observer in watchers:
        observer(started)
    feed = Feed(dataset, protocol.fit, preprocess, plan, engine.device)
    judge = Judge(dataset, protocol.watch, preprocess, engine.device)
    budget_s = recipe.training.time_budget_s
    pace = Pace(plan, forecast, budget_s) if budget_s is not None else None
    with engine.threads():
        return Trainer(run, plan, state, engine, feed, judge, watchers, pace).fit()


def _environment(measured: Measured) -> dict[str, Any]:
    return {
        "thumbnet": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "num_cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "engine": asdict(measured),
    }
