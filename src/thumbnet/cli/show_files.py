"""Where the pictures of `thumbnet show` go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.output import out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", help="A file, .png or .svg (default: in `plots/`).")
]
SvgOption = Annotated[bool, typer.Option("--svg", help="Write an SVG too.")]


def plots_of(run_or_folder: str) -> Path:
    """Return the folder that the pictures of a run, or of a model folder, go to."""
    from thumbnet.runs import find_run

    path = Path(run_or_folder)
    return (path if (path / "config.json").is_file() else find_run(path).path) / "plots"


def place_of(kind: str, runs: Sequence[str] = (), *details: str | None) -> Path:
    """Return where a picture goes that no -o names: one rule for every kind.

    It goes to `plots/` of the first run, or of the working folder where no run is drawn. Its name
    holds the kind, the other runs, and what was asked for besides, so that no two pictures of
    different things share a file.
    """
    folder = plots_of(runs[0]) if runs else Path("plots")
    words = [kind, *(_name_of(run) for run in runs[1:]), *filter(None, details)]
    return folder / ("-".join(word.replace("/", "-") for word in words) + ".png")


def _name_of(run_or_folder: str) -> str:
    """Return a run's name; the weights of a run are named with it."""
    path = Path(run_or_folder).resolve()
    is_part = path.parent.name == "weights"
    return f"{path.parent.parent.name}-{path.name}" if is_part else path.name


def other_than(default: str, value: str) -> str | None:
    """Return a value for a picture's name, or None where it is the default."""
    return None if value == default else value


def write(figure: Figure, output: Path | None, place: Path, svg: bool) -> None:
    """Write a picture to `output`, else to `place`, and say so."""
    from thumbnet.visualize.style import save

    path = output or place
    for file in dict.fromkeys((path, path.with_suffix(".svg")) if svg else (path,)):
        save(figure, file)
        out.print(f"picture written to {file}")
