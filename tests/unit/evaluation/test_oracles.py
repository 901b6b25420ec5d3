"""Figures against scikit-learn and torchmetrics, which only tests import."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from torchmetrics.functional import classification as torchmetrics

from thumbnet.evaluation.evaluate import score
from thumbnet.evaluation.metrics import by_class, calibration, confusion, macro, softmax

CASES = [(1, 2), (7, 3), (50, 5), (300, 10), (2000, 40)]


def drawn(num: int, num_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([num, num_classes, seed])
    labels = rng.integers(num_classes, size=num)
    logits = rng.normal(scale=2, size=(num, num_classes)).astype(np.float32)
    logits[np.arange(num), labels] += 1.5
    return logits, labels


@pytest.fixture(params=[(*case, seed) for case in CASES for seed in range(4)], ids=str)
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    return drawn(*request.param)


def test_confusion_and_figures_by_class(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    num_classes, predicted = logits.shape[1], logits.argmax(1)
    classes = np.arange(num_classes)
    matrix = confusion(logits, labels)
    assert np.array_equal(matrix, sklearn.confusion_matrix(labels, predicted, labels=classes))
    theirs = torchmetrics.multiclass_confusion_matrix(
        torch.from_numpy(predicted), torch.from_numpy(labels), num_classes
    )
    assert np.array_equal(matrix, theirs.numpy())
    precision, recall, f1, support = sklearn.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0
    )
    found = by_class(matrix)
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall)
    assert found.f1 == pytest.approx(f1)
    assert np.array_equal(found.num_images, support)
    theirs = sklearn.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0, average="macro"
    )
    assert macro(found) == pytest.approx(theirs[:3])
    given = (torch.from_numpy(predicted), torch.from_numpy(labels), num_classes)
    for ours, function in (
        (found.precision, torchmetrics.multiclass_precision),
        (found.recall, torchmetrics.multiclass_recall),
        (found.f1, torchmetrics.multiclass_f1_score),
    ):
        assert ours == pytest.approx(function(*given, average="none").numpy(), abs=1e-6)


def test_calibration_error(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    expected = torchmetrics.multiclass_calibration_error(
        torch.from_numpy(softmax(logits)), torch.from_numpy(labels), logits.shape[1], n_bins=15
    )
    assert calibration(logits, labels).error == pytest.approx(float(expected), abs=1e-5)


def test_scores(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    num_classes = logits.shape[1]
    found, classes = score(logits, labels), np.arange(num_classes)
    assert found.top1 == pytest.approx(sklearn.accuracy_score(labels, logits.argmax(1)))
    assert found.loss == pytest.approx(sklearn.log_loss(labels, softmax(logits), labels=classes))
    if num_classes > 5:
        top5 = sklearn.top_k_accuracy_score(labels, logits, k=5, labels=classes)
        assert found.top5 == pytest.approx(top5)
        theirs = torchmetrics.multiclass_accuracy(
            torch.from_numpy(logits), torch.from_numpy(labels), num_classes, "micro", top_k=5
        )
        assert found.top5 == pytest.approx(float(theirs), abs=1e-6)
    else:
        assert found.top5 == 1
