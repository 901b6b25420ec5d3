"""Classes count alike: weights and orders against slow twins that count one by one."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from thumbnet.training.balance import balanced_order, class_weights

COUNTS = ((120, 15), (1, 1), (7, 3, 40, 11), (2, 100, 5), (5,), (3, 1, 1, 1, 1, 30))


def labels_of(counts: tuple[int, ...], seed: int = 0) -> NDArray[np.int64]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(labels)


@pytest.mark.parametrize("counts", COUNTS)
def test_weights_are_inverse_counts_and_one_in_the_mean(counts: tuple[int, ...]) -> None:
    labels = labels_of(counts)
    weights = class_weights(labels, len(counts)).double().numpy()
    per_class = [0.0] * len(counts)
    for label in labels.tolist():
        per_class[label] += weights[label]
    assert per_class == pytest.approx([len(labels) / len(counts)] * len(counts))
    assert sum(per_class) / len(labels) == pytest.approx(1)


def test_a_class_without_images_changes_no_other() -> None:
    labels = np.array([0, 0, 0, 2])
    assert class_weights(labels, 4).tolist() == pytest.approx([4 / 6, 0, 2, 0])


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("epoch", [0, 1, 9])
def test_an_order_shows_classes_and_their_images_equally_often(
    counts: tuple[int, ...], epoch: int
) -> None:
    labels = labels_of(counts)
    order = balanced_order(3, epoch, labels).tolist()
    assert len(order) == len(labels)
    seen_class, seen_image = [0] * len(counts), [0] * len(labels)
    for position in order:
        seen_class[labels[position]] += 1
        seen_image[position] += 1
    assert max(seen_class) - min(seen_class) <= 1
    for label in range(len(counts)):
        times = [seen_image[i] for i in range(len(labels)) if labels[i] == label]
        assert max(times) - min(times) <= 1


def test_an_order_is_a_function_of_seed_and_epoch() -> None:
    labels = labels_of((40, 8, 20))
    orders = {(s, e): balanced_order(s, e, labels) for s in range(3) for e in range(3)}
    assert len({tuple(order.tolist()) for order in orders.values()}) == 9
    for (seed, epoch), order in orders.items():
        assert torch.equal(order, balanced_order(seed, epoch, labels))


def test_every_image_of_a_large_class_has_its_epochs() -> None:
    labels = labels_of((60, 6))
    seen = np.concatenate([balanced_order(0, epoch, labels).numpy() for epoch in range(12)])
    assert set(seen.tolist()) == set(range(66))


def test_classes_are_mixed_over_the_epoch() -> None:
    labels = labels_of((50, 50))
    halves = labels[balanced_order(0, 0, labels).numpy()].reshape(2, 50)
    assert 10 < halves[0].sum() < 40
