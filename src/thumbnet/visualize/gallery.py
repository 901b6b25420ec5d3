"""Predictions as pictures: right, wrong, wrong and sure, and the hardest images and classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thumbnet.scoring import ranked
from thumbnet.visualize.grid import Cell, Row, draw_rows, in_rows
from thumbnet.visualize.style import (
    BLUE,
    GREY,
    ORANGE,
    SMALL_SIZE,
    TEXT_SIZE,
    first_name,
    look,
    new_figure,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
CELL = 1.35  # inches, so that a class name needs few lines


@dataclass(frozen=True)
class Judged:
    """Labeled images with what a network says of them.

    Shapes: images (N, H, W, 3), labels (N,), probs (N, C)
    """

    images: NDArray[np.uint8]
    labels: Ints
    probs: Floats
    class_names: Sequence[str]

    @cached_property
    def best(self) -> Ints:
        """The class predicted for each image."""
        return ranked(self.probs, 1)[:, 0]

    @property
    def own(self) -> Floats:
        """The probability of each image's own class."""
        return np.asarray(self.probs[np.arange(len(self.labels)), self.labels])


def choose(judged: Judged, count: int, seed: int = 0) -> dict[str, Ints]:
    """Return the images of a gallery: some right, some wrong, the wrong ones it is surest of."""
    right = np.flatnonzero(judged.best == judged.labels)
    wrong = np.flatnonzero(judged.best != judged.labels)
    sure = wrong[np.argsort(-judged.probs[wrong].max(axis=1, initial=0), kind="stable")]
    rng = np.random.default_rng(seed)
    return {
        "right": rng.permutation(right)[:count],
        "wrong": rng.permutation(wrong)[:count],
        "wrong and\nmost sure": sure[:count],
    }


def gallery_rows(judged: Judged, count: int) -> list[Row]:
    """Return the images of a gallery with their captions, a row a kind."""
    return [
        Row([_cell(judged, int(i)) for i in indices], name)
        for name, indices in choose(judged, count).items()
        if len(indices)
    ]


def draw_gallery(judged: Judged, network: str, count: int = 8) -> Figure:
    """Draw images the network has right, has wrong, and is wrong about but sure."""
    share = float((judged.best == judged.labels).mean())
    rows = gallery_rows(judged, count)
    note = (
        f"{100 * share:.1f} % of {len(judged.labels):,} images right; below each: the predicted "
        "class with its probability; blue frame: right, orange: wrong"
    )
    return draw_rows(rows, f"{network}: predictions", note, cell=CELL)


def _cell(judged: Judged, i: int) -> Cell:
    guess, label = int(judged.best[i]), int(judged.labels[i])
    predicted = f"predicted {named(judged.class_names[guess], judged.probs[i, guess])}"
    if guess == label:
        return Cell(judged.images[i], f"{predicted}, right", BLUE)
    return Cell(
        judged.images[i], f"{predicted},\nis {first_name(judged.class_names[label])}", ORANGE
    )


def named(class_name: str, probability: float) -> str:
    """Return a class and its probability in words that stay on one line, such as `cat 49 %`."""
    percent = 100 * probability
    share = (
        f"{percent:.0f}" if percent >= 1 else f"{percent:.2g}" if percent >= 1e-4 else "< 0.0001"
    )
    return f"{first_name(class_name)} {share}\N{NO-BREAK SPACE}%"


def hardest_cells(judged: Judged, count: int) -> list[Cell]:
    """Return the images whose own class the network finds least likely, with captions."""
    order = np.argsort(judged.own, kind="stable")[:count]
    cells = []
    for i in order:
        label, guess = int(judged.labels[i]), int(judged.best[i])
        caption = f"is {named(judged.class_names[label], judged.own[i])}"
        if guess != label:
            predicted = named(judged.class_names[guess], judged.probs[i, guess])
            caption = f"predicted {predicted},\n{caption}"
        cells.append(Cell(judged.images[i], caption, BLUE if guess == label else ORANGE))
    return cells


def draw_hardest(judged: Judged, network: str, count: int = 24) -> Figure:
    """Draw the images whose own class the network finds least likely."""
    cells = hardest_cells(judged, count)
    note = (
        f"the {len(cells)} of {len(judged.labels):,} images whose own class gets the lowest "
        "probability; below each: the predicted and the true class with their probabilities"
    )
    return draw_rows(in_rows(cells, 8), f"{network}: hardest images", note, cell=CELL)


def recalls(judged: Judged) -> tuple[Floats, Ints]:
    """Return the share of each class's images that are right, and their number.

    Shapes: -> (C,), (C,); a class without images has the share 0
    """
    num_classes = len(judged.class_names)
    right = np.bincount(judged.labels[judged.best == judged.labels], minlength=num_classes)
    counts = np.bincount(judged.labels, minlength=num_classes)
    return right / np.maximum(counts, 1), counts


def draw_classes(judged: Judged, network: str, count: int = 12) -> Figure:
    """Draw the recall of the classes it finds hardest and easiest."""
    recall, counts = recalls(judged)
    known = np.flatnonzero(counts)
    order = known[np.argsort(recall[known], kind="stable")]
    shown = order if len(order) <= 2 * count else np.concatenate([order[:count], order[-count:]])
    note = (
        f"{len(judged.labels):,} images of {len(known)} classes; share of its own images that is "
        "right" + ("" if len(shown) == len(order) else f"; the {count} at each end")
    )
    with look():
        title = f"{network}: hardest and easiest classes"
        figure, below = new_figure(7.0, 0.8 + 0.24 * len(shown), title, note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), h_pad=0.06, w_pad=0.08)
        axes = figure.subplots()
        places = np.arange(len(shown))
        axes.barh(places, 100 * recall[shown], color=BLUE, height=0.7)
        if len(shown) < len(order):
            axes.axhline(count - 0.5, color=GREY, ls="--", lw=1)
        for place, i in enumerate(shown):
            axes.text(100 * recall[i] + 0.8, place, f"{100 * recall[i]:.0f}", va="center",
                      size=SMALL_SIZE, color=GREY)  # fmt: skip
        names = [first_name(judged.class_names[i]) for i in shown]
        axes.set_yticks(places, names, size=TEXT_SIZE)
        axes.set(xlim=(0, 105), ylim=(len(shown) - 0.5, -0.5), xlabel="recall, %")
        axes.grid(visible=False, axis="y")
    return figure
