"""Comparisons on the same images, with figures that can be checked by hand."""

import numpy as np
import pytest

from thumbnet.errors import DataError
from thumbnet.evaluation.compare import compare, gains_by_class
from thumbnet.significance import sign_test


def answers(predicted: np.ndarray, num_classes: int = 4) -> np.ndarray:
    return np.eye(num_classes, dtype=np.float32)[predicted]


LABELS = np.arange(400) % 4
RIGHT = answers(LABELS)
WORSE = answers(np.where(np.arange(400) < 40, (LABELS + 1) % 4, LABELS))  # 40 wrong
OTHER = answers(np.where(np.arange(400) >= 380, (LABELS + 1) % 4, LABELS))  # 20 others wrong


def test_pairs_are_told_apart_by_the_images_they_differ_on() -> None:
    pairs = {(p.first, p.second): p for p in compare({"a": RIGHT, "b": WORSE, "c": OTHER}, LABELS)}
    assert list(pairs) == [("a", "b"), ("a", "c"), ("b", "c")]
    best = pairs["a", "b"]
    assert (best.difference, best.only_first, best.only_second) == (0.1, 40, 0)
    assert best.probability == pytest.approx(sign_test(40, 0))
    assert best.corrected == pytest.approx(3 * best.probability)
    assert best.interval.low > 0.06
    assert best.interval.high < 0.14
    mixed = pairs["b", "c"]
    assert mixed.difference == pytest.approx(-0.05)
    assert (mixed.only_first, mixed.only_second) == (20, 40)
    assert mixed.interval.low < mixed.difference < mixed.interval.high < 0


def test_the_same_network_is_not_better_than_itself() -> None:
    (pair,) = compare({"a": WORSE, "b": WORSE}, LABELS)
    assert (pair.difference, pair.probability, pair.corrected) == (0, 1, 1)


def test_gains_are_in_the_classes_where_they_were_made() -> None:
    gains = gains_by_class(RIGHT, answers(np.where(LABELS == 2, 0, LABELS)), LABELS)
    assert gains.tolist() == [0, 0, 1, 0]


def test_other_images_or_too_few_networks_are_refused() -> None:
    with pytest.raises(DataError, match="at least two"):
        compare({"a": RIGHT}, LABELS)
    with pytest.raises(DataError, match="b has predictions of 10 images, not of 400"):
        compare({"a": RIGHT, "b": RIGHT[:10]}, LABELS)
