"""`thumbnet report`: one page that says what was measured, and how to do it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thumbnet.cli.output import out
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption


def report(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Runs to show (default: all under runs/).")
    ] = None,
    data: DataOption = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Figures of trained rows (default: benchmarks/results/runs.jsonl, if there)."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="A file.")] = Path("report.html"),
    no_images: Annotated[
        bool, typer.Option("--no-images", help="Without pictures of the data set.")
    ] = False,
) -> None:
    """Write one self-contained page: published against measured, and each run in full."""
    from thumbnet.report.measured import DEFAULT, read_results
    from thumbnet.report.page import make_page, write_page

    source = results or (DEFAULT if DEFAULT.is_file() else None)
    measured = [] if source is None else read_results(source)
    with bar("making the page") as progress:
        page = make_page(
            runs or [],
            measured,
            None if data is None else str(data),
            with_images=not no_images,
            progress=progress,
        )
    write_page(page, output)
    out.print(f"page written to {output}, {len(page.encode()) / 2**20:.1f} MiB")
