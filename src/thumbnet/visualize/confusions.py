"""The confusion matrix as a picture, beside the pairs that are taken for each other most."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thumbnet.visualize.style import BLUE, GREY, SEQUENTIAL, SMALL_SIZE, look, new_figure, shorten

Pair = tuple[int, int, int]  # class, predicted, images
NAMED = 30  # classes; more names would run into each other


def draw_confusions(
    matrix: NDArray[np.int64], pairs: Sequence[Pair], class_names: Sequence[str], network: str
) -> Figure:
    """Draw how often each class is taken for which, and the pairs it happens to most.

    Shapes: matrix (C, C), the class down, the prediction across
    """
    total, right = int(matrix.sum()), int(np.trace(matrix))
    title = f"{network}: what is taken for what"
    note = f"{total:,} images of {len(matrix)} classes, {100 * right / max(total, 1):.1f} % right"
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with look():
        figure, below = new_figure(11.5, max(4.6, 0.9 + 0.25 * len(pairs)), title, note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), w_pad=0.1, h_pad=0.06)
        left, bars = figure.subplots(1, 2, width_ratios=(1.25, 1))
        picture = left.imshow(
            shares, cmap=SEQUENTIAL, norm=PowerNorm(0.5, 0, 100), interpolation="nearest"
        )
        scale = figure.colorbar(picture, ax=left, shrink=0.85, ticks=[0, 1, 5, 10, 25, 50, 75, 100])
        scale.set_label("% of the class's images (root scale)")
        left.set(xlabel="predicted class", ylabel="class")
        left.grid(visible=False)
        if len(matrix) <= NAMED:
            names = [shorten(name, 22) for name in class_names]
            left.set_xticks(range(len(names)), names, rotation=90, size=SMALL_SIZE)
            left.set_yticks(range(len(names)), names, size=SMALL_SIZE)
        places = np.arange(len(pairs))
        counts = [count for _, _, count in pairs]
        bars.barh(places, counts, color=BLUE, height=0.7)
        for place, (label, _, count) in zip(places, pairs, strict=True):
            share = f" {count} ({shares[label].sum() and 100 * count / matrix[label].sum():.0f} %)"
            bars.text(count, place, share, va="center", size=SMALL_SIZE, color=GREY)
        bars.set_yticks(
            places,
            [f"{shorten(class_names[a], 24)} → {shorten(class_names[b], 24)}" for a, b, _ in pairs],
            size=SMALL_SIZE,
        )
        bars.set(ylim=(len(pairs) - 0.4, -0.6), xlim=(0, 1.25 * max(counts, default=1)))
        bars.set_xlabel("images; in brackets: share of the class")
        bars.set_title("most confused: class → prediction", loc="left", size=SMALL_SIZE + 1.5)
        bars.grid(visible=False, axis="y")
    return figure
