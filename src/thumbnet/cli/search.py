"""`thumbnet search`: try points of a space of recipe keys, and write the best recipe."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.duration import format_duration, parse_duration
from thumbnet.cli.extras import needs
from thumbnet.cli.judge import DeviceOption
from thumbnet.cli.output import Table, err, out
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnet.search.outcome import Outcome, TrialRow
    from thumbnet.search.space import Point
    from thumbnet.training.events import Observer

SHOWN = 10


def search(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a YAML file.")],
    space: Annotated[
        list[str],
        typer.Option(
            "--space",
            help="A key and what it may be, or a YAML file of these; may be given several times.",
        ),
    ],
    data: DataOption = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="The study's folder; else searches/RECIPE.")
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Until the study has so many, earlier ones included.")
    ] = 20,
    time_budget: Annotated[
        str | None,
        typer.Option(help="End this call with the epoch in which so long is over: 90s, 5m, 1.5h."),
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Lengthen or shorten the recipe to this.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws; a recipe keeps its own.")] = 0,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune/--no-prune",
            help="Stop a trial whose watched top-1 is below the median of those before it.",
        ),
    ] = True,
    storage: Annotated[
        str | None,
        typer.Option(help="URL of a database for many machines, instead of SQLite in the folder."),
    ] = None,
    device: DeviceOption = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Fix a key: data.protocol=holdout.")
    ] = None,
) -> None:
    """Search the keys of a recipe for the best watched top-1; can be resumed.

    A space is written, for instance:

    --space training.schedule.lr=1e-3..1:log (numbers, even on a scale of powers)

    --space optimizer.momentum=0.8..0.99 (numbers; whole ones where both ends are whole: 2..8)

    --space "training.batch_size=64|128|256" (one of these, each as in YAML)

    or, in a file: training.batch_size: [64, 128, 256] and optimizer.momentum: 0.8..0.99

    The first trial is the recipe as it is, where that lies in the space. Each trial is a run in
    the study's folder. The same command goes on where Ctrl-C, a kill or a time budget ended
    one; on several machines with one --storage it shares the work.
    """
    needs("a search", "tune", "optuna")
    from thumbnet.cli.live import LiveTraining
    from thumbnet.cli.progress import bar
    from thumbnet.data.sources import load_dataset
    from thumbnet.recipes.registry import load_recipe, parse_overrides
    from thumbnet.search import search as library
    from thumbnet.search.space import parse_space
    from thumbnet.training.session import adjusted

    parsed = parse_space(space)
    spec = adjusted(load_recipe(recipe, parse_overrides(set_ or [])), epochs, None, None)
    budget_s = None if time_budget is None else parse_duration(time_budget)
    with bar("preparing the data") as progress:
        dataset = load_dataset(data, progress=progress)
    with LiveTraining() as live:

        def watch(number: int, point: Point) -> Sequence[Observer]:
            told = ", ".join(f"{key} {_short(value)}" for key, value in point.items())
            err.print(f"\ntrial {number}: {told}", markup=False)
            return [live]

        outcome = library.search(
            spec, parsed, dataset, out=out_folder, storage=storage, num_trials=trials,
            time_budget_s=budget_s, seed=seed, prunes=prune, device=device, observers=watch,
        )  # fmt: skip
    _print(outcome)
    _draw(outcome)
    _end(outcome)


def _print(outcome: Outcome) -> None:
    from thumbnet.recipes.changes import short_names

    ranked, keys = outcome.ranked(), [one.key for one in outcome.spec.space]
    if not ranked:
        out.print("no trial is finished yet")
        return
    shown = ranked[:SHOWN]
    shown += [row for row in ranked[SHOWN:] if row.is_own]
    title = (
        f"best {min(SHOWN, len(ranked))} of {len(ranked)} finished trials, judged on the "
        f"{outcome.num_watched} watched images"
    )
    names = short_names([*keys, "epochs", "time"])  # no key may take the name of another column
    columns = f"watched top-1, {', '.join(names.values())}"
    table = Table("trial", columns, "run", title=title, drop="time, epochs")
    for row in shown:
        table.add_row(*_cells(row, keys))
    out.print(table)
    ended: dict[str, int] = {}
    for row in outcome.rows:
        how = row.state.partition(":")[0]
        ended[how] = ended.get(how, 0) + 1
    out.print("trials: " + ", ".join(f"{count} {how}" for how, count in ended.items()))
    if outcome.outside():
        out.print(
            "the recipe as it is lies outside the space and was no trial: "
            + ", ".join(outcome.outside())
        )
    for row in outcome.rows:
        if row.state.startswith("refused: "):
            out.print(f"trial {row.number} {row.state}")
    _judge(outcome, ranked)


def _cells(row: TrialRow, keys: Sequence[str]) -> list[str]:
    return [
        f"{row.number}{' (the recipe as it is)' if row.is_own else ''}",
        f"{100 * row.figure:.2f} %",
        *(_short(row.point[key]) for key in keys),
        "" if row.epochs is None else str(row.epochs),
        "" if row.wall_s is None else format_duration(row.wall_s),
        row.run,
    ]


def _judge(outcome: Outcome, ranked: Sequence[TrialRow]) -> None:
    """Say how far the best figure is to be trusted."""
    interval = outcome.interval()
    if interval is None:
        return
    near = sum(row.figure >= interval.low for row in ranked[1:])
    out.print(
        f"the best has 95 % interval {100 * interval.low:.2f} to {100 * interval.high:.2f} %, in "
        f"which {near} of the others lie; chosen as the best of {len(ranked)}, its figure "
        "flatters: judge it on images that were not looked at"
    )


def _draw(outcome: Outcome) -> None:
    from thumbnet.cli.show_files import write
    from thumbnet.visualize.trials import Trial, draw_history, draw_importances

    trials = [
        Trial(row.number, row.top1, row.is_finished, row.curve)
        for row in outcome.rows
        if row.top1 is not None
    ]
    name = outcome.spec.recipe.name
    if trials:
        write(draw_history(trials, name, outcome.num_watched), None,
              outcome.folder.picture("history"), svg=False)  # fmt: skip
    if outcome.importances:
        figure = draw_importances(outcome.importances, name, len(outcome.ranked()))
        write(figure, None, outcome.folder.picture("importance"), svg=False)


def _end(outcome: Outcome) -> None:
    best, again = outcome.folder.best_file, shlex.join(["thumbnet", *sys.argv[1:]])
    if outcome.ranked():
        out.print(f"best recipe: {best}; train it with: thumbnet train {best}")
    if outcome.reason == "interrupted":
        out.print(f"interrupted and saved; go on with: {again}")
        raise typer.Exit(130)
    if outcome.reason == "time_budget":
        out.print(f"the time is used up, all is saved; go on with: {again}")


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
