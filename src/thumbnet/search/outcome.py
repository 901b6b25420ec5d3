"""What a search came to so far: its trials, the best of them, and which keys mattered."""

from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, TrialState

from thumbnet.checkpoint import write_atomic
from thumbnet.data.splits import Protocol
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import dump_recipe
from thumbnet.runs import RunFolder
from thumbnet.search.space import Point, changes, own_point
from thumbnet.search.study import FULL, OWN, SearchSpec, StudyFolder
from thumbnet.search.trial import EPOCHS, RUN, WALL_S, WHY
from thumbnet.significance import Interval, exact_interval

MIN_FINISHED = 4  # trials, for an importance to mean anything
STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.RUNNING: "at work",
    TrialState.WAITING: "queued",
    TrialState.FAIL: "given up",
}


@dataclass(frozen=True)
class TrialRow:
    """A trial: its point, how it ended, and its watched top-1, of a pruned one the last.

    `curve` are (part of its steps done, watched top-1) by epoch.
    """

    number: int
    point: Point
    state: str
    top1: float | None
    epochs: int | None
    wall_s: float | None
    run: str
    is_own: bool
    curve: tuple[tuple[float, float], ...]

    @property
    def is_finished(self) -> bool:
        """Tell whether it was trained to its end."""
        return self.state == STATES[TrialState.COMPLETE]

    @property
    def figure(self) -> float:
        """The watched top-1; 0 where there is none."""
        return self.top1 or 0.0


@dataclass(frozen=True)
class Outcome:
    """The trials in their order, best first among equals; `reason` is that of the call's end.

    `importances` are shares of 1 by key; empty where too few trials are finished.
    """

    spec: SearchSpec
    folder: StudyFolder
    rows: tuple[TrialRow, ...]
    num_watched: int
    reason: str = "finished"
    importances: dict[str, float] = field(default_factory=dict)

    def ranked(self) -> list[TrialRow]:
        """Return the finished trials, best first; of equals the earlier."""
        finished = [row for row in self.rows if row.is_finished]
        return sorted(finished, key=lambda row: (-row.figure, row.number))

    def outside(self) -> list[str]:
        """Return the keys that keep the recipe as it is out of the space, with their values."""
        return own_point(self.spec.space, self.spec.recipe)[1]

    def interval(self) -> Interval | None:
        """Return the 95 % interval of the best trial's watched top-1."""
        ranked = self.ranked()
        if not ranked:
            return None
        return exact_interval(round(ranked[0].figure * self.num_watched), self.num_watched)

    def best_recipe(self) -> RecipeSpec | None:
        """Return the recipe of the best trial, as one of its own, which any data may be given."""
        ranked = self.ranked()
        if not ranked:
            return None
        best, recipe = ranked[0], self.spec.recipe
        changed = changes(self.spec.space, best.point)
        told = ", ".join(f"{key} {value}" for key, value in changed.items())
        summary = (
            f"{recipe.name} with {told}: the best of {len(self.rows)} trials, "
            f"watched top-1 {100 * best.figure:.2f} %"
        )
        plain: dict[str, Any] = {
            "name": f"{recipe.name}-searched",
            "summary": summary,
            "data": {"protocol": recipe.data.protocol},
            "published": None,
            "tolerance": None,
            "deviations": [],
        }
        return with_overrides(recipe, {**plain, **changed}, recipe.name)

    def write_best(self) -> None:
        """Write the best recipe to the study's folder, once a trial is finished."""
        recipe = self.best_recipe()
        if recipe is not None:
            write_atomic(self.folder.best_file, dump_recipe(recipe))


def outcome_of(
    study: optuna.Study,
    spec: SearchSpec,
    folder: StudyFolder,
    protocol: Protocol,
    reason: str | None = None,
) -> Outcome:
    """Read what a study holds; with the reason of a call's end also what mattered."""
    trials = study.get_trials(deepcopy=False)
    rows = tuple(_row(trial, folder.trial(trial.number)) for trial in trials)
    num_watched = len(protocol.watch.thinned(spec.recipe.training.watched_images))
    outcome = Outcome(spec, folder, rows, num_watched, reason or "finished")
    tops = {row.top1 for row in outcome.ranked()}
    if reason is None or len(outcome.ranked()) < MIN_FINISHED or len(tops) < 2:
        return outcome
    found = get_param_importances(study)
    shares = {one.key: float(found.get(one.key, 0.0)) for one in spec.space}
    return Outcome(spec, folder, rows, num_watched, reason, shares)


def _row(trial: FrozenTrial, run: RunFolder) -> TrialRow:
    attrs = trial.user_attrs
    values = sorted(trial.intermediate_values.items())
    return TrialRow(
        number=trial.number,
        point=dict(trial.params),
        state=str(attrs.get(WHY) or STATES.get(trial.state, "pruned")),
        top1=trial.value if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
        epochs=attrs.get(EPOCHS),
        wall_s=attrs.get(WALL_S),
        run=str(run.path) if run.recipe_file.is_file() else str(attrs.get(RUN, "")),
        is_own=bool(attrs.get(OWN)),
        curve=tuple((part / FULL, float(value)) for part, value in values),
    )
