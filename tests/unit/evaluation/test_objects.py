"""What a box tells of an image, checked one image at a time."""

import numpy as np
import pytest

from thumbnet.evaluation.objects import LUMA, background_distinction, measure_objects

SIZE = 16
BOXES = np.array(
    [[0, 0, 15, 15], [4, 6, 11, 9], [0, 3, 2, 3], [5, 0, 5, 15], [15, 15, 15, 15]], np.int16
)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def slow_detail(image: np.ndarray, box: np.ndarray) -> tuple[float, float]:
    """Measure texture and contrast pixel by pixel."""
    luma = image.astype(float) @ np.array(LUMA)
    wide = np.pad(luma, 1, mode="edge")
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    x0, y0, x1, y1 = box
    fine, inside = [], []
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            fine.append(luma[y, x] - (wide[y : y + 3, x : x + 3] * kernel).sum())
            inside.append(luma[y, x])
    return float(np.sqrt(np.mean(np.square(fine)))), float(np.std(inside))


def test_equals_a_slow_measure() -> None:
    images = pictures(len(BOXES))
    objects = measure_objects(images, BOXES)
    for number, (image, box) in enumerate(zip(images, BOXES, strict=True)):
        x0, y0, x1, y1 = (int(end) for end in box)
        width, height = x1 - x0 + 1, y1 - y0 + 1
        assert objects.area[number] == pytest.approx(np.log2(width * height / SIZE**2))
        assert objects.elongation[number] == pytest.approx(abs(np.log2(width / height)))
        detail, contrast = slow_detail(image, box)
        assert objects.detail[number] == pytest.approx(np.log2(max(detail, 0.25)), abs=1e-3)
        assert objects.contrast[number] == pytest.approx(np.log2(max(contrast, 0.25)), abs=1e-3)
    assert objects.sides.tolist() == [4, 0, 1, 2, 2]


def test_many_images_are_measured_as_few_are() -> None:
    images, boxes = pictures(300), np.tile(BOXES, (60, 1))
    whole, few = measure_objects(images, boxes), measure_objects(images[150:155], BOXES)
    assert np.array_equal(whole.detail[150:155], few.detail)


def test_a_background_that_tells_the_class_is_found() -> None:
    rng, num_classes = np.random.default_rng(1), 6
    labels = np.repeat(np.arange(num_classes), 40)
    images = pictures(len(labels), 2)
    boxes = np.tile(np.array([5, 5, 10, 10], np.int16), (len(labels), 1))
    told = labels < 3  # these have a color of their own around the object
    images[told, :, :, 0] = (60 * labels[told] + 40)[:, None, None]
    images[:, 5:11, 5:11] = rng.integers(0, 256, (len(labels), 6, 6, 3))
    known, judged = slice(0, None, 2), slice(1, None, 2)
    found = background_distinction(
        (images[known], boxes[known], labels[known]),
        (images[judged], boxes[judged], labels[judged]),
        num_classes,
    )
    assert found[:3].min() > 0.95
    assert found[3:].max() < 0.85


def test_a_class_that_shows_no_background_has_no_value() -> None:
    labels = np.repeat(np.arange(3), 10)
    boxes = np.tile(np.array([5, 5, 10, 10], np.int16), (30, 1))
    hidden = boxes.copy()
    hidden[labels == 1] = (0, 0, SIZE - 1, SIZE - 1)
    images = pictures(30)
    found = background_distinction((images, boxes, labels), (images, hidden, labels), 3)
    assert np.isnan(found).tolist() == [False, True, False]
