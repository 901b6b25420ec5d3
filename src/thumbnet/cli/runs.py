"""`thumbnet runs`: what has been trained here."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.output import Table, out

if TYPE_CHECKING:
    from thumbnet.runs import RunFolder

app = typer.Typer(help="List and remove runs.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the runs under runs/ with their best watched top-1."""
    from thumbnet.errors import ThumbnetError
    from thumbnet.runs import RUNS, list_runs

    runs = list_runs()
    if not runs:
        out.print(f"no runs under {RUNS}/; begin one with: thumbnet train thumbnet/quick")
        return
    table = Table("run, recipe", "seed, epochs done, best watched top-1, time")
    for run in runs:
        try:
            spec = run.recipe()
        except ThumbnetError as error:
            table.add_row(run.name, f"unreadable: {error!s:.60}")
            continue
        rows = _rows(run)
        best = max((float(row["watch_top1"]) for row in rows), default=None)
        table.add_row(
            run.name,
            spec.name,
            str(spec.training.seed),
            f"{len(rows)}",
            "-" if best is None else f"{100 * best:.2f} %",
            f"{float(rows[-1]['wall_s']):.0f} s" if rows else "-",
        )
    out.print(table)


def _rows(run: RunFolder) -> list[dict[str, str]]:
    if not run.results_file.is_file():
        return []
    with run.results_file.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


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
