"""Images side by side with names: the layout that galleries, samples and filters share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from thumbnet.visualize.style import LINE, SMALL_SIZE, TEXT_SIZE, look, new_figure, wrap

GAP = 0.08  # of a cell, between two images
LABEL_WIDTH = 1.5  # inches, for the names of rows


@dataclass(frozen=True)
class Cell:
    """An image, (H, W, 3) or (H, W), with its caption and the color of its frame.

    A flat image is drawn with `cmap`, from `low` to `high`.
    """

    image: NDArray[np.uint8] | NDArray[np.floating]
    caption: str = ""
    frame: str | None = None
    cmap: str = "gray"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """Cells with a name before them."""

    cells: Sequence[Cell]
    name: str = ""


def grid_shape(count: int, columns: int | None = None) -> tuple[int, int]:
    """Return rows and columns for `count` cells; near two columns a row unless told.

    Raises: ValueError unless count is at least 1
    """
    if count < 1:
        raise ValueError(f"count={count} must be at least 1")
    columns = min(count, columns or ceil(sqrt(2 * count)))
    return ceil(count / columns), columns


def in_rows(cells: Sequence[Cell], columns: int | None = None) -> list[Row]:
    """Break cells into rows of equal length; the last may be shorter."""
    _, width = grid_shape(len(cells), columns)
    return [Row(cells[first : first + width]) for first in range(0, len(cells), width)]


def draw_rows(rows: Sequence[Row], title: str, note: str = "", *, cell: float = 1.0) -> Figure:
    """Draw rows of images; captions and names are wrapped.

    Units: cell, the side of an image with its gap, in inches
    """
    rows = [
        Row(
            [replace(one, caption=_wrapped(one.caption, cell, SMALL_SIZE)) for one in row.cells],
            _wrapped(row.name, LABEL_WIDTH, TEXT_SIZE),
        )
        for row in rows
    ]
    columns = max(len(row.cells) for row in rows)
    label = LABEL_WIDTH if any(row.name for row in rows) else 0.0
    lines = [
        max((c.caption.count("\n") + 1 for c in r.cells if c.caption), default=0) for r in rows
    ]
    heights = [cell + n * SMALL_SIZE * LINE / 72 for n in lines]
    natural = label + columns * cell + 0.3
    width = max(5.0, natural)
    with look():
        figure, below = new_figure(width, sum(heights) + 0.15, title, note)
        inches = figure.get_figheight()
        bottom = 0.15 / inches
        axes = figure.add_axes((0.15 / width, bottom, 1 - 0.3 / width, below - bottom))
        axes.set_axis_off()
        axes.set(xlim=(0, width - 0.3), ylim=(sum(heights), 0))
        top = 0.0
        for row, height in zip(rows, heights, strict=True):
            if row.name:
                axes.text(label - 0.1, top + cell / 2, row.name, ha="right", va="center",
                          size=TEXT_SIZE)  # fmt: skip
            for i, one in enumerate(row.cells):
                _draw(axes, one, label + i * cell, top, cell)
            top += height
    return figure


def _wrapped(text: str, width: float, size: float) -> str:
    return "\n".join(line for part in text.split("\n") for line in wrap(part, width, size))


def _draw(axes: Axes, one: Cell, left: float, top: float, cell: float) -> None:
    gap = GAP * cell / 2
    box = (left + gap, left + cell - gap, top + cell - gap, top + gap)
    axes.imshow(
        one.image, extent=box, cmap=one.cmap, vmin=one.low, vmax=one.high, aspect="auto",
        interpolation="nearest", zorder=2,
    )  # fmt: skip
    if one.frame is not None:
        side = cell - 2 * gap
        axes.add_patch(
            Rectangle((left + gap, top + gap), side, side, fill=False, ec=one.frame, lw=2, zorder=3)
        )
    if one.caption:
        axes.text(left + cell / 2, top + cell - gap / 2, one.caption, ha="center", va="top",
                  size=SMALL_SIZE, linespacing=1.2)  # fmt: skip
    # imshow sets the limits to its own image
    axes.set_autoscale_on(False)
