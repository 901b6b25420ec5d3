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

FILL_VALUE = "Value of what moves in at the border, 0 (black) to 255 (white)."


class RandAugmentSpec(Spec):
    """Do several of fourteen operations, drawn at random, all with the same strength.

    Source: arXiv:1909.13719
    """

    name: Literal["rand_augment"] = "rand_augment"
    num: int = Field(default=2, ge=1, le=8, description="Number of operations for each image.")
    magnitude: float = Field(default=9, ge=0, le=30, description="Strength of each operation.")
    fill_value: float = Field(default=0, ge=0, le=255, description=FILL_VALUE)


class TrivialAugmentSpec(Spec):
    """Do one of fourteen operations at a random strength, in the wide range of the paper.

    Source: arXiv:2103.10158
    """

    name: Literal["trivial_augment"] = "trivial_augment"
    fill_value: float = Field(default=0, ge=0, le=255, description=FILL_VALUE)


# -- which of them an image gets, and in which order


class SometimesSpec(Spec):
    """Do all operations of a list to an image, or none of them."""

    name: Literal["sometimes"] = "sometimes"
    p: Probability = Field(default=0.5, description="Probability for each image.")
    ops: "tuple[AugmentSpec, ...]" = Field(min_length=1, description="The operations.")


class OneOfSpec(Spec):
    """Do exactly one operation of a list to an image."""

    name: Literal["one_of"] = "one_of"
    ops: "tuple[AugmentSpec, ...]" = Field(min_length=1, description="The operations.")


class SomeOfSpec(Spec):
    """Do a random part of a list of operations, in the order given."""

    name: Literal["some_of"] = "some_of"
    num: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = Field(
        description="The fewest and the most operations for an image."
    )
    ops: "tuple[AugmentSpec, ...]" = Field(min_length=1, description="The operations.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("num", self.num, 0, len(self.ops))
        return self


class RandomOrderSpec(Spec):
    """Do all operations of a list; geometry, color and the rest in an order drawn an image.

    The order is drawn over these three groups, not over the operations: within a group the
    order given stands, so that its affine maps still become one.
    """

    name: Literal["random_order"] = "random_order"
    ops: "tuple[AugmentSpec, ...]" = Field(min_length=1, description="The operations.")


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
