"""Does a feature of an image make it harder? Accuracy by bins, and slopes with class held fixed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.significance import Interval, wilson_interval

NUM_BINS = 5
Z95 = 1.959963984540054

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """The images whose feature lies between two values.

    `adjusted` is top-1 with class held fixed: that of all images, and by how much more of the
    images here are right than of all images of their classes.
    """

    low: float
    high: float
    num_images: int
    top1: float
    interval: Interval
    adjusted: float
    adjusted_interval: Interval


@dataclass(frozen=True)
class Effect:
    """By how much top-1 changes from a feature's 10th to its 90th percentile."""

    change: float
    interval: Interval

    @property
    def is_sure(self) -> bool:
        """Whether the 95 % interval leaves 0 out."""
        return self.interval.low > 0 or self.interval.high < 0


def bins_of(feature: Floats, right: NDArray[np.bool_], labels: NDArray[np.int64]) -> list[Bin]:
    """Sort images by a feature into five parts of about equal size; equal values stay together.

    Shapes: (N,) each
    """
    edges = np.unique(feature)[:-1]
    if len(edges) >= NUM_BINS:
        edges = np.unique(np.quantile(feature, np.linspace(0, 1, NUM_BINS + 1)[1:-1]))
    index = np.searchsorted(edges, feature, side="left")
    gain, found = within(right.astype(np.float64), labels), []
    for number in np.unique(index):
        here = index == number
        count, half = int(here.sum()), _half_width(gain[here])
        adjusted = float(right.mean() + gain[here].mean())
        found.append(
            Bin(
                low=float(feature[here].min()),
                high=float(feature[here].max()),
                num_images=count,
                top1=float(right[here].mean()),
                interval=wilson_interval(int(right[here].sum()), count),
                adjusted=adjusted,
                adjusted_interval=Interval(adjusted - half, adjusted + half),
            )
        )
    return found


def effects_of(
    features: Mapping[str, Floats], right: NDArray[np.bool_], labels: NDArray[np.int64]
) -> dict[str, Effect]:
    """Return each feature's effect with class and the other features held fixed.

    A linear model of right or wrong with a level for each class; intervals are robust to the
    variance of a share differing between images.

    Shapes: (N,) each
    Source: White 1980, as small samples are corrected by MacKinnon and White 1985 (HC1)
    """
    names = [name for name, feature in features.items() if np.ptp(feature) > 0]
    if not names:
        return {}
    x = np.stack([within(features[name], labels) for name in names], axis=1)
    slopes, errors = _fit(x, within(right.astype(np.float64), labels), labels)
    found = {}
    for name, slope, error in zip(names, slopes, errors, strict=True):
        low, high = np.percentile(features[name], [10, 90])
        found[name] = _effect(slope, error, high - low or np.ptp(features[name]))
    return found


def interaction(
    feature: Floats, by_class: Floats, right: NDArray[np.bool_], labels: NDArray[np.int64]
) -> Effect:
    """Return how the effect of a feature differs between classes.

    From a class at the 10th percentile of `by_class` to one at the 90th, of the effect from the
    feature's 10th percentile to its 90th. Classes without a value are left out.

    Shapes: feature, right, labels (N,); by_class (C,)
    """
    keep = ~np.isnan(by_class[labels])
    feature, right, labels = feature[keep], right[keep], labels[keep]
    known = by_class[~np.isnan(by_class)]
    x = within(feature, labels)
    both = np.stack([x, x * (by_class[labels] - known.mean())], axis=1)
    slopes, errors = _fit(both, within(right.astype(np.float64), labels), labels)
    step = np.ptp(np.percentile(feature, [10, 90])) * np.ptp(np.percentile(known, [10, 90]))
    return _effect(slopes[1], errors[1], step)


def within(values: Floats, labels: NDArray[np.int64]) -> Floats:
    """Take from each value the mean of its class.

    Shapes: (N,), (N,) -> (N,)
    """
    counts = np.maximum(np.bincount(labels), 1)
    centered: Floats = values - (np.bincount(labels, values) / counts)[labels]
    return centered


def _fit(x: Floats, y: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return least-squares slopes and their robust standard errors.

    Shapes: x (N, F), y (N,) -> (F,), (F,)
    """
    inverse = np.linalg.pinv(x.T @ x)
    slopes = inverse @ x.T @ y
    rest = y - x @ slopes
    meat = (x * rest[:, None] ** 2).T @ x
    free = max(1, len(y) - len(np.unique(labels)) - x.shape[1])
    covariance = inverse @ meat @ inverse * len(y) / free
    return slopes, np.sqrt(np.diag(covariance))


def _effect(slope: float, error: float, step: float) -> Effect:
    change, half = float(slope * step), float(Z95 * error * step)
    return Effect(change, Interval(change - half, change + half))


def _half_width(values: Floats) -> float:
    return float(Z95 * values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else 1.0
