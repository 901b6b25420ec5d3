"""`thumbnet runs`: what has been trained here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thumbnet.cli.duration import format_number
from thumbnet.cli.output import Table, out, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnet.training.overview import RunOverview

app = typer.Typer(help="List and remove runs.", no_args_is_help=True)


@app.command("list")
def list_(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with fractions instead of percent.")
    ] = False,
) -> None:
    """List the runs under runs/: data, recipe with changed keys, top-1, epochs, state.

    Top-1 is that of the best weights on val where they were evaluated, else the best epoch's on
    the images that the run was watched on; the next column says which.
    """
    from thumbnet.runs import RUNS
    from thumbnet.training.overview import overviews

    runs = overviews()
    if as_json:
        print_json([_fields(run) for run in runs])
        return
    if not runs:
        out.print(f"no runs under {RUNS}/; begin one with: thumbnet train thumbnet/quick")
        return
    names = _data_names(runs)
    table = Table(
        "run, data", "epochs, top-1", "on, state, recipe", text="recipe", drop="data, epochs, on"
    )
    for run in runs:
        top1 = "-" if run.top1 is None else f"{100 * run.top1:.2f} %"
        table.add_row(
            run.run.name, names[run.data], _epochs(run), top1, run.top1_on or "", run.state,
            _recipe(run),
        )  # fmt: skip
    out.print(table)


def _epochs(run: RunOverview) -> str:
    if run.num_epochs is None:
        return "-"
    planned, done = format_number(run.num_epochs), format_number(run.num_epochs_done)
    return planned if done == planned else f"{done} of {planned}"


def _recipe(run: RunOverview) -> str:
    from thumbnet.recipes.changes import describe_changes

    if run.problem is not None:
        return f"damaged: {run.problem}"
    changes = describe_changes(run.changed, run.num_epochs or 0)
    return f"{run.recipe} {changes}".strip()


def _data_names(runs: Sequence[RunOverview]) -> dict[str | None, str]:
    """Return the name of each data set's folder; the whole path where two have one name."""
    paths = {run.data for run in runs if run.data is not None}
    names = [Path(path).name for path in paths]
    return {None: "-"} | {
        path: Path(path).name if names.count(Path(path).name) == 1 else path for path in paths
    }


def _fields(run: RunOverview) -> dict[str, Any]:
    """Return the keys that docs/json.md promises."""
    return {
        "run": run.run.name,
        "path": str(run.run.path),
        "state": run.state,
        "problem": run.problem,
        "recipe": run.recipe or None,
        "changed": run.changed,
        "seed": run.seed,
        "data": run.data,
        "epochs": run.num_epochs,
        "epochs_done": run.num_epochs_done,
        "top1": run.top1,
        "top1_on": run.top1_on,
        "wall_s": run.wall_s,
    }


@app.command()
def remove(
    run: Annotated[str, typer.Argument(help="A run: its name under runs/, or its path.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a run folder with everything in it."""
    import shutil

    from thumbnet.runs import find_run

    folder = find_run(run)
    if not yes:
        typer.confirm(f"remove {folder.path} and all its weights?", abort=True)
    shutil.rmtree(folder.path)
    out.print(f"removed {folder.path}")
