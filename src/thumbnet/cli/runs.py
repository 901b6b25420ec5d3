"""`thumbnet runs`: what has been trained here."""

import csv
from typing import Annotated

import typer
from rich.table import Table

from thumbnet.cli.output import out

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
    table = Table()
    for column in ("run", "recipe", "seed", "epochs done", "best watched top-1", "time"):
        table.add_column(column, justify="left" if column in ("run", "recipe") else "right")
    for run in runs:
        try:
            spec = run.recipe()
        except ThumbnetError as error:
            table.add_row(run.name, f"unreadable: {error!s:.60}")
            continue
        rows = list(csv.DictReader(run.results_file.open())) if run.results_file.exists() else []
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
