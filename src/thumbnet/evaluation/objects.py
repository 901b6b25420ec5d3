"""What a bounding box tells of an image: how large, cut off, long and detailed its object is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)
CHUNK = 128  # images at a time: what fits in the cache
MIN_OUTSIDE = 0.05  # of the image; a smaller rest says nothing of the background
TRAIN_PER_CLASS = 25  # images a class that the background classifier learns from
CELLS = 4  # cells a side in which the background's color is looked at
RIDGE = 1e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Objects:
    """One value an image; what each says is in `FEATURES`.

    Shapes: each (N,)
    """

    area: Floats
    sides: Floats
    elongation: Floats
    detail: Floats
    contrast: Floats


FEATURES = {
    "area": "share of the image that the box covers, in doublings",
    "sides": "sides of the image that the box touches, 0 to 4",
    "elongation": "longer side of the box over its shorter one, in doublings",
    "detail": "finest texture inside the box, in doublings",
    "contrast": "spread of brightness inside the box, in doublings",
}


def measure_objects(images: NDArray[np.uint8], boxes: NDArray[np.int16]) -> Objects:
    """Measure the object of each image.

    The finest texture is the root mean square, in levels, of brightness less a 3x3 binomial blur
    of itself, within the box: what a network sees of scales under about three pixels, and what
    shrinking an image to this size takes first.

    Shapes: images (N, S, S, 3); boxes (N, 4), x0 y0 x1 y1, the ends inside -> (N,) each
    """
    parts = []
    for picked, inside in _chunks(images, boxes):
        luma = picked @ np.array(LUMA, np.float32)
        count = inside.sum((1, 2))
        fine = np.sqrt(((luma - _blurred(luma)) ** 2 * inside).sum((1, 2)) / count)
        mean = (luma * inside).sum((1, 2)) / count
        squares = (luma * luma * inside).sum((1, 2)) / count
        spread = np.sqrt(np.maximum(squares - mean * mean, 0))
        parts.append(np.stack([fine, spread]))
    fine, spread = np.concatenate(parts, axis=1).astype(np.float64)
    size = images.shape[1]
    x0, y0, x1, y1 = boxes.astype(np.float64).T
    width, height = x1 - x0 + 1, y1 - y0 + 1
    last = size - 1
    return Objects(
        area=np.log2(width * height / size**2),
        sides=(x0 <= 0).astype(float) + (y0 <= 0) + (x1 >= last) + (y1 >= last),
        elongation=np.abs(np.log2(width / height)),
        detail=np.log2(np.maximum(fine, 0.25)),
        contrast=np.log2(np.maximum(spread, 0.25)),
    )


def background_distinction(
    train: tuple[NDArray[np.uint8], NDArray[np.int16], NDArray[np.int64]],
    judged: tuple[NDArray[np.uint8], NDArray[np.int16], NDArray[np.int64]],
    num_classes: int,
) -> Floats:
    """Tell for each class how well its background alone gives it away, from 0.5 (not at all) to 1.

    A linear discriminant learns the classes from colors outside the boxes of `train`; the value is
    the share of the other classes that it ranks below the right one, averaged over the images of
    the class in `judged`; NaN where none shows enough background.

    Shapes: images (N, S, S, 3), boxes (N, 4), labels (N,) each -> (num_classes,)
    """
    known, shows = _backgrounds(*train[:2])
    labels, known = train[2][shows], known[shows]
    center, scale = known.mean(0), known.std(0) + 1e-9
    known = (known - center) / scale
    counts = np.bincount(labels, minlength=num_classes)
    sums = np.stack([np.bincount(labels, column, num_classes) for column in known.T], axis=1)
    means = sums / np.maximum(counts, 1)[:, None]
    rest = known - means[labels]
    covariance = rest.T @ rest / len(rest) + RIDGE * np.eye(known.shape[1])
    weights = np.linalg.solve(covariance, means.T)  # (features, classes)
    bias = -0.5 * (means.T * weights).sum(0)
    found, shows = _backgrounds(*judged[:2])
    scores = ((found - center) / scale) @ weights + bias
    scores[:, counts == 0] = -np.inf
    right = scores[np.arange(len(scores)), judged[2]][:, None]
    below = ((scores < right).sum(1) + 0.5 * ((scores == right).sum(1) - 1)) / (num_classes - 1)
    held = np.bincount(judged[2][shows], minlength=num_classes)
    total = np.bincount(judged[2][shows], below[shows], num_classes)
    return np.where(held > 0, total / np.maximum(held, 1), np.nan)


def _backgrounds(
    images: NDArray[np.uint8], boxes: NDArray[np.int16]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Describe what is outside the boxes, and tell where that is enough.

    Shapes: -> (N, 6 + 3 * CELLS ** 2): mean and spread of each channel, and the mean of each
        cell, that of the whole where a cell lies inside the box; (N,)
    """
    rows, shares = [], []
    for picked, inside in _chunks(images, boxes):
        outside = (~inside).astype(np.float32)[..., None]
        count = np.maximum(outside.sum(1).sum(1), 1)  # an axis at a time: several times as fast
        shown = picked * np.repeat(outside, picked.shape[3], axis=3)
        mean = shown.sum(1).sum(1) / count
        squares = (shown * shown).sum(1).sum(1) / count
        spread = np.sqrt(np.maximum(squares - mean * mean, 0))
        sums, held = _cells(shown), _cells(outside)
        whole = mean[:, None, None]
        cells = np.where(held > 0, sums / np.maximum(held, 1), whole).reshape(len(picked), -1)
        rows.append(np.concatenate([mean, spread, cells], axis=1))
        shares.append(outside.mean((1, 2, 3)))
    return np.concatenate(rows).astype(np.float64), np.concatenate(shares) >= MIN_OUTSIDE


def _chunks(
    images: NDArray[np.uint8], boxes: NDArray[np.int16]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield some images at a time with where they are inside their boxes.

    Shapes: (n, S, S, 3) and (n, S, S)
    """
    size = images.shape[1]
    place = np.arange(size)
    for first in range(0, len(images), CHUNK):
        x0, y0, x1, y1 = boxes[first : first + CHUNK].T[..., None]
        across = (place >= x0) & (place <= x1)
        down = (place >= y0) & (place <= y1)
        yield images[first : first + CHUNK].astype(np.float32), down[:, :, None] & across[:, None]


def _blurred(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur by 1 2 1 down and across, the border repeated."""
    wide = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    wide = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    blurred = wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]
    return np.asarray(blurred / 16, np.float32)


def _cells(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up each cell of a grid; what is over at the end falls to no cell.

    Shapes: (n, S, S, C) -> (n, CELLS, CELLS, C)
    """
    side = values.shape[1] // CELLS
    values = values[:, : side * CELLS, : side * CELLS]
    folded = values.reshape(len(values), CELLS, side, CELLS, side, values.shape[3])
    return np.asarray(folded.sum(2).sum(3), np.float32)
