"""Published rows trained again, cheapest first: what they will take, and what came of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from thumbnet.build import resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.errors import CheckpointError, RecipeError, did_you_mean
from thumbnet.evaluation.ensemble import combine
from thumbnet.evaluation.evaluate import Judge, Scores, score
from thumbnet.inference import load_predictor
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import SOURCES, load_recipe, recipe_names
from thumbnet.runs import RunFolder
from thumbnet.training.again import finished_run
from thumbnet.training.engine import Picks
from thumbnet.training.events import Observer
from thumbnet.training.foretell import foretell


@dataclass(frozen=True)
class Row:
    """A recipe with what it will take here.

    `total_s` and `peak_bytes` are those of the whole row, the members of an ensemble one after
    the other; `images_per_s` is the mean over all steps.
    """

    recipe: RecipeSpec
    members: tuple[RecipeSpec, ...]
    total_s: float
    images_per_s: float
    peak_bytes: float
    picks: Picks

    def cost(self, price_per_hour: float) -> float:
        """Return the price of the row, in the unit of the price."""
        return self.total_s / 3600 * price_per_hour


@dataclass(frozen=True)
class Outcome:
    """What a row came to: the scores of its last and of its best weights, as its report judges."""

    row: Row
    runs: tuple[RunFolder, ...]
    last: Scores
    best: Scores
    wall_s: float


@dataclass(frozen=True)
class LeftOut:
    """A row that could not be trained, though it can run: its public weights are not at hand."""

    row: Row
    why: str


def select(name: str | None = None) -> list[RecipeSpec]:
    """Return the published rows of a source, or one recipe; None takes every published row.

    Raises: RecipeError for an unknown name
    """
    if name in recipe_names():
        return [load_recipe(str(name))]
    rows = [load_recipe(known) for known in recipe_names()]
    rows = [row for row in rows if row.published is not None]
    if name is None:
        return rows
    if name not in SOURCES:
        known = [*SOURCES, *recipe_names()]
        raise RecipeError(
            f"'{name}' is neither a source nor a recipe{did_you_mean(name, known)}; sources: "
            f"{', '.join(SOURCES)}; recipes: thumbnet recipe list"
        )
    return [row for row in rows if row.name.startswith(f"{name}/")]


def members_of(recipe: RecipeSpec) -> tuple[RecipeSpec, ...]:
    """Return the runs a row consists of: itself, or an ensemble's members, each with its seed."""
    if recipe.ensemble is None:
        return (recipe,)
    members: list[RecipeSpec] = []
    for name in recipe.ensemble.members:
        member = load_recipe(name)
        seed = member.training.seed + sum(one.name == name for one in members)
        training = member.training.model_copy(update={"seed": seed})
        members.append(member.model_copy(update={"training": training}))
    return tuple(members)


def foretell_row(recipe: RecipeSpec, dataset: PackedDataset, device: str | None = None) -> Row:
    """Say what a row will take on this machine, from a few steps of it.

    Raises: RecipeError, DataError where it cannot run on this data
    """
    members = tuple(resolve(member, dataset) for member in members_of(recipe))
    told = foretell(members[0], dataset, device)
    images = sum(phase.num_steps * phase.batch_size for phase in told.plan.phases)
    steps_s = sum(
        phase.num_steps * step_s
        for phase, step_s in zip(told.plan.phases, told.forecast.step_s, strict=True)
    )
    total_s = told.forecast.total_s * len(members)
    rate, picks = images / steps_s, told.measured.picks
    return Row(recipe, members, total_s, rate, told.forecast.peak_bytes, picks)


def reproduce(
    rows: Sequence[Row],
    dataset: PackedDataset,
    *,
    weights: Path | None = None,
    device: str | None = None,
    observers: Callable[[RecipeSpec], Sequence[Observer]] = lambda _: (),
) -> Iterator[Outcome | LeftOut]:
    """Train the rows, cheapest first, and judge each; runs that are over are not trained again.

    An unfinished run of the same recipe is resumed. Ends early where a run is interrupted. A
    pretrained row whose weights cannot be had is left out, and the others go on.

    Args: weights: the file of a pretrained row's weights; observers makes those of one run
    """
    for row in sorted(rows, key=lambda row: row.total_s):
        runs: list[RunFolder] = []
        try:
            for member in row.members:
                run = finished_run(
                    member, dataset, weights=weights, device=device, observers=observers
                )
                if run is None:
                    return
                runs.append(run)
        except CheckpointError as error:
            if not row.recipe.model.pretrained:
                raise
            yield LeftOut(row, str(error))
        else:
            yield judge_row(row, runs, dataset)


def judge_row(row: Row, runs: Sequence[RunFolder], dataset: PackedDataset) -> Outcome:
    """Judge the last and the best weights of a row's runs on the part its report judges on."""
    last, best = (_scores(row, runs, dataset, which) for which in ("last", "best"))
    wall_s = sum(float(run.last_event().get("wall_s", 0.0)) for run in runs)
    return Outcome(row, tuple(runs), last, best, wall_s)


def _scores(row: Row, runs: Sequence[RunFolder], dataset: PackedDataset, which: str) -> Scores:
    protocol = apply_protocol(dataset, row.recipe.data.protocol)
    published = row.recipe.published
    on_watch = published is not None and published.split == "watch"
    part = protocol.watch if on_watch else protocol.report
    predictors = [load_predictor(run.path, which) for run in runs]
    judges = [Judge(dataset, part, one.trained.preprocess, one.device) for one in predictors]
    logits = [judge.logits(one.model) for judge, one in zip(judges, predictors, strict=True)]
    how = row.recipe.ensemble.combine if row.recipe.ensemble else "logits"
    mean = logits[0] if len(logits) == 1 else combine(logits, how)
    return score(mean, judges[0].loader.labels.cpu().numpy())
