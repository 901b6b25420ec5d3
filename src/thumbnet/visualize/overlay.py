"""Training curves of several runs in the same panels: two learning rates, say."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from thumbnet.errors import RecipeError
from thumbnet.visualize.curves import MAX_RUNS, Curve, draw_way, set_scale
from thumbnet.visualize.style import (
    AMBER,
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    SMALL_SIZE,
    cut,
    look,
    new_figure,
)

COLORS = (BLUE, ORANGE, GREEN, BLACK, AMBER, PINK)
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


def draw_overlay(curves: Sequence[Curve]) -> Figure:
    """Draw holdout top-1, both losses and the learning rate of runs, all runs in each panel.

    Raises: RecipeError unless there are two runs or more, and not more than can be read
    """
    if not 2 <= len(curves) <= MAX_RUNS:
        raise RecipeError(f"{len(curves)} runs given; 2 to {MAX_RUNS} can be drawn together")
    note = "holdout: images that were not trained on; the dot is the best epoch"
    with look():
        figure, below = new_figure(
            9.6, 6.4 + 0.16 * len(curves), f"Training of {len(curves)} runs, together", note
        )
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), h_pad=0.06, w_pad=0.08)
        grid = figure.subplots(2, 2, sharex=True)
        accuracy, rate, watched, train = grid.flat
        for number, curve in enumerate(curves):
            _draw_run(grid.flat, curve, number)
        for axes, label in zip(
            grid.flat,
            ("holdout top-1, %", "learning rate", "holdout cross-entropy", "training loss"),
            strict=True,
        ):
            axes.set_ylabel(label)
        accuracy.set_ylim(bottom=0)
        set_scale(rate, curves, "lr")
        set_scale(watched, curves, "watch_loss")
        set_scale(train, curves, "train_loss")
        handles, named = accuracy.get_legend_handles_labels()
        figure.legend(handles, named, loc="outside lower left", fontsize=SMALL_SIZE + 0.5,
                      handlelength=3.2)  # fmt: skip
        for axes in (watched, train):
            axes.set_xlabel("epoch")
        train.set_xlim(0, max(curve.last for curve in curves) * 1.02 + 0.1)
        train.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _draw_run(panels: Sequence[Axes], curve: Curve, number: int) -> None:
    accuracy, rate, watched, train = panels
    values, top1 = curve.values, 100 * curve.values["watch_top1"]
    best = int(np.nanargmax(top1)) if np.isfinite(top1).any() else 0
    line: dict[str, Any] = {"color": COLORS[number], "ls": STYLES[number]}
    said = f", {curve.setting}" if curve.setting else ""
    label = f"{cut(curve.name, 40)}{said}, best {top1[best]:.1f}"
    accuracy.plot(curve.epochs, top1, label=label, **line)
    accuracy.plot(curve.epochs[best], top1[best], marker="o", ms=6, color=COLORS[number])
    draw_way(accuracy, curve, COLORS[number])
    rate.plot(*curve.drawn_rates, **line)
    watched.plot(curve.epochs, values["watch_loss"], **line)
    train.plot(curve.epochs, values["train_loss"], **line)
