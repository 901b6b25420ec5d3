"""Figures beyond top-1: by class, confusions, calibration; all from logits and labels alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.scoring import ranked

NUM_BINS = 15

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ByClass:
    """Figures of each class; what has nothing to be measured on is 0.

    Shapes: each (C,)
    """

    precision: Floats
    recall: Floats
    f1: Floats
    num_images: Ints
    num_predicted: Ints


@dataclass(frozen=True)
class Calibration:
    """How far confidence is from accuracy; `error` is the mean of the gaps, weighted by images.

    Source: expected calibration error, arXiv:1706.04599, bins of equal width
    Shapes: confidence, accuracy, num_images (NUM_BINS,)
    """

    error: float
    confidence: Floats
    accuracy: Floats
    num_images: Ints


def softmax(logits: NDArray[np.float32]) -> Floats:
    """Return probabilities.

    Shapes: (N, C) -> (N, C)
    """
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probs: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return probs


def confusion(logits: NDArray[np.float32], labels: Ints) -> Ints:
    """Count images by their class (rows) and the class predicted (columns).

    Shapes: logits (N, C), labels (N,) -> (C, C)
    """
    num_classes = logits.shape[1]
    pairs = labels * num_classes + ranked(logits, 1)[:, 0]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def by_class(matrix: Ints) -> ByClass:
    """Return precision, recall and F1 of each class from a confusion matrix."""
    right = np.diag(matrix).astype(np.float64)
    images, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = _share(right, predicted), _share(right, images)
    f1 = _share(2 * precision * recall, precision + recall)
    return ByClass(precision, recall, f1, images, predicted)


def macro(figures: ByClass) -> tuple[float, float, float]:
    """Return the means of precision, recall and F1 over all classes, each class counting alike."""
    one, two, three = (float(f.mean()) for f in (figures.precision, figures.recall, figures.f1))
    return one, two, three


def one_against_all(matrix: Ints) -> float:
    """Return the mean over classes of (true positives + true negatives) / images.

    Source: bastidas2017, which names this figure; it is near 1 for any network
    """
    total = matrix.sum()
    wrong = matrix.sum(axis=1) + matrix.sum(axis=0) - 2 * np.diag(matrix)
    return float((1 - wrong / total).mean())


def most_confused(matrix: Ints, count: int = 20) -> list[tuple[int, int, int]]:
    """Return the pairs of classes taken for each other most: class, predicted, images."""
    off = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-off, axis=None, kind="stable")[:count]
    pairs = [(int(i // len(matrix)), int(i % len(matrix))) for i in order]
    return [(a, b, int(off[a, b])) for a, b in pairs if off[a, b] > 0]


def calibration(logits: NDArray[np.float32], labels: Ints) -> Calibration:
    """Return how well the network's confidence tells how often it is right."""
    probs, best = softmax(logits), ranked(logits, 1)[:, 0]
    confidence = probs[np.arange(len(best)), best]
    right = (best == labels).astype(np.float64)
    edges = np.linspace(0, 1, NUM_BINS + 1)[1:-1]
    bins = np.digitize(confidence, edges, right=True)  # a bin holds its upper edge
    images = np.bincount(bins, minlength=NUM_BINS)
    mean_confidence = _share(np.bincount(bins, confidence, NUM_BINS), images)
    accuracy = _share(np.bincount(bins, right, NUM_BINS), images)
    error = float((np.abs(mean_confidence - accuracy) * images).sum() / len(labels))
    return Calibration(error, mean_confidence, accuracy, images)


def _share(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    share: Floats = np.divide(part, whole, out=np.zeros(len(part)), where=np.asarray(whole) > 0)
    return share
