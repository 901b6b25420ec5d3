"""Augmentations as data. Ranges are drawn uniformly, once an image an epoch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from thumbnet.recipe.base import Probability, Spec, check_range
from thumbnet.recipe.color import ContrastSpec, HueSpec, MultiplySpec, SaturationSpec
from thumbnet.recipe.geometry import (
    AffineSpec,
    AlternateFlipSpec,
    CropAndPadSpec,
    CropPadPercentSpec,
    FlipSpec,
    PadCropSpec,
    RandomCropSpec,
)
from thumbnet.recipe.pixels import (
    AutoContrastSpec,
    BlurSpec,
    CoarseDropoutSpec,
    EqualizeSpec,
    EraseSpec,
    NoiseSpec,
    PosterizeSpec,
    SharpnessSpec,
    SolarizeSpec,
)


class RandAugmentSpec(Spec):
    """Do `num` of fourteen operations in turn, each at `magnitude` of 30.

    Source: arXiv:1909.13719
    """

    name: Literal["rand_augment"] = "rand_augment"
    num: Annotated[int, Field(ge=1, le=8)] = 2
    magnitude: Annotated[float, Field(ge=0, le=30)] = 9
    fill_value: Annotated[float, Field(ge=0, le=255)] = 0


class TrivialAugmentSpec(Spec):
    """Do one of fourteen operations at a random magnitude, in its wide range.

    Source: arXiv:2103.10158
    """

    name: Literal["trivial_augment"] = "trivial_augment"
    fill_value: Annotated[float, Field(ge=0, le=255)] = 0


# -- which of them an image gets, and in which order


class SometimesSpec(Spec):
    """Do all of `ops` to an image with probability `p`, else none of them."""

    name: Literal["sometimes"] = "sometimes"
    p: Probability = 0.5
    ops: "tuple[AugmentSpec, ...]" = Field(min_length=1)


class OneOfSpec(Spec):
    """Do exactly one of `ops` to an image."""

    name: Literal["one_of"] = "one_of"
    ops: "tuple[AugmentSpec, ...]" = Field(min_length=1)


class SomeOfSpec(Spec):
    """Do a random subset of `ops`: from `num[0]` to `num[1]` of them, in the order given."""

    name: Literal["some_of"] = "some_of"
    num: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
    ops: "tuple[AugmentSpec, ...]" = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("num", self.num, 0, len(self.ops))
        return self


class RandomOrderSpec(Spec):
    """Do all of `ops`, geometry, color and the rest in an order drawn for each image.

    The order is drawn over these three groups, not over the operations: within a group the
    order given stands, so that its affine maps still become one.
    """

    name: Literal["random_order"] = "random_order"
    ops: "tuple[AugmentSpec, ...]" = Field(min_length=1)


AugmentSpec = Annotated[
    FlipSpec
    | AlternateFlipSpec
    | PadCropSpec
    | CropAndPadSpec
    | RandomCropSpec
    | AffineSpec
    | CropPadPercentSpec
    | MultiplySpec
    | ContrastSpec
    | SaturationSpec
    | HueSpec
    | BlurSpec
    | NoiseSpec
    | CoarseDropoutSpec
    | EraseSpec
    | SharpnessSpec
    | PosterizeSpec
    | SolarizeSpec
    | AutoContrastSpec
    | EqualizeSpec
    | RandAugmentSpec
    | TrivialAugmentSpec
    | SometimesSpec
    | OneOfSpec
    | SomeOfSpec
    | RandomOrderSpec,
    Field(discriminator="name"),
]
for _nested in (SometimesSpec, OneOfSpec, SomeOfSpec, RandomOrderSpec):
    _nested.model_rebuild()
