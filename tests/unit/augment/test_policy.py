"""Pixels depend on (seed, epoch) alone, and moves of whole pixels stay exact."""

import numpy as np
import pytest
import torch
from tests.unit.augment.test_operations import SEQUENCES, SINGLE
from torch import Tensor

from thumbnet.augment.policy import Policy
from thumbnet.recipe import (
    AffineSpec,
    AlternateFlipSpec,
    AugmentSpec,
    BlurSpec,
    ContrastSpec,
    CropAndPadSpec,
    CropPadPercentSpec,
    FlipSpec,
    MultiplySpec,
    NoiseSpec,
    PadCropSpec,
    RandomCropSpec,
    RandomOrderSpec,
    SometimesSpec,
)

SIZE, NUM = 16, 64
EXACT: tuple[AugmentSpec, ...] = (
    FlipSpec(),
    PadCropSpec(pad=2),
    FlipSpec(axis="vertical"),
    CropAndPadSpec(size=12),
    PadCropSpec(pad=3, fill="zeros"),
)
ALL_OF_THEM = tuple(spec for spec in SINGLE if not isinstance(spec, RandomCropSpec))
SETS: dict[str, tuple[AugmentSpec, ...]] = {
    "exact": EXACT,
    "every operation": ALL_OF_THEM,
    "every operation at times": (
        RandomOrderSpec(ops=tuple(SometimesSpec(ops=(spec,)) for spec in ALL_OF_THEM)),
    ),
    **SEQUENCES,
}


def pictures(num: int = NUM, size: int = SIZE) -> Tensor:
    shape = (num, size, size, 3)
    return torch.from_numpy(np.random.default_rng(1).integers(1, 256, shape, dtype=np.uint8))


def in_parts(policy: Policy, images: Tensor, batch_size: int) -> Tensor:
    parts = range(0, len(images), batch_size)
    return torch.cat([policy(images[at : at + batch_size], at) for at in parts])


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("batch_size", [1, 7, NUM // 2])
def test_pixels_do_not_depend_on_the_batch_size(name: str, batch_size: int) -> None:
    images = pictures()
    whole = Policy(SETS[name], NUM, SIZE, seed=3, epoch=2)(images, 0)
    again = Policy(SETS[name], NUM, SIZE, seed=3, epoch=2)
    assert torch.equal(in_parts(again, images, batch_size), whole)
    assert not torch.equal(whole[:, :9, :9].float(), images[:, :9, :9].float())


@pytest.mark.parametrize("batch_size", [1, 7, NUM // 2])
def test_pixels_of_the_heaviest_operations_do_not_depend_on_it_at_full_size(
    batch_size: int,
) -> None:
    images, specs = pictures(size=64), (BlurSpec(), AffineSpec(rotate=(-9, 9)), ContrastSpec())
    policy = Policy(specs, NUM, 64, seed=3, epoch=2)
    assert torch.equal(in_parts(policy, images, batch_size), policy(images, 0))


@pytest.mark.parametrize("name", SETS)
def test_seeds_and_epochs_differ(name: str) -> None:
    images = pictures()
    results = [
        Policy(SETS[name], NUM, SIZE, seed, epoch)(images, 0).float()
        for seed, epoch in ((3, 2), (3, 3), (4, 2), (2, 3))
    ]
    for one in range(4):
        for other in range(one):
            same = (results[one] == results[other]).flatten(1).all(1).float().mean()
            assert same < 0.3, (one, other)


def test_moves_of_whole_pixels_keep_their_dtype_and_the_others_stay_in_range() -> None:
    images = pictures()
    assert Policy(EXACT, NUM, SIZE, seed=0, epoch=0)(images, 0).dtype == torch.uint8
    result = Policy(SETS["every operation"], NUM, SIZE, seed=0, epoch=0)(images, 0)
    assert result.dtype == torch.float32
    assert 0 <= float(result.min()) < float(result.max()) <= 255
    rare = Policy((SometimesSpec(p=0, ops=(BlurSpec(),)),), NUM, SIZE, seed=0, epoch=0)(images, 0)
    assert torch.equal(rare, images.float())  # of one kind, whatever was drawn


def test_the_draws_of_flips_and_crops_are_pinned() -> None:
    """The streams of an epoch: [seed, epoch, position in the tree], counted from 1."""
    policy = Policy(EXACT, NUM, SIZE, seed=5, epoch=4)

    def stream(position: int) -> np.random.Generator:
        return np.random.default_rng([5, 4, position])

    assert np.array_equal(policy.leaves[0].active, stream(1).random(NUM) < 0.5)
    for position, high in ((2, 5), (4, SIZE - 12 + 1), (5, 7)):
        top, left = stream(position).integers(0, high, (2, NUM))
        table = policy.leaves[position - 1].table
        assert np.array_equal(table["top"], top)
        assert np.array_equal(table["left"], left)


def test_a_flip_goes_along_its_axis() -> None:
    images = pictures()
    for spec, dimension in ((FlipSpec(p=1), 2), (FlipSpec(axis="vertical", p=1), 1)):
        policy = Policy((spec,), NUM, SIZE, seed=0, epoch=0)
        assert torch.equal(policy(images, 0), images.flip(dimension))


def test_no_augmentation_hands_the_images_through() -> None:
    images = pictures()
    assert Policy((), NUM, SIZE, seed=0, epoch=0)(images, 0) is images


# -- neighbors become one


def one(**ranges: tuple[float, float]) -> AffineSpec:
    return AffineSpec.model_validate(ranges)


def rotated(*angles: float) -> Tensor:
    specs = [AffineSpec(rotate=(angle, angle)) for angle in angles]
    return Policy(specs, NUM, SIZE, seed=0, epoch=0)(pictures(), 0)


def test_two_rotations_by_30_degrees_are_one_by_60() -> None:
    assert torch.allclose(rotated(30, 30), rotated(60), atol=0.01)
    assert not torch.allclose(rotated(30, 30), rotated(30), atol=40)


def test_a_quarter_turn_is_exact_and_clockwise() -> None:
    images = pictures()
    assert torch.allclose(rotated(90), images.rot90(-1, (1, 2)).float(), atol=0.01)
    assert torch.allclose(rotated(120, 120, 120), images.float(), atol=0.01)


def test_the_order_of_affine_maps_matters_as_in_the_recipe() -> None:
    moves = one(translate_x=(0.25, 0.25)), one(rotate=(90, 90))
    images = pictures().float()
    right = torch.zeros_like(images)
    right[:, :, 4:] = images[:, :, :-4]  # a quarter of 16 pixels
    first = Policy(moves, NUM, SIZE, seed=0, epoch=0)(pictures(), 0)
    assert torch.allclose(first, right.rot90(-1, (1, 2)), atol=0.01)
    second = Policy(moves[::-1], NUM, SIZE, seed=0, epoch=0)(pictures(), 0)
    down = torch.zeros_like(images)
    down[:, :, 4:] = images.rot90(-1, (1, 2))[:, :, :-4]
    assert torch.allclose(second, down, atol=0.01)


def test_what_is_padded_then_cut_off_comes_back_and_is_read_once() -> None:
    specs = tuple(CropPadPercentSpec(percent=(p, p)) for p in (0.5, -0.25))
    result = Policy(specs, NUM, SIZE, seed=0, epoch=0)(pictures(), 0)
    assert torch.allclose(result, pictures().float(), atol=0.01)  # 2 times the side, then half


def test_colors_are_not_cut_off_between_neighbors() -> None:
    specs = MultiplySpec(factor=(4, 4)), MultiplySpec(factor=(0.25, 0.25))
    result = Policy(specs, NUM, SIZE, seed=0, epoch=0)(pictures(), 0)
    assert torch.allclose(result, pictures().float(), atol=1e-3)


# -- images are followed over the epochs


def flips(epoch: int, order: Tensor | None, seed: int = 0) -> Tensor:
    """Return by position in the order who is mirrored."""
    policy = Policy((AlternateFlipSpec(),), NUM, SIZE, seed, epoch, order=order)
    return torch.from_numpy(policy.leaves[0].active)


def test_alternate_flips_mirror_each_image_every_other_epoch() -> None:
    before = flips(0, None)
    assert 20 < int(before.sum()) < 44
    for epoch in (1, 2, 3):
        order = torch.from_numpy(np.random.default_rng(epoch).permutation(NUM))
        by_image = torch.empty(NUM, dtype=torch.bool)
        by_image[order] = flips(epoch, order)
        assert torch.equal(by_image, ~before)
        before = by_image
    assert not torch.equal(flips(0, None, seed=1), flips(0, None))


def test_alternate_flips_move_pixels() -> None:
    images, policy = pictures(), Policy((AlternateFlipSpec(),), NUM, SIZE, seed=0, epoch=0)
    mirrored = flips(0, None)[:, None, None, None]
    assert torch.equal(policy(images, 0), torch.where(mirrored, images.flip(2), images))


def test_noise_is_read_at_another_place_for_each_image() -> None:
    grey = torch.full((NUM, SIZE, SIZE, 3), 128, dtype=torch.uint8)
    result = Policy((NoiseSpec(sd=(20, 20)),), NUM, SIZE, seed=0, epoch=0)(grey, 0)
    lines = (result - 128).flatten(1)
    correlation = torch.corrcoef(lines) - torch.eye(NUM)
    assert float(correlation.abs().max()) < 0.25
    assert float(lines.std()) == pytest.approx(20, rel=0.02)
    assert torch.equal(result[..., 0], result[..., 1])
    apart = Policy((NoiseSpec(sd=(20, 20), per_channel=1),), NUM, SIZE, seed=0, epoch=0)(grey, 0)
    assert not torch.equal(apart[..., 0], apart[..., 1])
