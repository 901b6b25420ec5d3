"""The weights of a convolution as pictures: in color where it sees colors, else by channel."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from thumbnet.visualize.grid import Cell, Row, draw_rows, in_rows
from thumbnet.visualize.style import DIVERGING

MAX_FILTERS = 128  # of the first layer; the rest is left out, and the title says so
MAX_ROWS, MAX_COLUMNS = 16, 24  # filters and channels of a deeper layer
DEEP_CELL = 0.42  # inches


def filter_tiles(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring each filter to [0, 1] on its own, zero at one half.

    Shapes: (out, in, H, W) -> (out, H, W, in)
    """
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    scaled = weight / np.where(largest > 0, largest, 1)
    return np.ascontiguousarray((0.5 + scaled / 2).transpose(0, 2, 3, 1).astype(np.float32))


def filter_cells(conv: nn.Conv2d) -> list[Cell]:
    """Return the first filters of a convolution on one or three channels, with their numbers."""
    weight = conv.weight.detach().cpu().float().numpy()[:MAX_FILTERS]
    return [
        Cell(tile if tile.shape[-1] == 3 else tile[..., 0], str(i), low=0, high=1)
        for i, tile in enumerate(filter_tiles(weight))
    ]


def draw_filters(conv: nn.Conv2d, layer: str, network: str) -> Figure:
    """Draw a convolution: filters on colors in color, others as a row of channels each."""
    weight = conv.weight.detach().cpu().float().numpy()
    count, channels, height, width = weight.shape
    kind = f"{count} filters of {height} x {width} on {channels} channels"
    title = f"{network}: filters of {layer}"
    if channels in (1, 3):
        shown, cells = min(count, MAX_FILTERS), filter_cells(conv)
        rows = in_rows(cells, 16 if shown > 32 else 8)
        note = f"{_first(shown, count, kind)}; each scaled by its largest weight, mid-grey is 0"
        return draw_rows(rows, title, note, cell=0.62)
    return _draw_deep(weight, title, kind)


def _draw_deep(weight: NDArray[np.float32], title: str, kind: str) -> Figure:
    count, channels = weight.shape[:2]
    rows_shown, columns_shown = min(count, MAX_ROWS), min(channels, MAX_COLUMNS)
    tiles = filter_tiles(weight)
    rows = [
        Row(
            [Cell(tiles[i, :, :, j], cmap=DIVERGING, low=0, high=1) for j in range(columns_shown)],
            f"filter {i}",
        )
        for i in range(rows_shown)
    ]
    part = f"the first {rows_shown} filters (rows), first {columns_shown} channels (columns)"
    whole = rows_shown == count and columns_shown == channels
    note = (
        f"{kind}; {'a row a filter, a column a channel' if whole else part}; each filter scaled by "
        "its largest weight: orange below 0, white 0, purple above"
    )
    return draw_rows(rows, title, note, cell=DEEP_CELL)


def _first(shown: int, count: int, kind: str) -> str:
    return kind if shown == count else f"the first {shown} of {kind}"
