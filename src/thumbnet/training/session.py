"""Start a run, or go on with one: everything between a recipe and the loop."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from thumbnet.build import build_model, check_judged_size, fit_to_data, resolve
from thumbnet.checkpoint import load_tensors
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.model_folder import WEIGHTS
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.auto import BASE
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import as_recipe
from thumbnet.runs import RunFolder, RunLike, find_run, new_run, run_path
from thumbnet.training.begin import begin, begin_again, digest
from thumbnet.training.control import Inbox, is_trained, sole
from thumbnet.training.distributed import join
from thumbnet.training.engine import Engine
from thumbnet.training.events import Observer
from thumbnet.training.foretell import foretell, shorten
from thumbnet.training.hand import Replay, most_ranks, read_acts
from thumbnet.training.job import Job, environment, fit, new_state, open_data, reopen
from thumbnet.training.ranks import Ranks
from thumbnet.training.results import Result
from thumbnet.training.state import TrainState, save_state
from thumbnet.training.verbose import PrintedLines

MAX_EPOCHS = 100_000


def train(
    recipe: RecipeSpec | str | Path | None,
    data: PackedDataset | str | Path | None = None,
    *,
    out: str | Path | None = None,
    init: RunLike | None = None,
    weights: str | Path | None = None,
    epochs: float | None = None,
    time_budget_s: float | None = None,
    seed: int | None = None,
    device: str | None = None,
    verbose: bool = False,
    observers: Sequence[Observer] = (),
) -> Result:
    """Train a recipe in a new run folder.

    Args:
        recipe: its name, a YAML file, or what `load_recipe` returns; None fits `thumbnet/quick`
            to the data
        data: a packed data set, or where one is; None searches as `load_dataset` does
        out: the run folder; None takes `runs/<recipe>`, or the next free name
        init: a run or model folder to start from; of other classes, the head is drawn anew
        weights: the file of a pretrained recipe's weights; None downloads the official one
        epochs: lengthens or shortens all phases alike so that they last so many epochs
        time_budget_s: plans to fit, and ends the run when it is used up
        seed, device: instead of the recipe's, and the fastest there is
        verbose: prints a line at the start, at each epoch and at the end
    Raises: RecipeError, DataError, CheckpointError, DivergedError
    Example: train("thumbnet/quick", "photos", time_budget_s=120, verbose=True)
    """
    ranks = join()
    spec = None if recipe is None else as_recipe(recipe)
    dataset = open_data(data, ranks)
    spec = fit_to_data(as_recipe(BASE), dataset).recipe if spec is None else spec
    recipe = resolve(adjusted(spec, epochs, time_budget_s, seed), dataset)
    if recipe.ensemble is not None:
        raise RecipeError(
            f"{recipe.name} is an ensemble of trained networks and is not trained itself; "
            f"`thumbnet reproduce {recipe.name}` trains its members and evaluates them together"
        )
    check_judged_size(recipe)
    ranks.check_same(recipe.sha256())
    torch.manual_seed(recipe.training.seed)
    model = build_model(recipe)
    start = None if init is None else run_path(init)
    begun = ranks.in_turn(partial(begin, model, recipe, dataset, start, weights))
    told = foretell(recipe, dataset, device, model, ranks=ranks)
    if time_budget_s is not None:
        measured = told.measured
        recipe, told = shorten(
            recipe,
            time_budget_s,
            lambda shorter: foretell(shorter, dataset, device, model, measured),
        )
    plan, measured, forecast = told.plan, told.measured, told.forecast
    engine = Engine(ranks.picks(measured.picks))
    state = new_state(recipe, model, engine, plan, ranks=ranks)
    env = environment(measured, ranks.world.size)
    env |= {"forecast": asdict(forecast), "begun_from": begun}
    run = ranks.told(lambda: _new_run(out, recipe, env, state))
    with _held(run, ranks) as inbox:
        job = Job(run, plan, dataset, state, engine, forecast, ranks, measured.busy)
        return fit(job, [*observers, *_printing(verbose)], inbox)


def _printing(verbose: bool) -> list[Observer]:
    return [PrintedLines()] if verbose else []


def resume(
    run: RunLike,
    data: PackedDataset | str | Path | None = None,
    *,
    verbose: bool = False,
    observers: Sequence[Observer] = (),
) -> Result:
    """Continue a run from its last saved step; the end equals that of an unbroken run.

    Args: run: its name or path, a run, or the result of a training
        verbose: prints a line at the start, at each epoch and at the end
    Raises: CheckpointError for a damaged run, one that another process trains, or an engine this
        machine does not have; DataError where the data is another than the run's
    """
    ranks = join()
    folder = ranks.told(lambda: find_run(run_path(run)))
    replay = ranks.told(folder.env).get("replay")
    with _held(folder, ranks) as inbox:
        job = reopen(folder, data, ranks=ranks)
        watchers = [*observers, *_printing(verbose)]
        return fit(job, watchers, inbox, Replay.from_dict(replay) if replay else None)


def replay(
    run: RunLike,
    data: PackedDataset | str | Path | None = None,
    *,
    out: str | Path | None = None,
    observers: Sequence[Observer] = (),
) -> Result:
    """Train a run once more from its start, with all that a hand did to it, in a new folder.

    On a CPU the end is equal, byte by byte: same recipe, data, engine and acts.

    Raises: CheckpointError for a run that is not over, that began from weights which are gone, or
        whose engine this machine does not have; DataError for other data
    """
    source = find_run(run_path(run))
    job = reopen(source, data, at_start=True)
    if is_trained(source) or not source.state_file.is_file():
        raise CheckpointError(
            f"{source.name} has not finished; let it finish, or resume it, then replay"
        )
    _, meta = load_tensors(source.state_file)
    if (num_ranks := most_ranks(source.events_file)) > 1:
        raise CheckpointError(
            f"{source.name} was trained by {num_ranks} processes, whose sums one process does not "
            "repeat byte by byte; train it anew"
        )
    until = int(meta["progress"]["step"])
    env = source.env()
    how = env.get("replay") or {}
    reason = source.last_event().get("reason", "interrupted")
    script = Replay(read_acts(source.events_file, until), until, how.get("reason", reason))
    copy = new_run(source.recipe().name, None if out is None else Path(out))
    begun = env.get("begun_from")
    if begun:
        begin_again(job.state.model, job.plan.recipe, job.dataset, begun)
        save_state(job.state, copy.state_file, {"recipe_sha256": job.plan.recipe.sha256()})
    copy.write_setup(source.recipe(), {**env, "replay": script.to_dict(), "replay_of": source.name})
    with sole(copy) as inbox:
        return fit(replace(job, run=copy), observers, inbox, script)


def same_weights(one: RunFolder, other: RunFolder) -> bool:
    """Tell whether two runs ended with equal weights, byte by byte."""
    return all(
        digest(one.weights(which) / WEIGHTS) == digest(other.weights(which) / WEIGHTS)
        for which in ("best", "last")
    )


def _new_run(
    out: str | Path | None, recipe: RecipeSpec, env: dict[str, Any], state: TrainState
) -> RunFolder:
    run = new_run(recipe.name, None if out is None else Path(out))
    if env["begun_from"]:  # else a stop before the first save would lose these weights
        save_state(state, run.state_file, {"recipe_sha256": recipe.sha256()})
    run.write_setup(recipe, env)
    return run


def _held(run: RunFolder, ranks: Ranks) -> AbstractContextManager[Inbox]:
    return sole(run) if ranks.is_first else nullcontext(Inbox(run))


def adjusted(
    recipe: RecipeSpec, epochs: float | None, time_budget_s: float | None, seed: int | None
) -> RecipeSpec:
    """Return a recipe with another length, time budget or seed; None leaves it as it is.

    Raises: RecipeError
    """
    changes = {"training.seed": seed, "training.time_budget_s": time_budget_s}
    given = {key: value for key, value in changes.items() if value is not None}
    recipe = with_overrides(recipe, given, recipe.name) if given else recipe
    if epochs is None:
        return recipe
    if not 0 < epochs <= MAX_EPOCHS:
        raise RecipeError(f"epochs={epochs} must be above 0 and at most {MAX_EPOCHS}")
    return recipe.scaled(epochs / recipe.num_epochs)
