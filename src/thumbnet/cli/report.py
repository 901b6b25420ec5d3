"""`thumbnet report`: one page that says what was measured, and how to do it again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from thumbnet.cli.extras import needs
from thumbnet.cli.output import err, out
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption
from thumbnet.errors import RecipeError

OUTPUT, PORT = Path("report.html"), 8010


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs and model folders (default: all runs under runs/)."),
    ] = None,
    data: DataOption = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Figures of trained rows (default: benchmarks/results/runs.jsonl, if there)."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=f"A file (default: {OUTPUT}).")
    ] = None,
    no_images: Annotated[
        bool, typer.Option("--no-images", help="Without pictures of the data set.")
    ] = False,
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="All published rows, also those that nobody trained.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Serve the page, live, until Ctrl-C; write no file.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where --watch listens; 0 is any free port.")
    ] = PORT,
) -> None:
    """Write one self-contained page: runs compared, each in full, and published rows."""
    if watch:
        needs("a live page", "server", "uvicorn", "starlette")
        if output is not None:
            raise RecipeError("--watch serves the page and -o writes it; give one of them")
    from thumbnet.report.measured import DEFAULT, read_results
    from thumbnet.report.page import find_folders, make_page, make_pages, write_page

    source = results or (DEFAULT if DEFAULT.is_file() else None)
    measured = [] if source is None else read_results(source)
    what = (runs or [], measured, None if data is None else str(data))
    if watch:
        from thumbnet.report.watch import HOST, Watched, listen, serve

        find_folders(runs or [])  # says what is wrong before anything is served
        with listen(port) as listener:
            out.print(f"the page: http://{HOST}:{listener.getsockname()[1]}  (Ctrl-C ends)")
            make = partial(make_pages, *what, with_images=not no_images, all_rows=all_rows)
            watched = Watched(
                runs or [], lambda version, progress: make(version=version, progress=progress)
            )
            serve(watched, listener)
        return
    reasons: list[str] = []
    with bar("reading runs") as progress:
        page = make_page(
            *what,
            with_images=not no_images,
            all_rows=all_rows,
            progress=progress,
            warn=reasons.append,
        )
    for reason in reasons:
        err.print(f"WARNING: {reason}", style="bold yellow")
    write_page(page, output or OUTPUT)
    out.print(f"page written to {output or OUTPUT}, {len(page.encode()) / 2**20:.1f} MiB")
