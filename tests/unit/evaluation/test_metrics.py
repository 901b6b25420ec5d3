"""Figures by class, confusions and calibration against loops straight from the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.evaluation.ensemble import combine
from thumbnet.evaluation.metrics import (
    by_class,
    calibration,
    confusion,
    most_confused,
    one_against_all,
    softmax,
)

cases = st.tuples(st.integers(1, 60), st.integers(2, 7), st.integers(0, 10**6))


def drawn(case: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    num, num_classes, seed = case
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(num, num_classes)).astype(np.float32)
    return logits, rng.integers(num_classes, size=num)


@settings(deadline=None)
@given(cases)
def test_confusion_and_figures_by_class(case: tuple[int, int, int]) -> None:
    logits, labels = drawn(case)
    predicted = logits.argmax(1)
    matrix = confusion(logits, labels)
    figures = by_class(matrix)
    for c in range(logits.shape[1]):
        for d in range(logits.shape[1]):
            assert matrix[c, d] == sum((labels == c) & (predicted == d))
        right = ((labels == c) & (predicted == c)).sum()
        precision = right / max(1, (predicted == c).sum())
        recall = right / max(1, (labels == c).sum())
        both = precision + recall
        assert figures.precision[c] == pytest.approx(precision)
        assert figures.recall[c] == pytest.approx(recall)
        assert figures.f1[c] == pytest.approx(2 * precision * recall / both if both else 0)
        assert figures.num_images[c] == (labels == c).sum()
        assert figures.num_predicted[c] == (predicted == c).sum()
    agree = [((labels == c) == (predicted == c)).mean() for c in range(logits.shape[1])]
    assert one_against_all(matrix) == pytest.approx(np.mean(agree))


@settings(deadline=None)
@given(cases)
def test_calibration_bin_by_bin(case: tuple[int, int, int]) -> None:
    logits, labels = drawn(case)
    probs = softmax(logits)
    assert probs.sum(1) == pytest.approx(np.ones(len(probs)))
    confidence, right = probs.max(1), logits.argmax(1) == labels
    found, error = calibration(logits, labels), 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        assert found.num_images[number] == inside.sum()
        if inside.any():
            assert found.confidence[number] == pytest.approx(confidence[inside].mean())
            assert found.accuracy[number] == pytest.approx(right[inside].mean())
            error += abs(confidence[inside].mean() - right[inside].mean()) * inside.mean()
    assert found.error == pytest.approx(error)


def test_most_confused_pairs_come_first_and_right_ones_not_at_all() -> None:
    matrix = np.array([[9, 1, 3], [0, 9, 0], [2, 0, 9]])
    assert most_confused(matrix) == [(0, 2, 3), (2, 0, 2), (0, 1, 1)]
    assert most_confused(matrix, 1) == [(0, 2, 3)]


def test_an_ensemble_is_the_mean_of_logits_or_of_probabilities() -> None:
    one, two = (drawn((20, 5, seed))[0] for seed in (1, 2))
    assert combine([one, two]) == pytest.approx((one + two) / 2, abs=1e-6)
    mean = (softmax(one) + softmax(two)) / 2
    assert softmax(combine([one, two], "probs")) == pytest.approx(mean, abs=1e-6)
    assert combine([one]) == pytest.approx(one)
    with pytest.raises(ValueError, match="cannot be combined"):
        combine([one, two[:5]])
    with pytest.raises(ValueError, match="cannot be combined"):
        combine([])
    with pytest.raises(ValueError, match="allowed: logits, probs"):
        combine([one, two], "votes")
