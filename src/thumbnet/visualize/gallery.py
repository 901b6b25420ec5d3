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
    look,
    new_figure,
    shorten,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NAME = 15  # letters of a class name below an image


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


def draw_gallery(judged: Judged, network: str, count: int = 8) -> Figure:
    """Draw images the network has right, has wrong, and is wrong about but sure."""
    chosen = choose(judged, count)
    share = float((judged.best == judged.labels).mean())
    rows = [
        Row([_cell(judged, int(i)) for i in indices], name)
        for name, indices in chosen.items()
        if len(indices)
    ]
    note = (
        f"{100 * share:.1f} % of {len(judged.labels):,} images right; below each: its class, then "
        "the guess and how sure; blue frame: right, orange: wrong"
    )
    return draw_rows(rows, f"{network}: predictions", note, cell=1.15)


def _cell(judged: Judged, i: int) -> Cell:
    guess, label = int(judged.best[i]), int(judged.labels[i])
    sure = f"{100 * judged.probs[i, guess]:.0f} %"
    name = shorten(judged.class_names[label], NAME)
    if guess == label:
        return Cell(judged.images[i], f"{name}\nright, {sure}", BLUE)
    return Cell(
        judged.images[i],
        f"{name}\nnot {shorten(judged.class_names[guess], NAME)}\n{sure}",
        ORANGE,
    )


def draw_hardest(judged: Judged, network: str, count: int = 24) -> Figure:
    """Draw the images whose own class the network finds least likely."""
    order = np.argsort(judged.own, kind="stable")[:count]
    cells = []
    for i in order:
        label, guess = int(judged.labels[i]), int(judged.best[i])
        own = 100 * judged.own[i]
        chance = f"{own:.2g} %" if own >= 1e-4 else "< 0.0001 %"
        caption = f"{shorten(judged.class_names[label], NAME)}\n{chance}"
        if guess != label:
            caption += f"\nnot {shorten(judged.class_names[guess], NAME)}"
        cells.append(Cell(judged.images[i], caption, BLUE if guess == label else ORANGE))
    note = (
        f"the {len(order)} of {len(judged.labels):,} images whose own class is given the least "
        "probability; below each: its class, that probability, the guess"
    )
    return draw_rows(in_rows(cells, 8), f"{network}: hardest images", note, cell=1.15)


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
        names = [shorten(judged.class_names[i], 30) for i in shown]
        axes.set_yticks(places, names, size=TEXT_SIZE)
        axes.set(xlim=(0, 105), ylim=(len(shown) - 0.5, -0.5), xlabel="recall, %")
        axes.grid(visible=False, axis="y")
    return figure
