"""Augmentations that move pixels, as data: whole pixels, or by an affine map of the plane."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from thumbnet.recipe.base import Probability, Range, Spec, check_range

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
