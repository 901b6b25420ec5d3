"""Augmentations as data. Ranges are drawn uniformly, once an image an epoch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from thumbnet.recipe.base import Positive, Probability, Range, Spec, check_range

Fill = Literal["constant", "edge", "reflect", "symmetric", "wrap"]
Interpolation = Literal["nearest", "bilinear"]


# -- whole pixels move: exact, nothing is interpolated


class FlipSpec(Spec):
    """Mirror an image with probability `p`."""

    name: Literal["flip"] = "flip"
    axis: Literal["horizontal", "vertical"] = "horizontal"
    p: Probability = 0.5


class AlternateFlipSpec(Spec):
    """Mirror every image in every other epoch, half of the images in the even ones.

    Source: the alternating flip of arXiv:2404.00498, section 3.6
    """

    name: Literal["alternate_flip"] = "alternate_flip"


class PadCropSpec(Spec):
    """Pad by `pad` pixels on every side, then cut a window of the old size at random."""

    name: Literal["pad_crop"] = "pad_crop"
    pad: Annotated[int, Field(ge=1, le=256)] = 4
    fill: Literal["zeros", "reflect"] = "reflect"


class CropAndPadSpec(Spec):
    """Cut a random window of `size` pixels and set it in the middle of a black image."""

    name: Literal["crop_and_pad"] = "crop_and_pad"
    size: Annotated[int, Field(ge=1, le=1024)] = 56


class RandomCropSpec(Spec):
    """Cut a random window of `size` pixels, which is what the network then sees.

    Stands first, and needs `preprocess.crop` of the same size, the window that is judged.
    """

    name: Literal["random_crop"] = "random_crop"
    size: Annotated[int, Field(ge=1, le=1024)] = 60


# -- affine maps of the plane: neighbors become one matrix and are sampled once


class AffineSpec(Spec):
    """Scale, shear, rotate, then translate about the image's center.

    Units: `rotate` and `shear` in degrees, `translate` in fractions of the image's side (positive
    is right and down), `scale` a factor (above 1 enlarges), `fill_value` in levels of 0 to 255.
    `per_axis`: scale differs between x and y. Of several fills and interpolations one is drawn an
    image. `symmetric` repeats the edge pixel, `reflect` does not. A positive angle turns
    clockwise, a positive `shear` leans the top to the right; `shear_y` leans along y.
    """

    name: Literal["affine"] = "affine"
    rotate: Range = (0.0, 0.0)
    scale: Range = (1.0, 1.0)
    per_axis: bool = False
    shear: Range = (0.0, 0.0)
    shear_y: Range = (0.0, 0.0)
    translate_x: Range = (0.0, 0.0)
    translate_y: Range = (0.0, 0.0)
    interpolation: Annotated[tuple[Interpolation, ...], Field(min_length=1)] = ("bilinear",)
    fill: Annotated[tuple[Fill, ...], Field(min_length=1)] = ("constant",)
    fill_value: Range = (0.0, 0.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("rotate", self.rotate, -360, 360)
        check_range("scale", self.scale, 0.05, 20)
        check_range("shear", self.shear, -80, 80)
        check_range("shear_y", self.shear_y, -80, 80)
        check_range("translate_x", self.translate_x, -1, 1)
        check_range("translate_y", self.translate_y, -1, 1)
        check_range("fill_value", self.fill_value, 0, 255)
        return self


class CropPadPercentSpec(Spec):
    """Cut off (below 0) or pad (above 0) a fraction of each side, then scale to the old size.

    The four sides are drawn one by one, as imgaug's CropAndPad does.
    """

    name: Literal["crop_pad_percent"] = "crop_pad_percent"
    percent: Range = (-0.25, 0.25)
    fill: Annotated[tuple[Fill, ...], Field(min_length=1)] = ("constant",)
    fill_value: Range = (0.0, 0.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("percent", self.percent, -0.45, 1)
        check_range("fill_value", self.fill_value, 0, 255)
        return self


# -- affine maps of the color: neighbors become one matrix


class MultiplySpec(Spec):
    """Multiply all levels by a factor; with probability `per_channel` by one a channel."""

    name: Literal["multiply"] = "multiply"
    factor: Range = (0.8, 1.2)
    per_channel: Probability = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("factor", self.factor, 0, 10)
        return self


class ContrastSpec(Spec):
    """Move levels away from (factor above 1) or towards the middle.

    The middle is 128, as imgaug has it; `around: mean` takes the image's mean grey level instead.
    """

    name: Literal["contrast"] = "contrast"
    factor: Range = (0.75, 1.5)
    per_channel: Probability = 0.0
    around: Literal["middle", "mean"] = "middle"

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("factor", self.factor, 0, 10)
        return self


class SaturationSpec(Spec):
    """Blend with the grey image (factor 0) or away from it (factor above 1)."""

    name: Literal["saturation"] = "saturation"
    factor: Range = (0.7, 1.3)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("factor", self.factor, 0, 10)
        return self


class HueSpec(Spec):
    """Turn the hue of HSV by a part of the circle: 0.5 is the opposite color."""

    name: Literal["hue"] = "hue"
    turn: Range = (-0.1, 0.1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("turn", self.turn, -0.5, 0.5)
        return self


# -- the rest: each on its own


class BlurSpec(Spec):
    """Gaussian blur of standard deviation `sigma` pixels, edges mirrored."""

    name: Literal["blur"] = "blur"
    sigma: Range = (0.0, 2.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("sigma", self.sigma, 0, 16)
        return self


class NoiseSpec(Spec):
    """Add Gaussian noise of standard deviation `sd` levels; `per_channel` as in `multiply`."""

    name: Literal["noise"] = "noise"
    sd: Range = (12.75, 12.75)
    per_channel: Probability = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("sd", self.sd, 0, 255)
        return self


class CoarseDropoutSpec(Spec):
    """Blacken cells of a coarse grid, each with the image's own probability.

    `size`: the grid's side as a fraction of the image's, so .05 of 64 pixels are 3 x 3 cells.
    With probability `per_channel` each channel loses its own cells.
    """

    name: Literal["coarse_dropout"] = "coarse_dropout"
    p: Range = (0.0, 0.2)
    size: Range = (0.05, 0.07)
    per_channel: Probability = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("p", self.p, 0, 1)
        check_range("size", self.size, 0.01, 1)
        return self


class EraseSpec(Spec):
    """Fill a rectangle with probability `p`.

    `area` is its part of the image, `aspect` height over width (drawn evenly in the logarithm).
    A square of half the side, cutout's, is area (.25, .25) with aspect (1, 1). `clipped` lets its
    center lie anywhere, so that part of it falls outside.
    Source: arXiv:1708.04896 (random erasing), arXiv:1708.04552 (cutout)
    """

    name: Literal["erase"] = "erase"
    p: Probability = 0.5
    area: Range = (0.02, 0.33)
    aspect: Range = (0.3, 3.3)
    fill: Literal["zeros", "mean", "noise"] = "zeros"
    clipped: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("area", self.area, 0.0001, 1)
        check_range("aspect", self.aspect, 0.05, 20)
        return self


class SharpnessSpec(Spec):
    """Blend with a smoothed image (factor 0) or away from it (factor above 1), as Pillow does."""

    name: Literal["sharpness"] = "sharpness"
    factor: Range = (0.1, 1.9)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("factor", self.factor, 0, 10)
        return self


class PosterizeSpec(Spec):
    """Keep the highest `bits` bits of each level; a drawn number is rounded down."""

    name: Literal["posterize"] = "posterize"
    bits: Range = (4.0, 8.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("bits", self.bits, 1, 8)
        return self


class SolarizeSpec(Spec):
    """Invert the levels from `threshold` on."""

    name: Literal["solarize"] = "solarize"
    threshold: Range = (0.0, 256.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("threshold", self.threshold, 0, 256)
        return self


class AutoContrastSpec(Spec):
    """Stretch each channel to the whole range of levels."""

    name: Literal["autocontrast"] = "autocontrast"


class EqualizeSpec(Spec):
    """Give each channel an even histogram, as Pillow does."""

    name: Literal["equalize"] = "equalize"


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


# -- two images become one: the only augmentation that changes labels too


class MixUpSpec(Spec):
    """Blend with another image of the batch, by a weight from Beta(alpha, alpha).

    Source: arXiv:1710.09412
    """

    name: Literal["mixup"] = "mixup"
    alpha: Positive = 0.2
    share: Positive = 1.0


class CutMixSpec(Spec):
    """Paste a rectangle of another image of the batch, of an area from Beta(alpha, alpha).

    Source: arXiv:1905.04899
    """

    name: Literal["cutmix"] = "cutmix"
    alpha: Positive = 1.0
    share: Positive = 1.0


class NoMixSpec(Spec):
    """Leave the batch as it is: one of several mixes to choose from."""

    name: Literal["none"] = "none"
    share: Positive = 1.0


MixSpec = Annotated[MixUpSpec | CutMixSpec | NoMixSpec, Field(discriminator="name")]
