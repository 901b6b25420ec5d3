"""Training curves: loss, accuracy and learning rate, with phases and interventions marked."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray

from thumbnet.errors import CheckpointError, RecipeError, reason_of
from thumbnet.visualize.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PINK,
    SMALL_SIZE,
    TEXT_SIZE,
    cut,
    look,
    new_figure,
    shorten,
    spread,
    wrap,
)  # fmt: skip

MAX_RUNS = 6
COLUMNS = ("lr", "train_loss", "watch_loss", "watch_top1", "watch_top5")
ACTS_NAMED = 12
ACT_GAP = 0.035  # of a panel's width, between the numbers of two interventions
WIDE = 20  # times the smallest; a plain scale would flatten the rest


@dataclass(frozen=True)
class Curve:
    """A run's figures by epoch, and what happened at which epoch.

    `phases` are (name, first epoch, last epoch); `acts` (epoch, what) are interventions; epochs
    are passes done, and `steps` the steps done by then. `rates` are (epochs, learning rates) step
    by step, where the plan of the run is known; that of each epoch's last step is in `values`.
    `published` is the top-1 that a report claims, on the split `source`; `on_the_way` are the
    (epoch, top-1) it gives before, on `way_source`, and `planned` the epochs of the whole run.
    `setting` is what tells the run from others of the same recipe.
    """

    name: str
    epochs: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]
    phases: tuple[tuple[str, float, float], ...]
    acts: tuple[tuple[float, str], ...] = ()
    published: float | None = None
    source: str = ""
    on_the_way: tuple[tuple[float, float], ...] = ()
    way_source: str = ""
    planned: float = 0.0
    setting: str = ""
    steps: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    rates: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def drawn_rates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Epochs and learning rates, as finely as they are known."""
        return (self.epochs, self.values["lr"]) if self.rates is None else self.rates

    @property
    def last(self) -> float:
        """The last epoch to be drawn: that of the plan where there are published points."""
        done = max(float(self.epochs[-1]), 1.0)
        return max(done, self.planned) if self.on_the_way else done


def read_curve(
    name: str,
    results_file: Path,
    acts: Sequence[tuple[int, str]] = (),
    published: float | None = None,
    source: str = "",
) -> Curve:
    """Read results.csv; acts come by step and are placed between the epochs they fell in.

    Raises: CheckpointError where there is no epoch yet, or the file is damaged
    """
    try:
        with results_file.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        values = {key: np.array([float(row[key]) for row in rows]) for key in COLUMNS}
        steps = np.array([0.0, *(float(row["step"]) for row in rows)])
        names = [row["phase"] for row in rows]
    except OSError:
        rows = []
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise CheckpointError(f"{results_file} is damaged: {reason_of(error)}") from None
    if not rows:
        raise CheckpointError(
            f"run '{name}' has no results yet; its first epoch has not ended; go on with "
            f"`thumbnet resume {name}`"
        )
    epochs = np.arange(1, len(rows) + 1, dtype=np.float64)
    placed = np.interp([step for step, _ in acts], steps, [0.0, *epochs])
    return Curve(
        name=name,
        epochs=epochs,
        values=values,
        phases=_phases(names),
        acts=tuple((float(at), what) for at, (_, what) in zip(placed, acts, strict=True)),
        published=published,
        source=source,
        steps=steps[1:],
    )


def _phases(names: Sequence[str]) -> tuple[tuple[str, float, float], ...]:
    starts = [i for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
    ends = [*starts[1:], len(names)]
    return tuple((names[a], float(a), float(b)) for a, b in zip(starts, ends, strict=True))


def draw_curves(curves: Sequence[Curve]) -> Figure:
    """Draw runs side by side: loss, top-1 and top-5, learning rate; rows share a scale.

    Raises: RecipeError for more runs than can be read
    """
    if not 1 <= len(curves) <= MAX_RUNS:
        raise RecipeError(f"{len(curves)} runs given; 1 to {MAX_RUNS} can be drawn side by side")
    lengths = sorted({len(curve.epochs) for curve in curves})
    span = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    what = (
        f"Training of {curves[0].name}" if len(curves) == 1 else f"Training of {len(curves)} runs"
    )
    note = f"{span} epochs; holdout: images that were not trained on; shaded: every other phase"
    if any(curve.acts for curve in curves):
        note += "; dashed: interventions, listed by number at the bottom"
    width = 7.0 if len(curves) == 1 else 1.2 + 3.9 * len(curves)
    with look():
        figure, below = new_figure(width, 7.2, what, note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), h_pad=0.06, w_pad=0.08)
        grid = figure.subplots(
            3, len(curves), squeeze=False, sharey="row", sharex="col",
            gridspec_kw={"height_ratios": (3, 3, 1.6)},
        )  # fmt: skip
        for column, curve in zip(grid.T, curves, strict=True):
            _draw_run(column, curve, several=len(curves) > 1, inches=width / len(curves) - 0.8)
        for axes, label in zip(
            grid[:, 0], ("cross-entropy", "holdout accuracy, %", "learning rate"), strict=True
        ):
            axes.set_ylabel(label)
        set_scale(grid[0, 0], curves, "train_loss", "watch_loss")
        set_scale(grid[2, 0], curves, "lr")
        grid[1, 0].set_ylim(bottom=0)
    return figure


def set_scale(axes: Axes, curves: Sequence[Curve], *keys: str) -> None:
    """Take a scale of powers where the largest figure is far from the smallest."""
    held = np.concatenate([curve.values[key] for curve in curves for key in keys])
    held = held[np.isfinite(held)]
    if len(held) and held.min() > 0 and held.max() / held.min() > WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif keys == ("lr",):
        axes.set_ylim(bottom=0)


def _draw_run(column: Sequence[Axes], curve: Curve, several: bool, inches: float) -> None:
    loss, accuracy, rate = column
    values, marker = curve.values, "o" if len(curve.epochs) < 16 else ""
    size: dict[str, Any] = {"marker": marker, "markersize": 4}
    loss.plot(curve.epochs, values["train_loss"], color=GREY, ls="--", label="train", **size)
    loss.plot(curve.epochs, values["watch_loss"], color=BLUE, label="holdout", **size)
    top1, top5 = 100 * values["watch_top1"], 100 * values["watch_top5"]
    best = int(np.nanargmax(top1)) if np.isfinite(top1).any() else 0
    accuracy.plot(curve.epochs, top5, color=GREEN, ls="--", label="top-5", **size)
    accuracy.plot(curve.epochs, top1, color=ORANGE, label=f"top-1, best {top1[best]:.1f}", **size)
    if curve.published is not None:
        accuracy.axhline(
            100 * curve.published, color=PINK, ls=":",
            label=f"published on {curve.source}, {100 * curve.published:.1f}",
        )  # fmt: skip
    draw_way(accuracy, curve)
    rate.plot(*curve.drawn_rates, color=INK, lw=1.4)
    if several:
        over_phases = 14 if len(curve.phases) > 1 else None  # points; their names stand below
        loss.set_title(shorten(curve.name, 34), loc="left", size=TEXT_SIZE + 1, pad=over_phases)
    rate.set_xlabel("\n".join(["epoch", *_listed(curve, inches)]))
    rate.set_xlim(0, curve.last * 1.02 + 0.1)
    rate.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in column:
        _mark(axes, curve, named=axes is loss)
    for axes in (loss, accuracy):
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.03), fontsize=SMALL_SIZE,
                    handlelength=2.8, ncols=2 if several else 4, borderaxespad=0)  # fmt: skip


def _listed(curve: Curve, inches: float) -> list[str]:
    """Return the interventions by number, in lines."""
    acts = curve.acts[:ACTS_NAMED]
    more = [f"and {len(curve.acts) - len(acts)} more"] * (len(curve.acts) > len(acts))
    said = [f"{number}: {cut(what, 40)}" for number, (_, what) in enumerate(acts, 1)]
    return wrap("; ".join([*said, *more]), inches, TEXT_SIZE) if acts else []


def draw_way(axes: Axes, curve: Curve, color: str = PINK) -> None:
    """Draw the published points that lie within the run."""
    points = [(at, 100 * top1) for at, top1 in curve.on_the_way if at <= curve.last]
    if points:
        axes.plot(
            *zip(*points, strict=True), color=color, ls="--", lw=1.2, marker="D", markersize=5,
            markeredgecolor="white", label=f"published on {curve.way_source}",
        )  # fmt: skip


def _mark(axes: Axes, curve: Curve, named: bool) -> None:
    """Shade every other phase and draw a line at each intervention; only one panel names them."""
    top = axes.get_xaxis_transform()
    wide = max(curve.last / 14, 0.0)
    for i, (name, first, last) in enumerate(curve.phases if len(curve.phases) > 1 else ()):
        if i % 2:
            axes.axvspan(first, last, color=PALE, zorder=0, lw=0)
        if named and last - first >= wide:
            axes.text((first + last) / 2, 1.01, f"phase {name}", transform=top, ha="center",
                      va="bottom", size=SMALL_SIZE, color=GREY)  # fmt: skip
    for at, _ in curve.acts:
        axes.axvline(at, ymax=0.92 if named else 1, color=PINK, ls=(0, (4, 2)), lw=1.2)
    if named:
        whole = curve.last * 1.02 + 0.1
        places = spread([at for at, _ in curve.acts[:ACTS_NAMED]], ACT_GAP * whole, whole)
        for number, place in enumerate(places, 1):
            axes.text(place, 0.93, str(number), transform=top, va="bottom", ha="center",
                      size=SMALL_SIZE, color=INK)  # fmt: skip
