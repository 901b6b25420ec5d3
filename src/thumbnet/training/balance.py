"""Classes of different sizes made to count alike: by weights of the loss, or by the order."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def class_weights(labels: NDArray[np.int64], num_classes: int) -> Tensor:
    """Return a weight for each class, so that the images of every class weigh the same in all.

    The mean weight over the images is 1, so that learning rates keep their meaning.

    Shapes: labels (N,) -> (num_classes,) float32
    """
    counts = np.bincount(labels, minlength=num_classes)
    num_present = np.count_nonzero(counts)
    weights = np.where(counts > 0, len(labels) / (num_present * np.maximum(counts, 1)), 0.0)
    return torch.from_numpy(weights.astype(np.float32))


def balanced_order(seed: int, epoch: int, labels: NDArray[np.int64]) -> Tensor:
    """Return as many positions as there are images, with every class equally often.

    Counts of classes differ by one at most; which classes get one more is drawn. Of a large class
    some images sit the epoch out, of a small one all come several times, and as often as each
    other but for one. A function of (seed, epoch) and the labels alone.

    Shapes: labels (N,) -> (N,) int64
    """
    rng = np.random.default_rng([seed, epoch, 0, 4])  # apart from the plain order's stream
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    base, extra = divmod(len(labels), len(members))
    lucky = set(rng.permutation(len(members))[:extra].tolist())
    drawn = list[NDArray[np.int64]]()
    for number, images in enumerate(members):
        passes, rest = divmod(base + (number in lucky), len(images))
        drawn += [images] * passes + [rng.permutation(images)[:rest]]
    return torch.from_numpy(rng.permutation(np.concatenate(drawn)))
