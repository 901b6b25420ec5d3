"""The loss of a step, mixed labels included, against the definition."""

import pytest
import torch

from thumbnet.augment.mix import MixPlan, draw_mix
from thumbnet.recipe import CutMixSpec, MixUpSpec
from thumbnet.training.step import loss_of


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("spec", [MixUpSpec(alpha=0.4), CutMixSpec()])
def test_mixed_labels_are_targets_in_parts(spec: MixUpSpec | CutMixSpec, smoothing: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    mix = draw_mix((spec,), seed=0, step=3, batch_size=6, size=16)
    assert isinstance(mix, MixPlan)
    targets = torch.zeros(6, 5)
    for i, (other, weight) in enumerate(
        zip(mix.partner.tolist(), mix.weight.tolist(), strict=True)
    ):
        targets[i, labels[i]] += weight
        targets[i, labels[other]] += 1 - weight
    targets = targets * (1 - smoothing) + smoothing / 5
    expected = -(targets * logits.log_softmax(1)).sum(1).mean()
    assert torch.allclose(loss_of(logits, labels, smoothing, mix), expected)


def test_weights_of_classes_multiply_each_image() -> None:
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    weights = torch.tensor([0.5, 1.0, 2.0, 0.25, 3.0])
    log_probs, expected = logits.log_softmax(1), 0.0
    for i, label in enumerate(labels.tolist()):
        target = torch.full((5,), 0.1 / 5)
        target[label] += 0.9
        expected += float(-(target * log_probs[i]).sum() * weights[label])
    assert float(loss_of(logits, labels, 0.1, None, weights)) == pytest.approx(expected / 6)


@pytest.mark.parametrize("spec", [MixUpSpec(alpha=0.4), CutMixSpec()])
def test_both_labels_of_a_mixed_image_are_weighed(spec: MixUpSpec | CutMixSpec) -> None:
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    weights = torch.tensor([0.5, 1.0, 2.0, 0.25, 3.0])
    mix = draw_mix((spec,), seed=0, step=3, batch_size=6, size=16)
    assert isinstance(mix, MixPlan)
    log_probs, expected = logits.log_softmax(1), 0.0
    for i, (other, share) in enumerate(zip(mix.partner.tolist(), mix.weight.tolist(), strict=True)):
        own, its = int(labels[i]), int(labels[other])
        expected -= float(share * weights[own] * log_probs[i, own])
        expected -= float((1 - share) * weights[its] * log_probs[i, its])
    assert float(loss_of(logits, labels, 0.0, mix, weights)) == pytest.approx(expected / 6)


def test_unmixed_is_plain_cross_entropy() -> None:
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    expected = -logits.log_softmax(1)[torch.arange(6), labels].mean()
    assert torch.allclose(loss_of(logits, labels, 0.0), expected)
