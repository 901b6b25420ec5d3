"""What objects do to accuracy: by bins with class held fixed, and each effect with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thumbnet.effects import Bin, Effect
from thumbnet.visualize.style import GREY, PALETTE, SMALL_SIZE, look, new_figure

LABELS = {
    "area": "object: share of the image",
    "sides": "sides of the image it touches",
    "elongation": "longer side over shorter",
    "detail": "finest texture in it, levels",
    "contrast": "contrast in it, levels",
}


@dataclass(frozen=True)
class Drawn:
    """What is drawn of one network: bins by feature, and effects by name."""

    bins: Mapping[str, Sequence[Bin]]
    effects: Mapping[str, Effect]


def draw_objects(studies: Mapping[str, Drawn], judged_on: str) -> Figure:
    """Draw top-1 by each feature, and the effects, for one network or several."""
    title = "What an object's size, place, shape and texture do to accuracy"
    note = (
        f"{judged_on}. Filled: top-1 with class held fixed, 95 % intervals"
        + ("; hollow: as counted. " if len(studies) == 1 else ". ")
        + "Effects: from a feature's 10th to its 90th percentile."
    )
    with look():
        figure, below = new_figure(11.5, 6.6, title, note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), w_pad=0.1, h_pad=0.1)
        axes = figure.subplots(2, 3)
        for axis, feature in zip(axes.flat, LABELS, strict=False):
            _draw_bins(axis, feature, studies)
        _draw_effects(axes.flat[-1], studies)
        if len(studies) > 1:
            axes.flat[0].legend(fontsize=SMALL_SIZE)
        low = min(axis.get_ylim()[0] for axis in axes.flat[:5])
        high = max(axis.get_ylim()[1] for axis in axes.flat[:5])
        for axis in axes.flat[:5]:
            axis.set_ylim(low, min(high, 100))
    return figure


def _draw_bins(axis: Axes, feature: str, studies: Mapping[str, Drawn]) -> None:
    for number, (name, study) in enumerate(studies.items()):
        bins, color = study.bins[feature], PALETTE[number % len(PALETTE)]
        shift = 0.12 * (number - (len(studies) - 1) / 2)
        places = np.arange(len(bins)) + shift
        values = [100 * one.adjusted for one in bins]
        errors = [100 * (one.adjusted - one.adjusted_interval.low) for one in bins]
        axis.errorbar(
            places, values, yerr=errors, fmt="o-", color=color, label=name, ms=5, capsize=2
        )
        if len(studies) == 1:
            counted = [100 * one.top1 for one in bins]
            axis.plot(places, counted, "o:", color=GREY, mfc="white", ms=5, lw=1, zorder=1)
    first = next(iter(studies.values())).bins[feature]
    axis.set_xticks(range(len(first)), _bin_names(feature, first), size=SMALL_SIZE)
    axis.set(xlabel=LABELS[feature], ylabel="top-1, %")


def _bin_names(feature: str, bins: Sequence[Bin]) -> list[str]:
    """Name bins in the feature's own units."""
    names = []
    for one in bins:
        if feature == "sides":
            names.append(
                f"{one.low:.0f}" if one.low == one.high else f"{one.low:.0f}-{one.high:.0f}"
            )
            continue
        low, high = 2**one.low, 2**one.high
        if feature == "area":
            names.append(f"{100 * low:.0f}-{100 * high:.0f} %")
        elif feature == "elongation":
            names.append(f"{low:.1f}-{high:.1f}")
        else:
            names.append(f"{low:.0f}-{high:.0f}")
    return names


def _draw_effects(axis: Axes, studies: Mapping[str, Drawn]) -> None:
    names = list(next(iter(studies.values())).effects)
    for number, study in enumerate(studies.values()):
        color = PALETTE[number % len(PALETTE)]
        shift = 0.14 * (number - (len(studies) - 1) / 2)
        for place, name in enumerate(names):
            _draw_effect(axis, study.effects[name], place + shift, color)
    axis.axvline(0, color=GREY, lw=1)
    axis.set_yticks(range(len(names)), names, size=SMALL_SIZE)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel("effect on top-1, points;\nclass and the others held fixed")
    axis.grid(visible=False, axis="y")


def _draw_effect(axis: Axes, effect: Effect, place: float, color: str) -> None:
    change, low = 100 * effect.change, 100 * effect.interval.low
    fill = color if effect.is_sure else "white"
    axis.errorbar(change, place, xerr=change - low, fmt="o", color=color, mfc=fill, ms=5, capsize=2)
