"""The trials of a search: how they went one after another, and which keys mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from thumbnet.visualize.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SMALL_SIZE,
    look,
    new_figure,
)


@dataclass(frozen=True)
class Trial:
    """A trial's watched top-1, whether it was trained to its end, and its way there.

    `curve` are (part of its steps done, watched top-1).
    """

    number: int
    top1: float
    is_finished: bool
    curve: tuple[tuple[float, float], ...] = ()


def draw_history(trials: Sequence[Trial], recipe: str, num_watched: int) -> Figure:
    """Draw each trial's watched top-1 with the best so far, and how each got there."""
    finished = [trial for trial in trials if trial.is_finished]
    pruned = [trial for trial in trials if not trial.is_finished]
    note = (
        f"{len(finished)} trials finished, {len(pruned)} ended early; top-1 on "
        f"{num_watched} watched images, on which the best was chosen"
    )
    with look():
        figure, below = new_figure(9.0, 3.6, f"Search of {recipe}", note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), w_pad=0.08, h_pad=0.06)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.3, 1))
        left.plot([t.number for t in pruned], [100 * t.top1 for t in pruned], ls="", marker="x",
                  ms=6, mew=1.6, color=GREY, label="ended early, last figure")  # fmt: skip
        if finished:
            places = [t.number for t in finished]
            tops = np.array([100 * t.top1 for t in finished])
            left.plot(places, tops, ls="", marker="o", ms=6, color=BLUE, label="finished")
            last = max(t.number for t in trials)
            best = np.maximum.accumulate(tops)
            left.step([*places, last], [*best, best[-1]], where="post", color=ORANGE,
                      label=f"best so far, {best[-1]:.1f}")  # fmt: skip
        left.set(xlabel="trial", ylabel="watched top-1, %")
        left.xaxis.set_major_locator(MaxNLocator(integer=True))
        left.margins(x=0.05, y=0.1)
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=SMALL_SIZE)
        top = max(finished, key=lambda trial: trial.top1, default=None)
        for trial in sorted(trials, key=lambda trial: trial is top):
            _draw_curve(right, trial, trial is top)
        right.set(xlabel="part of the training done, %", xlim=(0, 102))
    return figure


def _draw_curve(axes: Axes, trial: Trial, is_best: bool) -> None:
    if not trial.curve:
        return
    parts, tops = zip(*trial.curve, strict=True)
    color = ORANGE if is_best else BLUE if trial.is_finished else GREY
    axes.plot(
        [100 * part for part in parts], [100 * top1 for top1 in tops], color=color,
        lw=2.2 if is_best else 1.1, alpha=1.0 if is_best else 0.55,
        marker="" if trial.is_finished else "x", markevery=[-1],
    )  # fmt: skip
    if is_best:
        title = f"orange: the best, trial {trial.number}"
        axes.set_title(title, loc="left", size=SMALL_SIZE)


def draw_importances(shares: Mapping[str, float], recipe: str, num_finished: int) -> Figure:
    """Draw which keys the differences between finished trials go back to, most first."""
    ordered = sorted(shares.items(), key=lambda item: item[1])
    note = (
        "share of the differences in watched top-1 that goes back to each key (PED-ANOVA); "
        f"from {num_finished} finished trials, so a rough guide only"
    )
    with look():
        figure, below = new_figure(
            7.0, 0.9 + 0.42 * len(ordered), f"What mattered in the search of {recipe}", note
        )
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), w_pad=0.08, h_pad=0.06)
        axes = figure.subplots()
        widths = [100 * share for _, share in ordered]
        axes.barh([key for key, _ in ordered], widths, color=BLUE, height=0.6)
        for place, width in enumerate(widths):
            axes.text(width, place, f" {width:.0f}", va="center", size=SMALL_SIZE, color=INK)
        axes.set(xlabel="share, %", xlim=(0, max(widths) * 1.12))
        axes.grid(visible=False, axis="y")
    return figure
