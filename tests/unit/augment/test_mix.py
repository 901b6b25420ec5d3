"""Mixes are drawn from (seed, step), and labels keep the share of the pixels."""

import numpy as np
import pytest
import torch
from torch import Tensor

from thumbnet.augment.mix import MixPlan, draw_mix, mix_images
from thumbnet.recipe import CutMixSpec, MixSpec, MixUpSpec, NoMixSpec

BATCH, SIZE = 64, 16
MIXUP, CUTMIX = MixUpSpec(alpha=1), CutMixSpec()


def drawn(*specs: MixSpec, seed: int = 0, step: int = 0, batch: int = BATCH) -> MixPlan:
    plan = draw_mix(specs, seed, step, batch, SIZE)
    assert plan is not None
    return plan


def inputs() -> Tensor:
    return torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("spec", [MIXUP, CUTMIX], ids=["mixup", "cutmix"])
def test_a_plan_depends_on_seed_and_step_alone(spec: MixSpec) -> None:
    plan, again = drawn(spec, seed=1, step=2), drawn(spec, seed=1, step=2)
    assert torch.equal(plan.partner, again.partner)
    assert torch.equal(plan.weight, again.weight)
    for other in (drawn(spec, seed=2, step=2), drawn(spec, seed=1, step=3)):
        assert not torch.equal(plan.partner, other.partner)
        assert not torch.equal(plan.weight, other.weight)


@pytest.mark.parametrize("spec", [MIXUP, CUTMIX], ids=["mixup", "cutmix"])
def test_partners_are_a_permutation_and_weights_are_shares(spec: MixSpec) -> None:
    plan = drawn(spec)
    assert sorted(plan.partner.tolist()) == list(range(BATCH))
    assert (plan.partner.dtype, plan.weight.dtype) == (torch.int64, torch.float32)
    assert plan.weight.shape == (BATCH,)
    assert 0 <= float(plan.weight.min()) < float(plan.weight.max()) <= 1
    assert len(set(plan.weight.tolist())) > BATCH / 2  # of its own for each image


def test_mixup_blends_each_image_with_its_partner() -> None:
    images, plan = inputs(), drawn(MIXUP)
    mixed = mix_images(images, plan)
    assert plan.box is None
    for number in range(BATCH):
        weight = float(plan.weight[number])
        expected = weight * images[number] + (1 - weight) * images[plan.partner[number]]
        assert torch.allclose(mixed[number], expected, atol=1e-6)


def test_cutmix_pastes_a_rectangle_and_weighs_by_what_is_left() -> None:
    images, plan = inputs(), drawn(CUTMIX)
    before = images.clone()
    mixed = mix_images(images, plan)
    assert torch.equal(images, before)
    assert plan.box is not None
    for number, (top, left, bottom, right) in enumerate(plan.box.tolist()):
        expected = images[number].clone()
        partner = images[plan.partner[number]]
        expected[:, top:bottom, left:right] = partner[:, top:bottom, left:right]
        assert torch.equal(mixed[number], expected)
        left_over = 1 - (bottom - top) * (right - left) / SIZE**2
        assert float(plan.weight[number]) == pytest.approx(left_over)


def test_weights_follow_their_distribution() -> None:
    weights = drawn(MIXUP, batch=20000).weight.numpy()
    assert abs(weights.mean() - 0.5) < 4 / np.sqrt(12 * 20000)  # Beta(1, 1) is even
    assert abs((weights < 0.25).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 20000)
    extreme = drawn(MixUpSpec(alpha=0.2), batch=20000).weight.numpy()
    assert extreme.std() == pytest.approx(np.sqrt(0.25 / 1.4), rel=0.02)
    plan = drawn(CUTMIX, batch=20000)
    assert plan.box is not None
    assert 0.5 < float(plan.weight.mean()) < 0.75  # over 1/2: the edges cut rectangles off


def test_each_batch_gets_one_mix_by_its_share() -> None:
    specs = MixUpSpec(share=2), CutMixSpec(share=1), NoMixSpec(share=1)
    plans = [draw_mix(specs, 0, step, 2, SIZE) for step in range(2000)]
    none = sum(plan is None for plan in plans)
    boxes = sum(plan is not None and plan.box is not None for plan in plans)
    sigma = np.sqrt(2000 * 0.25 * 0.75)
    assert abs(none - 500) < 4 * sigma
    assert abs(boxes - 500) < 4 * sigma


def test_no_mix_leaves_the_batch_alone() -> None:
    assert draw_mix((), 0, 0, BATCH, SIZE) is None
    assert draw_mix((NoMixSpec(),), 0, 0, BATCH, SIZE) is None


def test_a_batch_of_one_mixes_with_itself() -> None:
    image = inputs()[:1]
    for spec in (MIXUP, CUTMIX):
        assert torch.allclose(mix_images(image, drawn(spec, batch=1)), image, atol=1e-6)
