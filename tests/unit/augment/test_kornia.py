"""Every operation that kornia has does what kornia does."""

from collections.abc import Callable
from typing import Any

import kornia.enhance as enhance
import kornia.geometry.transform as transform
import numpy as np
import pytest
import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor

from thumbnet.augment import mix
from thumbnet.augment.policy import Policy
from thumbnet.augment.tree import Leaf
from thumbnet.recipe import (
    AffineSpec,
    AugmentSpec,
    AutoContrastSpec,
    BlurSpec,
    ContrastSpec,
    CropPadPercentSpec,
    EqualizeSpec,
    FlipSpec,
    HueSpec,
    MultiplySpec,
    PosterizeSpec,
    RandomCropSpec,
    SaturationSpec,
    SharpnessSpec,
    SolarizeSpec,
)

NUM, SIZE = 16, 64
Columns = dict[str, Tensor]
Peer = Callable[[Tensor, Columns], Tensor]  # images (B, C, H, W) in [0, 1] -> the same


def pictures() -> Tensor:
    """Patches of color with noise, from dark to light: (NUM, SIZE, SIZE, 3) uint8."""
    rng = np.random.default_rng(7)
    coarse = torch.from_numpy(rng.random((NUM, 3, 6, 6)))
    smooth = torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic")
    noisy = 255 * smooth + torch.from_numpy(rng.normal(0, 10, smooth.shape))
    return noisy.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def columns_of(leaf: Leaf) -> Columns:
    return {name: torch.from_numpy(np.asarray(column)) for name, column in leaf.table.items()}


def compare(spec: AugmentSpec, peer: Peer) -> None:
    images = pictures()
    policy = Policy((spec,), NUM, SIZE, seed=1, epoch=1)
    columns = {
        name: column.float() if column.is_floating_point() else column
        for name, column in columns_of(policy.leaves[0]).items()
    }
    theirs = 255 * peer(images.permute(0, 3, 1, 2) / 255, columns)
    difference = (policy(images, 0) - theirs.permute(0, 2, 3, 1)).abs()
    assert float(difference.mean()) <= 2
    assert float(difference.flatten(1).mean(1).max()) <= 4


def wide(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def bits(images: Tensor, columns: Columns) -> Tensor:
    return enhance.posterize(images, columns["bits"].int())


def stretched(images: Tensor, columns: Columns) -> Tensor:
    return enhance.normalize_min_max(images)


def in_kornia(mode: str, padding: str) -> Peer:
    def peer(images: Tensor, columns: Columns) -> Tensor:
        center = torch.full((NUM, 2), (SIZE - 1) / 2)
        moved = torch.stack([columns["translate_x"], columns["translate_y"]], 1) * SIZE
        scale = torch.stack([columns["scale_x"], columns["scale_y"]], 1)
        still = torch.zeros(NUM, 2)
        one = torch.ones(NUM, 2)

        def matrix(**given: Tensor) -> Tensor:
            plain = {"translations": still, "scale": one, "angle": torch.zeros(NUM)}
            found: Tensor = transform.get_affine_matrix2d(center=center, **{**plain, **given})
            return found

        lean = {f"s{axis}": torch.deg2rad(columns[f"shear_{axis}"]) for axis in "xy"}
        steps = (
            matrix(translations=moved)
            @ matrix(angle=columns["rotate"])
            @ matrix(**lean)
            @ matrix(scale=scale)
        )
        return transform.warp_affine(
            images, steps[:, :2], (SIZE, SIZE), mode, padding, align_corners=True
        )

    return peer


def resized(images: Tensor, columns: Columns) -> Tensor:
    """Pad or cut, then scale, as a map of corners to corners."""
    left, top = -columns["left"] * SIZE - 0.5, -columns["top"] * SIZE - 0.5
    right = SIZE * (1 + columns["right"]) - 0.5
    bottom = SIZE * (1 + columns["bottom"]) - 0.5
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    box = torch.stack([torch.stack(corner, 1) for corner in corners], 1)
    edge = torch.tensor(
        [[-0.5, -0.5], [SIZE - 0.5, -0.5], [SIZE - 0.5, SIZE - 0.5], [-0.5, SIZE - 0.5]]
    )
    matrix = transform.get_perspective_transform(box, edge.expand(NUM, 4, 2))
    return transform.warp_affine(images, matrix[:, :2], (SIZE, SIZE), align_corners=True)


WILD: dict[str, Any] = {
    "rotate": (-45, 45),
    "scale": (0.8, 1.5),
    "per_axis": True,
    "shear": (-16, 16),
    "shear_y": (-16, 16),
    "translate_x": (-0.2, 0.2),
    "translate_y": (-0.2, 0.2),
}
PAIRS: list[tuple[AugmentSpec, Peer]] = [
    (FlipSpec(p=1), lambda x, _: transform.hflip(x)),
    (FlipSpec(axis="vertical", p=1), lambda x, _: transform.vflip(x)),
    (AffineSpec(**WILD), in_kornia("bilinear", "zeros")),
    (AffineSpec(**WILD, interpolation=("nearest",)), in_kornia("nearest", "zeros")),
    (AffineSpec(**WILD, fill=("edge",)), in_kornia("bilinear", "border")),
    (AffineSpec(**WILD, fill=("reflect",)), in_kornia("bilinear", "reflection")),
    (CropPadPercentSpec(percent=(-0.3, 0.4)), resized),
    (
        MultiplySpec(factor=(0.3, 2)),
        lambda x, c: enhance.adjust_brightness_accumulative(x, c["factor"][:, 0]),
    ),
    (
        ContrastSpec(factor=(0, 2), around="mean"),
        lambda x, c: enhance.adjust_contrast_with_mean_subtraction(x, c["factor"][:, 0]),
    ),
    (
        SaturationSpec(factor=(0, 2)),
        lambda x, c: enhance.adjust_saturation_with_gray_subtraction(x, c["factor"]),
    ),
    (
        HueSpec(turn=(-0.5, 0.5)),
        lambda x, c: enhance.adjust_hue(x, 2 * torch.pi * c["turn"]),
    ),
    (
        BlurSpec(sigma=(0.3, 2)),
        lambda x, c: gaussian_blur2d(x, 17, c["sigma"][:, None].expand(-1, 2)),
    ),
    (SharpnessSpec(factor=(0, 1)), lambda x, c: enhance.sharpness(x, c["factor"])),
    (PosterizeSpec(bits=(1, 8)), bits),
    (SolarizeSpec(threshold=(10, 245)), lambda x, c: enhance.solarize(x, c["threshold"] / 255)),
    (AutoContrastSpec(), stretched),
    (EqualizeSpec(), lambda x, _: enhance.equalize(x)),
]


@pytest.mark.parametrize(("spec", "peer"), PAIRS, ids=[spec.name for spec, _ in PAIRS])
def test_does_what_kornia_does(spec: AugmentSpec, peer: Peer) -> None:
    compare(spec, peer)


def test_a_random_crop_is_kornias_crop_of_the_same_window() -> None:
    images, size = pictures(), 48
    policy = Policy((RandomCropSpec(size=size),), NUM, SIZE, seed=1, epoch=1)
    top, left = (columns_of(policy.leaves[0])[name] for name in ("top", "left"))
    corners = [(0, 0), (size - 1, 0), (size - 1, size - 1), (0, size - 1)]
    box = torch.stack([torch.stack([left + x, top + y], 1) for x, y in corners], 1)
    theirs = transform.crop_by_indices(images.permute(0, 3, 1, 2), box)
    assert torch.equal(policy(images, 0), theirs.permute(0, 2, 3, 1))


def test_mixup_blends_as_kornia_adds_weighted() -> None:
    images, plan = torch.rand(NUM, 3, 8, 8), mix.MixPlan(torch.arange(NUM).flip(0), torch.rand(NUM))
    weight = plan.weight
    theirs = enhance.add_weighted(images, wide(weight), images.flip(0), 1 - wide(weight), 0.0)
    assert torch.allclose(mix.mix_images(images, plan), theirs, atol=1e-6)
