"""Networks compared image by image on the same images, corrected for many comparisons."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import DataError
from thumbnet.scoring import ranked
from thumbnet.significance import Interval, bootstrap_interval, holm, mcnemar


@dataclass(frozen=True)
class Pair:
    """How one network does against another.

    `difference` is top-1 of the first less that of the second; `only_first` images only the first
    has right. `probability` is McNemar's, `corrected` after Holm for all pairs compared.
    """

    first: str
    second: str
    difference: float
    interval: Interval
    only_first: int
    only_second: int
    probability: float
    corrected: float


def compare(
    logits: Mapping[str, NDArray[np.float32]], labels: NDArray[np.int64], seed: int = 0
) -> list[Pair]:
    """Compare every two networks, on the same images in the same order.

    Shapes: each (N, C); labels (N,)
    Raises: DataError for fewer than two networks, or predictions of other images
    """
    if len(logits) < 2:
        raise DataError(f"{len(logits)} network given; a comparison takes at least two")
    for name, one in logits.items():
        if len(one) != len(labels):
            raise DataError(f"{name} has predictions of {len(one)} images, not of {len(labels)}")
    right = {name: ranked(one, 1)[:, 0] == labels for name, one in logits.items()}
    pairs = list(combinations(right, 2))
    chances = [mcnemar(right[a], right[b]) for a, b in pairs]
    corrected = holm(chances)
    found = []
    for (a, b), chance, after in zip(pairs, chances, corrected, strict=True):
        gains = right[a].astype(np.float64) - right[b]
        found.append(
            Pair(
                first=a,
                second=b,
                difference=float(gains.mean()),
                interval=bootstrap_interval(gains, seed),
                only_first=int((gains > 0).sum()),
                only_second=int((gains < 0).sum()),
                probability=chance,
                corrected=after,
            )
        )
    return found


def gains_by_class(
    first: NDArray[np.float32], second: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return by how much the first network's recall of each class is over the second's.

    Shapes: (N, C), (N, C), (N,) -> (C,)
    """
    gains = (ranked(first, 1)[:, 0] == labels).astype(np.float64)
    gains -= ranked(second, 1)[:, 0] == labels
    num_classes = first.shape[1]
    counts = np.bincount(labels, minlength=num_classes)
    total = np.bincount(labels, gains, num_classes)
    return np.divide(total, counts, out=np.zeros(num_classes), where=counts > 0)
