"""The confusion matrix with similar classes side by side, and the pairs confused most."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray

from thumbnet.visualize.style import (
    BLUE,
    GREY,
    PALE,
    SEQUENTIAL,
    SMALL_SIZE,
    cut,
    first_name,
    look,
    new_figure,
    spread,
)

Pair = tuple[int, int, int]  # class, predicted, images
NAMED = 40  # classes; of more, groups are named
LARGEST_GROUP = 14  # classes
NAMES_SHOWN = 3  # of a group
LABEL = 0.155  # inches between the names of two groups


def group_classes(matrix: NDArray[np.int64], largest: int = LARGEST_GROUP) -> list[list[int]]:
    """Group classes that are confused with each other; similar groups stand side by side.

    Average linkage: the two groups whose classes are confused most, in the mean over their pairs,
    become one, until one is left; its parts of at most `largest` classes are the groups.

    Shapes: matrix (C, C), the class down, the prediction across
    """
    rates = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    likeness = rates + rates.T
    np.fill_diagonal(likeness, -1)
    trees: dict[int, list[list[int]]] = {i: [[i]] for i in range(len(matrix))}
    while len(trees) > 1:
        one, other = divmod(int(likeness.argmax()), len(matrix))
        sizes = [sum(map(len, trees[i])) for i in (one, other)]
        joined = _lay_out(trees[one], trees[other], rates + rates.T)
        trees[one] = [[i for group in joined for i in group]] if sum(sizes) <= largest else joined
        del trees[other]
        mean = (sizes[0] * likeness[one] + sizes[1] * likeness[other]) / sum(sizes)
        mean[[one, *set(range(len(matrix))) - set(trees)]] = -1
        likeness[one, :] = likeness[:, one] = mean
        likeness[other, :] = likeness[:, other] = -1
    return next(iter(trees.values()), [])


def _lay_out(
    left: list[list[int]], right: list[list[int]], rates: NDArray[np.float64]
) -> list[list[int]]:
    """Put two rows of groups behind each other, turned so that the ends that meet are alike."""
    turns = [
        (one, other)
        for one in (left, [group[::-1] for group in left[::-1]])
        for other in (right, [group[::-1] for group in right[::-1]])
    ]
    one, other = max(turns, key=lambda turn: rates[turn[0][-1][-1], turn[1][0][0]])
    return [*one, *other]


def draw_confusions(
    matrix: NDArray[np.int64], pairs: Sequence[Pair], class_names: Sequence[str], network: str
) -> Figure:
    """Draw how often each class is predicted as which other, and the pairs this happens to most.

    Shapes: matrix (C, C), the class down, the prediction across
    """
    total, right = int(matrix.sum()), int(np.trace(matrix))
    groups = group_classes(matrix)
    order = [i for group in groups for i in group]
    note = (
        f"{total:,} images of {len(matrix)} classes, {100 * right / max(total, 1):.1f} % right; "
        "classes that are confused often stand side by side; the diagonal is left out of the color "
        "scale"
    )
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    wrong = shares[np.ix_(order, order)]
    np.fill_diagonal(wrong, 0)
    many = len(matrix) > NAMED
    height = max(9.5 if many else 3.4 + 0.16 * len(matrix), 0.9 + 0.25 * len(pairs))
    with look():
        figure, below = new_figure(16.0 if many else 13.0, height, f"{network}: confusions", note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), w_pad=0.1, h_pad=0.06)
        left, bars = figure.subplots(1, 2, width_ratios=(2.4, 1) if many else (1.3, 1))
        _draw_matrix(figure, left, wrong)
        names = [first_name(class_names[i]) for i in order]
        if many:
            _name_groups(left, groups, class_names, 0.8 * height)
        else:
            left.set_xticks(range(len(names)), names, rotation=90, size=SMALL_SIZE)
            left.set_yticks(range(len(names)), names, size=SMALL_SIZE)
        _draw_pairs(bars, pairs, matrix, class_names)
    return figure


def _draw_matrix(figure: Figure, axes: Axes, wrong: NDArray[np.float64]) -> None:
    found = wrong[wrong > 0]
    low, high = (found.min(), found.max()) if len(found) else (1.0, 100.0)
    colors = colormaps[f"{SEQUENTIAL}_r"].with_extremes(bad="white")
    picture = axes.imshow(
        np.ma.masked_equal(wrong, 0), cmap=colors, interpolation="nearest",
        norm=LogNorm(low, max(high, 1.01 * low)),
    )  # fmt: skip
    for i in range(len(wrong)):
        axes.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, fc=PALE, lw=0))
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low <= tick <= high]
    scale = figure.colorbar(picture, ax=axes, shrink=0.6, aspect=30, ticks=ticks)
    scale.ax.yaxis.set_minor_locator(NullLocator())
    scale.ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _place: f"{share:g} %"))
    scale.set_label("share of the class's images (log scale); blank: none")
    axes.set(xlabel="predicted class", ylabel="class")
    axes.grid(visible=False)


def _name_groups(
    axes: Axes, groups: Sequence[Sequence[int]], class_names: Sequence[str], inches: float
) -> None:
    """Frame groups on the diagonal and name them beside, apart enough to be read."""
    num_classes = sum(map(len, groups))
    gap = LABEL / inches * num_classes
    axes.set(xticks=[], yticks=[])
    first, frames = 0, []
    for group in groups:
        if len(group) > 1:
            axes.add_patch(
                Rectangle((first - 0.5, first - 0.5), len(group), len(group), fill=False, ec=GREY,
                          lw=0.7)
            )  # fmt: skip
            frames.append((first + (len(group) - 1) / 2, group))
        first += len(group)
    largest = sorted(frames, key=lambda frame: -len(frame[1]))[: int(num_classes / gap)]
    frames = [frame for frame in frames if frame in largest]
    places = spread([center for center, _ in frames], gap, num_classes - 1)
    for place, (center, group) in zip(places, frames, strict=True):
        names = ", ".join(first_name(class_names[i]) for i in group[:NAMES_SHOWN])
        more = f" + {len(group) - NAMES_SHOWN}" if len(group) > NAMES_SHOWN else ""
        axes.annotate(
            cut(names, 52) + more, (-0.5, center), (-0.025 * num_classes, place), ha="right",
            va="center", size=SMALL_SIZE - 0.5, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.5, "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip
    axes.set_ylabel("")


def _draw_pairs(
    bars: Axes, pairs: Sequence[Pair], matrix: NDArray[np.int64], class_names: Sequence[str]
) -> None:
    places = range(len(pairs))
    counts = [count for _, _, count in pairs]
    bars.barh(places, counts, color=BLUE, height=0.7)
    for place, (label, _, count) in zip(places, pairs, strict=True):
        share = f" {count} ({100 * count / max(matrix[label].sum(), 1):.0f} %)"
        bars.text(count, place, share, va="center", size=SMALL_SIZE, color=GREY)
    names = [f"{first_name(class_names[a])} → {first_name(class_names[b])}" for a, b, _ in pairs]
    bars.set_yticks(places, names, size=SMALL_SIZE)
    bars.set(ylim=(len(pairs) - 0.4, -0.6), xlim=(0, 1.3 * max(counts, default=1)))
    bars.set_xlabel("images; in brackets: share of the class")
    bars.set_title("most confused: class → prediction", loc="left", size=SMALL_SIZE + 1.5)
    bars.grid(visible=False, axis="y")
