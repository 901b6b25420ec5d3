"""Accuracy against what it costs, and which networks no other beats in both."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from thumbnet.errors import RecipeError
from thumbnet.visualize.style import GREY, PALETTE, SMALL_SIZE, cut, look, new_figure

MARKERS = "osD^vPX*"
COLUMNS = 3
WIDE = 5  # times the least; a plain scale would crowd the rest


@dataclass(frozen=True)
class Point:
    """A network: top-1 with its interval, as fractions of 1, and its costs by their name.

    A cost that is not known is left out.
    """

    name: str
    top1: float
    low: float
    high: float
    costs: dict[str, float]


def front(points: Sequence[Point], cost: str) -> list[Point]:
    """Return the points that none beats in both accuracy and this cost, cheapest first."""
    known = [point for point in points if cost in point.costs]
    kept: list[Point] = []
    for point in sorted(known, key=lambda one: (one.costs[cost], -one.top1)):
        if not kept or point.top1 > kept[-1].top1:
            kept.append(point)
    return kept


def draw_pareto(points: Sequence[Point], judged_on: str) -> Figure:
    """Draw top-1 against each cost that some network has; a line joins those that none beats.

    Raises: RecipeError for fewer than two networks, or more than can be told apart
    """
    if not 2 <= len(points) <= len(PALETTE):
        raise RecipeError(f"{len(points)} networks given; 2 to {len(PALETTE)} can be drawn")
    costs = list(dict.fromkeys(cost for point in points for cost in point.costs))
    rows = ceil((len(costs) + 1) / COLUMNS)
    note = (
        f"evaluated on: {judged_on}; bars: 95 % intervals; dashed: the networks that no other "
        "beats in both"
    )
    with look():
        figure, below = new_figure(10.0, 3.3 * rows, "Accuracy and cost", note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), h_pad=0.08, w_pad=0.08)
        panels = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True).ravel()
        for axes, cost in zip(panels, costs, strict=False):
            _draw(axes, points, cost)
        for row in range(rows):
            panels[row * COLUMNS].set_ylabel("top-1, %")
        for axes in panels[len(costs) :]:
            axes.set_axis_off()
        handles, labels = panels[0].get_legend_handles_labels()
        panels[len(costs)].legend(handles, labels, loc="center left", fontsize=SMALL_SIZE + 1)
    return figure


def _draw(axes: Axes, points: Sequence[Point], cost: str) -> None:
    best = front(points, cost)
    axes.step(
        [point.costs[cost] for point in best], [100 * point.top1 for point in best],
        where="post", color=GREY, lw=1.2, ls="--", zorder=1,
    )  # fmt: skip
    for number, point in enumerate(points):
        top1 = 100 * point.top1
        ends = [[top1 - 100 * point.low], [100 * point.high - top1]]
        axes.errorbar(
            [point.costs.get(cost, np.nan)], [top1], yerr=ends, color=PALETTE[number],
            marker=MARKERS[number], ms=7, ls="", capsize=3, lw=1.2, label=cut(point.name, 36),
        )  # fmt: skip
    axes.set_xlabel(cost)
    values = [point.costs[cost] for point in points if cost in point.costs]
    if min(values) > 0 and max(values) / min(values) > WIDE:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(min(values) / 1.6, max(values) * 1.6)
    else:
        axes.set_xlim(0, max(values) * 1.15)
