"""The run of a recipe that is over: found, gone on with, or trained now."""

from collections.abc import Callable, Sequence
from pathlib import Path

from thumbnet.build import resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.runs import RunFolder, list_runs
from thumbnet.training.events import Observer
from thumbnet.training.session import resume, train

OVER = {"finished", "early_stop", "time_budget"}


def finished_run(
    recipe: RecipeSpec,
    dataset: PackedDataset,
    *,
    weights: Path | None = None,
    device: str | None = None,
    observers: Callable[[RecipeSpec], Sequence[Observer]] = lambda _: (),
) -> RunFolder | None:
    """Return a run of this very recipe and seed that is over; None where it was interrupted.

    One under `runs/` is taken, else an unfinished one is resumed, else it is trained anew.

    Args: weights: the file of a pretrained recipe's weights; observers makes those of a training
    """
    run = _run_of(recipe, dataset)
    if run is not None and _is_over(run):
        return run
    if run is not None:
        result = resume(run, dataset, observers=observers(recipe))
    else:
        file = weights if recipe.model.pretrained else None
        watchers = observers(recipe)
        result = train(recipe, dataset, weights=file, device=device, observers=watchers)
    return result.run if result.reason in OVER else None


def _run_of(recipe: RecipeSpec, dataset: PackedDataset) -> RunFolder | None:
    """Return the run of this very recipe and seed, one that is over before one that is not."""
    wanted = resolve(recipe, dataset).sha256()
    same = [run for run in list_runs() if _sha256(run) == wanted]
    return next((run for run in same if _is_over(run)), same[-1] if same else None)


def _sha256(run: RunFolder) -> str:
    try:
        return run.recipe().sha256()
    except RecipeError:
        return ""


def _is_over(run: RunFolder) -> bool:
    return run.last_event().get("reason") in OVER
