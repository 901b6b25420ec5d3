"""Where the pictures of `thumbnet show` go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.output import out

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", help="A file, .png or .svg (default: RUN/plots/).")
]
SvgOption = Annotated[bool, typer.Option("--svg", help="Write an SVG too.")]


def plots_of(run_or_folder: str) -> Path:
    """Return the folder that the pictures of a run, or of a model folder, go to."""
    from thumbnet.runs import find_run

    path = Path(run_or_folder)
    return (path if (path / "config.json").is_file() else find_run(path).path) / "plots"


def write(figure: Figure, output: Path | None, place: Path, svg: bool) -> None:
    """Write a picture to `output`, else to `place`, and say so."""
    from thumbnet.visualize.style import save

    path = output or place
    for file in dict.fromkeys((path, path.with_suffix(".svg")) if svg else (path,)):
        save(figure, file)
        out.print(f"picture written to {file}")
