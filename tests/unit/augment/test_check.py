"""What cannot run at a size is refused before any training, wherever it stands."""

import pytest

from thumbnet.augment.policy import check_augment
from thumbnet.recipe import (
    AugmentSpec,
    CropAndPadSpec,
    FlipSpec,
    OneOfSpec,
    PadCropSpec,
    RandomCropSpec,
    RandomOrderSpec,
    SomeOfSpec,
    SometimesSpec,
    TrivialAugmentSpec,
)

WIDE = PadCropSpec(pad=32)


def nested(spec: AugmentSpec) -> AugmentSpec:
    inner = OneOfSpec(ops=(FlipSpec(), SomeOfSpec(num=(0, 1), ops=(spec,))))
    return SometimesSpec(ops=(RandomOrderSpec(ops=(inner,)),))


def test_lets_pass_what_fits() -> None:
    check_augment((), 32)
    check_augment((FlipSpec(), PadCropSpec(pad=31), CropAndPadSpec(size=32)), 32)
    check_augment((nested(PadCropSpec(pad=31)), TrivialAugmentSpec()), 32)
    check_augment((RandomCropSpec(size=28), PadCropSpec(pad=27)), 32, crop=28)
    check_augment((RandomCropSpec(size=32), FlipSpec()), 32)


REFUSED: dict[str, tuple[tuple[AugmentSpec, ...], int | None, str]] = {
    "pad": ((FlipSpec(), WIDE), None, "pad_crop: pad=32 must be below the image size 32"),
    "crop": (
        (CropAndPadSpec(size=33),),
        None,
        "crop_and_pad: size=33 is larger than the images",
    ),
    "nested": (
        (nested(WIDE),),
        None,
        "sometimes: random_order: one_of: some_of: pad_crop: pad=32 must be below",
    ),
    "nested crop": ((nested(CropAndPadSpec(size=33)),), None, "some_of: crop_and_pad: size=33"),
    "crop not first": (
        (FlipSpec(), RandomCropSpec(size=28)),
        28,
        "random_crop must stand first, but 1",
    ),
    "crop inside": (
        (nested(RandomCropSpec(size=28)),),
        28,
        "some_of: random_crop must stand first, outside of other operations",
    ),
    "crop too large": (
        (RandomCropSpec(size=33),),
        33,
        "random_crop: size=33 is larger than the",
    ),
    "crop differs": ((RandomCropSpec(size=28),), 30, "size=28, but crop is 30; set preprocess"),
    "crop not judged": ((RandomCropSpec(size=28),), None, "all 32 pixels are judged; set preproc"),
    "pad after crop": (
        (RandomCropSpec(size=28), PadCropSpec(pad=28)),
        28,
        "pad=28 must be below the image size 28",
    ),
    "order in order": (
        (RandomOrderSpec(ops=(nested(FlipSpec()),)),),
        None,
        "random_order: sometimes: random_order: it is inside another random_order",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_does_not_fit(name: str) -> None:
    specs, crop, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        check_augment(specs, 32, crop)
