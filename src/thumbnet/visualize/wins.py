"""Images that only one of two networks has right."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure

from thumbnet.errors import RecipeError
from thumbnet.visualize.gallery import CELL, Ints, Judged, named
from thumbnet.visualize.grid import Cell, Row, draw_rows
from thumbnet.visualize.style import BLUE, ORANGE, cut

NAME_LINE = 14  # letters of a network's name in a line beside its rows
COLUMNS = 8


def only_right(one: Judged, other: Judged) -> Ints:
    """Return the images only the first has right, those it is ahead in by most first."""
    won = np.flatnonzero((one.best == one.labels) & (other.best != one.labels))
    ahead = one.own[won] - other.own[won]
    return won[np.argsort(-ahead, kind="stable")]


def draw_wins(
    one: Judged, other: Judged, names: Sequence[str], judged_on: str, count: int = 16
) -> Figure:
    """Draw `count` images that only the first has right, and as many that only the second has.

    Raises: RecipeError where the two are right about the same images
    """
    rows: list[Row] = []
    numbers = []
    for winner, loser, color, name in (
        (one, other, BLUE, names[0]),
        (other, one, ORANGE, names[1]),
    ):
        found = only_right(winner, loser)
        numbers.append(len(found))
        cells = [_cell(winner, loser, int(i), color) for i in found[:count]]
        for first in range(0, len(cells), COLUMNS):
            title = "" if first else "\n".join(["only", *wrap(name, NAME_LINE)[:3], "is right"])
            rows.append(Row(cells[first : first + COLUMNS], title))
    if not rows:
        raise RecipeError(f"{names[0]} and {names[1]} are right about the same images: no picture")
    note = (
        f"{judged_on}: {numbers[0]:,} of {len(one.labels):,} images only {cut(names[0], 30)} has "
        f"right, {numbers[1]:,} only {cut(names[1], 30)}; first those where it is ahead by most; "
        "below each: its class, and what the other network predicted, with the probabilities"
    )
    return draw_rows(rows, f"{cut(names[0], 30)} against {cut(names[1], 30)}", note, cell=CELL)


def _cell(winner: Judged, loser: Judged, i: int, color: str) -> Cell:
    label, guess = int(winner.labels[i]), int(loser.best[i])
    names = winner.class_names
    caption = f"is {named(names[label], winner.own[i])};\nother network: "
    caption += named(names[guess], loser.probs[i, guess])
    return Cell(winner.images[i], caption, color)
