"""One trial of a search: a run like any other, watched, and stopped as a hand would stop it."""

import csv
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, time

import optuna
from optuna.trial import Trial, TrialState

from thumbnet.build import resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, DataError, DivergedError, RecipeError
from thumbnet.recipes.parse import with_overrides
from thumbnet.runs import RunFolder
from thumbnet.search.space import Point, Range, Space, changes
from thumbnet.search.study import FULL, SearchSpec, ignoring_over
from thumbnet.training.control import send
from thumbnet.training.events import EpochEnded, Event, Observer, Started, Stepped, Watched
from thumbnet.training.results import Result
from thumbnet.training.session import resume, train

WHY, SEEN, RUN, WALL_S, EPOCHS = "why", "seen", "run", "wall_s", "epochs"  # kept with a trial
SEEN_EVERY_S = 60.0
PRUNED, BY_HAND, DIVERGED = "pruned", "stopped by hand", "diverged"


def draw(trial: Trial, space: Space) -> Point:
    """Return a trial's point of the space: the one it has, or one drawn now."""
    point = Point()
    for one in space:
        if not isinstance(one, Range):
            point[one.key] = trial.suggest_categorical(one.key, one.options)
        elif one.whole:
            point[one.key] = trial.suggest_int(one.key, int(one.low), int(one.high), log=one.log)
        else:
            point[one.key] = trial.suggest_float(one.key, one.low, one.high, log=one.log)
    return point


class TrialWatch:
    """The observer that tells a study each epoch's watched top-1, and lets it stop a run.

    It stops through the run's inbox, as `thumbnet control RUN stop` does: at the end of an epoch,
    with its reason, so that a replay does the same.
    """

    def __init__(self, trial: Trial, run: RunFolder, is_over: Callable[[], bool]) -> None:
        self.trial, self.run, self.is_over = trial, run, is_over
        self.ran_out = self.pruned = False
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        self._known = set(frozen.intermediate_values)
        self._num_steps = 0
        self._seen = -SEEN_EVERY_S

    def __call__(self, event: Event) -> None:
        """Hear one event."""
        if isinstance(event, Started):
            self._num_steps = event.plan.num_steps
            for step, top1 in _rows(self.run):
                self._report(step, top1)
        elif isinstance(event, Stepped | Watched):
            self._live()
        elif isinstance(event, EpochEnded):
            step, top1 = int(event.row["step"]), float(event.row["watch_top1"])
            self._report(step, top1)
            if step < self._num_steps:
                self._judge(top1)

    def _judge(self, top1: float) -> None:
        if self.trial.should_prune():
            self.pruned = True
            self.trial.set_user_attr(WHY, PRUNED)
            self._stop(f"pruned: watched top-1 of {100 * top1:.2f} % is below the median's")
        elif self.is_over():
            self.ran_out = True
            self._stop("the search's time is used up; its next call goes on with this run")

    def _stop(self, why: str) -> None:
        send(self.run, "note", why, wait_s=0)
        send(self.run, "stop", None, wait_s=0)

    def _report(self, step: int, top1: float) -> None:
        part = round(FULL * step / self._num_steps)
        if part not in self._known:
            self._known.add(part)
            with ignoring_over():
                self.trial.report(top1, part)
        self._live()

    def _live(self) -> None:
        """Leave a sign of life for the other machines, every so often."""
        if monotonic() - self._seen >= SEEN_EVERY_S:
            self._seen = monotonic()
            with ignoring_over():
                self.trial.set_user_attr(SEEN, time())


def _rows(run: RunFolder) -> list[tuple[int, float]]:
    """Return step and watched top-1 of the epochs that were over before a resume."""
    with suppress(OSError), run.results_file.open(encoding="utf-8", newline="") as file:
        return [(int(row["step"]), float(row["watch_top1"])) for row in csv.DictReader(file)]
    return []


def run_trial(
    trial: Trial,
    spec: SearchSpec,
    run: RunFolder,
    dataset: PackedDataset,
    is_over: Callable[[], bool],
    *,
    device: str | None = None,
    observers: Sequence[Observer] = (),
) -> bool:
    """Train a trial in its folder, or go on with it there, and tell the study what came of it.

    Returns: whether it is over; else it was interrupted, or the search's time is used up
    Raises: CheckpointError where a run cannot be saved, or the folder is another trial's
    """
    trial.set_user_attr(RUN, str(run.path.resolve()))
    if trial.user_attrs.get(WHY):  # killed after that was settled
        return _tell(trial, TrialState.PRUNED)
    watch = TrialWatch(trial, run, is_over)
    try:
        result = _train(trial, spec, run, dataset, device, [*observers, watch])
    except DivergedError:
        return _tell(trial, TrialState.PRUNED, why=DIVERGED)
    except (RecipeError, DataError) as error:
        return _tell(trial, TrialState.PRUNED, why=f"refused: {error}")
    if result.reason == "interrupted" or watch.ran_out:
        return False
    with ignoring_over():
        trial.set_user_attr(WALL_S, round(result.wall_s, 1))
        trial.set_user_attr(EPOCHS, len(result.rows))
    if result.reason == "stopped":
        return _tell(trial, TrialState.PRUNED, why=PRUNED if watch.pruned else BY_HAND)
    return _tell(trial, TrialState.COMPLETE, result.best_top1)


def _train(
    trial: Trial,
    spec: SearchSpec,
    run: RunFolder,
    dataset: PackedDataset,
    device: str | None,
    observers: Sequence[Observer],
) -> Result:
    point = draw(trial, spec.space)
    recipe = with_overrides(spec.recipe, changes(spec.space, point), spec.recipe.name)
    if not run.recipe_file.is_file():
        return train(recipe, dataset, out=run.path, device=device, observers=observers)
    if run.recipe().sha256() != resolve(recipe, dataset).sha256():
        raise CheckpointError(
            f"{run.path} is the run of another study's trial; move it away, or choose another --out"
        )
    return resume(run, dataset, observers=observers)


def _tell(
    trial: Trial, state: TrialState, value: float | None = None, why: str | None = None
) -> bool:
    with ignoring_over():
        if why is not None:
            trial.set_user_attr(WHY, why)
        trial.study.tell(trial, value, state=state, skip_if_finished=True)
    return True


def open_trial(study: optuna.Study, number: int) -> Trial:
    """Return a trial that was begun before, to go on with it."""
    storage = study._storage
    study_id = storage.get_study_id_from_name(study.study_name)
    return Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))
