"""The search itself: which trial is next, until there are enough of them or time is used up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from thumbnet.build import resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.data.sources import load_dataset
from thumbnet.data.splits import Protocol, apply_protocol
from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import as_recipe
from thumbnet.search.outcome import Outcome, outcome_of
from thumbnet.search.space import Point, Space, as_space, check_space
from thumbnet.search.study import (
    SEARCHES,
    SearchSpec,
    StudyFolder,
    ignoring_over,
    open_study,
    sampler_of,
)
from thumbnet.search.trial import SEEN, draw, open_trial, run_trial
from thumbnet.training.control import hold
from thumbnet.training.events import Observer

DEAD_S = 900.0  # after which a trial of another machine without a sign of life is queued again

Watchers = Callable[[int, Point], Sequence[Observer]]


@dataclass(frozen=True)
class Limits:
    """When a call ends: `num_trials` in the study, whoever trained them, or its own time."""

    num_trials: int
    until: float | None = None

    def is_over(self) -> bool:
        """Tell whether the time is used up."""
        return self.until is not None and monotonic() >= self.until


def search(
    recipe: RecipeSpec | str | Path,
    space: Space | Mapping[str, Any],
    data: PackedDataset | str | Path | None = None,
    *,
    out: str | Path | None = None,
    storage: str | None = None,
    num_trials: int = 20,
    time_budget_s: float | None = None,
    seed: int = 0,
    prunes: bool = True,
    device: str | None = None,
    observers: Watchers = lambda _number, _point: (),
) -> Outcome:
    """Train a recipe at points of a space, and choose by the holdout top-1 alone.

    A later call with the same recipe, space, data and seed goes on: with trials that were killed
    or interrupted first, each from its last save.

    Args:
        recipe: its name, a YAML file, or what `load_recipe` returns
        space: keys, each with a range "low..high" or "low..high:log", or a list of choices
        data: a packed data set, or where one is; None searches as `load_dataset` does
        out: the study's folder; None takes `searches/<recipe>`
        storage: URL of a database that several machines share; None takes SQLite in the folder
        num_trials: until the study has so many, those of earlier calls and other machines included
        time_budget_s: of this call; it ends with the epoch in which that is used up
        observers: makes those of one trial, from its number and its point
    Raises: RecipeError, DataError, CheckpointError
    Example: search("thumbnet/quick", {"training.schedule.lr": "1e-2..1:log"}, num_trials=10)
    """
    recipe, space = as_recipe(recipe), as_space(space)
    dataset = data if isinstance(data, PackedDataset) else load_dataset(data)
    limits = Limits(num_trials, None if time_budget_s is None else monotonic() + time_budget_s)
    recipe = resolve(recipe, dataset)
    protocol = check_protocol(recipe, dataset)
    check_space(space, recipe, dataset)
    spec = SearchSpec(recipe, space, seed)
    folder = StudyFolder(Path(out) if out else SEARCHES / recipe.name.replace("/", "-"))
    folder.begin(spec)
    with open_study(spec, folder, storage, prunes) as study:

        def is_over(trial: Trial) -> bool:
            watchers = observers(trial.number, draw(trial, space))
            run = folder.trial(trial.number)
            done = run_trial(
                trial, spec, run, dataset, limits.is_over, device=device, observers=watchers
            )
            outcome_of(study, spec, folder, protocol).write_best()
            return done

        reason = "interrupted"
        with suppress(KeyboardInterrupt):
            reason = _reason(study, limits, all(map(is_over, _trials(study, spec, folder, limits))))
        return outcome_of(study, spec, folder, protocol, reason)


def check_protocol(recipe: RecipeSpec, dataset: PackedDataset) -> Protocol:
    """Refuse a protocol whose watched images are reported too: a search would choose on them.

    Raises: RecipeError
    """
    protocol = apply_protocol(dataset, recipe.data.protocol)
    watch, report = protocol.watch, protocol.report
    if watch.split == report.split and set(watch.indices) & set(report.indices):
        raise RecipeError(
            f"{recipe.name}: the protocol '{protocol.name}' watches the images that it reports, "
            "so a search would choose on them; search with --set data.protocol=holdout"
        )
    return protocol


def _reason(study: optuna.Study, limits: Limits, all_over: bool) -> str:
    """Return why a call ended whose trials are all over, or were broken off."""
    if limits.is_over() and not (all_over and len(_counted(study)) >= limits.num_trials):
        return "time_budget"
    return "finished" if all_over else "interrupted"


def _trials(
    study: optuna.Study, spec: SearchSpec, folder: StudyFolder, limits: Limits
) -> Iterator[Trial]:
    """Hand out trials, each held against other processes while it is trained."""
    passed: set[int] = set()
    while not limits.is_over():
        with ExitStack() as held:
            trial = _orphan(study, folder, held, passed)
            if trial is None:
                _queue_dead(study, folder)
                if len(_counted(study)) >= limits.num_trials:
                    return
                trial = study.ask()
                held.enter_context(hold(folder.trial(trial.number).claim_file))
            passed.add(trial.number)
            study.sampler = sampler_of(spec, trial.number)
            yield trial


def _counted(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that are over or at work; those given up were queued once more."""
    at_work = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    return study.get_trials(deepcopy=False, states=at_work)


def _orphan(
    study: optuna.Study, folder: StudyFolder, held: ExitStack, passed: set[int]
) -> Trial | None:
    """Take a trial whose run lies in this folder and that no process is at work on."""
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        claim = folder.trial(frozen.number).claim_file
        if frozen.number in passed or not claim.exists():
            continue
        with ExitStack() as keep:
            if keep.enter_context(hold(claim)):
                held.push(keep.pop_all())
                return open_trial(study, frozen.number)
    return None


def _queue_dead(study: optuna.Study, folder: StudyFolder) -> None:
    """Queue the trials of machines that gave no sign of life for long; they begin anew."""
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        began = frozen.datetime_start.timestamp() if frozen.datetime_start else 0.0
        seen = float(frozen.user_attrs.get(SEEN, began))
        if folder.trial(frozen.number).claim_file.exists() or time() - seen < DEAD_S:
            continue
        with ignoring_over():
            study.tell(frozen.number, state=TrialState.FAIL)
            study.enqueue_trial(frozen.params, user_attrs={"instead_of": frozen.number})
