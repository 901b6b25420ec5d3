"""Every operation, and every sequence of them, equals its slow twin within rounding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.augment.twins import twin
from torch import Tensor

from thumbnet.augment.policy import Policy
from thumbnet.recipe import (
    AffineSpec,
    AlternateFlipSpec,
    AugmentSpec,
    AutoContrastSpec,
    BlurSpec,
    CoarseDropoutSpec,
    ContrastSpec,
    CropAndPadSpec,
    CropPadPercentSpec,
    EqualizeSpec,
    EraseSpec,
    FlipSpec,
    HueSpec,
    MultiplySpec,
    NoiseSpec,
    OneOfSpec,
    PadCropSpec,
    PosterizeSpec,
    RandAugmentSpec,
    RandomCropSpec,
    RandomOrderSpec,
    SaturationSpec,
    SharpnessSpec,
    SolarizeSpec,
    SomeOfSpec,
    SometimesSpec,
    TrivialAugmentSpec,
)

SIZE, NUM = 12, 8
FILLS: tuple[Any, ...] = ("constant", "edge", "reflect", "symmetric", "wrap")
BOTH: tuple[Any, ...] = ("nearest", "bilinear")
WILD: dict[str, Any] = {
    "rotate": (-180, 180),
    "scale": (0.4, 2),
    "per_axis": True,
    "shear": (-30, 30),
    "shear_y": (-20, 20),
    "translate_x": (-0.4, 0.4),
    "translate_y": (-0.7, 0.1),
    "fill_value": (0, 255),
}


def pictures(num: int = NUM, size: int = SIZE, channels: int = 3) -> Tensor:
    """Smooth pictures with a little noise, so that a shift by a hair changes little."""
    rng = np.random.default_rng(5)
    coarse = torch.from_numpy(rng.random((num, channels, 4, 4)))
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    noisy = 255 * smooth + torch.from_numpy(rng.normal(0, 6, smooth.shape))
    return noisy.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def assert_equals_twin(
    specs: Sequence[AugmentSpec], images: Tensor, *, seed: int = 1, epoch: int = 2
) -> Policy:
    size = images.shape[1]
    policy = Policy(specs, len(images), size, seed, epoch)
    before = images.clone()
    result = policy(images, 0)
    assert torch.equal(images, before)
    for number, image in enumerate(images.numpy()):
        expected = twin(image, policy.leaves, number, seed, epoch)
        assert np.abs(result[number].numpy() - expected).max() < 0.05, number
    return policy


SINGLE: list[AugmentSpec] = [
    FlipSpec(),
    FlipSpec(axis="vertical"),
    AlternateFlipSpec(),
    PadCropSpec(pad=3),
    PadCropSpec(pad=3, fill="zeros"),
    CropAndPadSpec(size=7),
    RandomCropSpec(size=9),
    *(AffineSpec(fill=(f,), interpolation=(i,), **WILD) for f in FILLS for i in BOTH),
    *(CropPadPercentSpec(percent=(-0.3, 0.6), fill=(fill,), fill_value=(9, 99)) for fill in FILLS),
    AffineSpec(fill=FILLS, interpolation=BOTH, **WILD),
    MultiplySpec(factor=(0.2, 2)),
    MultiplySpec(factor=(0.2, 2), per_channel=0.5),
    ContrastSpec(factor=(0.2, 3)),
    ContrastSpec(factor=(0.2, 3), per_channel=0.5),
    ContrastSpec(factor=(0, 3), around="mean"),
    ContrastSpec(factor=(0, 3), per_channel=1, around="mean"),
    SaturationSpec(factor=(0, 3)),
    HueSpec(turn=(-0.5, 0.5)),
    BlurSpec(sigma=(0, 2)),
    BlurSpec(sigma=(0, 0)),
    BlurSpec(sigma=(8, 16)),
    NoiseSpec(sd=(5, 80)),
    NoiseSpec(sd=(5, 80), per_channel=0.5),
    CoarseDropoutSpec(p=(0.1, 0.7), size=(0.1, 0.6)),
    CoarseDropoutSpec(p=(0.1, 0.7), size=(0.1, 1), per_channel=0.5),
    EraseSpec(p=0.7),
    EraseSpec(p=1, fill="mean", clipped=True),
    EraseSpec(p=1, fill="noise", area=(0.2, 1)),
    SharpnessSpec(factor=(0, 4)),
    PosterizeSpec(bits=(1, 8)),
    SolarizeSpec(),
    AutoContrastSpec(),
    EqualizeSpec(),
]


@pytest.mark.parametrize("spec", SINGLE, ids=lambda spec: spec.name)
def test_an_operation_equals_its_twin(spec: AugmentSpec) -> None:
    images = pictures(size=64 if isinstance(spec, EqualizeSpec) else SIZE)
    changed = assert_equals_twin((spec,), images)(images, 0)
    same = torch.equal(changed[:, :9, :9].float(), images[:, :9, :9].float())
    assert same == (spec == BlurSpec(sigma=(0, 0)))


@pytest.mark.parametrize(
    "spec",
    [spec for spec in SINGLE if spec.name not in ("hue", "saturation")],
    ids=lambda s: s.name,
)
def test_an_operation_treats_a_grey_image_like_its_first_channel(spec: AugmentSpec) -> None:
    grey = pictures(channels=1)
    policy = Policy((spec,), NUM, SIZE, seed=1, epoch=2)
    result, colored = policy(grey, 0), policy(grey.expand(-1, -1, -1, 3).contiguous(), 0)
    assert result.shape == (*colored.shape[:3], 1)
    assert torch.allclose(result.float(), colored[..., :1].float(), atol=1e-3)


@pytest.mark.parametrize("spec", [HueSpec(), SaturationSpec()], ids=lambda spec: spec.name)
def test_grey_has_no_color_to_change(spec: AugmentSpec) -> None:
    grey = pictures(channels=1)
    result = Policy((spec,), NUM, SIZE, seed=1, epoch=2)(grey, 0)
    assert torch.allclose(result, grey.float(), atol=1e-3)


@pytest.mark.parametrize("spec", [AutoContrastSpec(), EqualizeSpec(), HueSpec(turn=(0.3, 0.3))])
@pytest.mark.parametrize("level", [0, 7, 255])
def test_an_image_of_one_color_stays(spec: AugmentSpec, level: int) -> None:
    plain = torch.full((2, SIZE, SIZE, 3), level, dtype=torch.uint8)
    result = Policy((spec,), 2, SIZE, seed=0, epoch=0)(plain, 0)
    assert torch.allclose(result, plain.float(), atol=1e-3)


SEQUENCES: dict[str, tuple[AugmentSpec, ...]] = {
    "two affine maps and a crop": (
        AffineSpec(fill=("edge",), **WILD),
        CropPadPercentSpec(fill=FILLS),
        AffineSpec(rotate=(-30, 30), fill=FILLS, interpolation=BOTH),
    ),
    "four maps of the color": (
        MultiplySpec(per_channel=0.5),
        ContrastSpec(per_channel=0.5, around="mean"),
        SaturationSpec(),
        ContrastSpec(),
        ContrastSpec(around="mean"),
    ),
    "a crop first": (RandomCropSpec(size=9), FlipSpec(), PadCropSpec(pad=8), EraseSpec(p=1)),
    "moves after noise": (NoiseSpec(), FlipSpec(axis="vertical"), CropAndPadSpec(size=8)),
    "random order": (
        RandomOrderSpec(
            ops=(
                PadCropSpec(pad=2, fill="zeros"),
                AffineSpec(rotate=(-40, 40), fill_value=(200, 200)),
                FlipSpec(p=1),
                MultiplySpec(factor=(0.5, 2)),
                HueSpec(turn=(0.2, 0.4)),
                BlurSpec(),
                SolarizeSpec(),
            ),
        ),
    ),
    "trivial augment": (TrivialAugmentSpec(fill_value=50),),
    "rand augment": (RandAugmentSpec(num=3, magnitude=19),),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence_equals_its_twin(name: str) -> None:
    assert_equals_twin(SEQUENCES[name], pictures(24))


leaf_specs = st.sampled_from(
    [spec for spec in SINGLE if spec.name not in ("random_crop", "equalize", "posterize")]
)
trees: st.SearchStrategy[AugmentSpec] = st.recursive(
    leaf_specs,
    lambda inner: st.one_of(
        st.builds(SometimesSpec, ops=st.lists(inner, min_size=1, max_size=3)),
        st.builds(OneOfSpec, ops=st.lists(inner, min_size=1, max_size=3)),
        st.builds(SomeOfSpec, num=st.just((0, 2)), ops=st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=25)
@given(
    before=st.lists(leaf_specs, max_size=2),
    inside=st.lists(trees, min_size=1, max_size=2),
    ordered=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_tree_equals_its_twin(
    before: list[AugmentSpec], inside: list[AugmentSpec], ordered: bool, seed: int
) -> None:
    tree = [RandomOrderSpec(ops=tuple(inside))] if ordered else inside
    assert_equals_twin((*before, *tree), pictures(4, 9), seed=seed)
