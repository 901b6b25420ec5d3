"""Augmentations that move pixels, as data: whole pixels, or by an affine map of the plane."""

from typing import Annotated, Literal

from pydantic import Field

from thumbnet.recipe.base import Probability, Range, Spec, Within

Fill = Literal["constant", "edge", "reflect", "symmetric", "wrap"]
Interpolation = Literal["nearest", "bilinear"]

FILL = (
    "What fills the border; of several, one is drawn an image. `symmetric` repeats the edge "
    "pixel, `reflect` does not."
)
FILL_VALUE = "Range of the value for `fill: constant`, 0 (black) to 255 (white)."


# -- whole pixels move: exact, nothing is interpolated


class FlipSpec(Spec):
    """Mirror an image."""

    name: Literal["flip"] = "flip"
    axis: Literal["horizontal", "vertical"] = Field(
        default="horizontal", description="Left and right change places, or top and bottom."
    )
    p: Probability = Field(default=0.5, description="Probability for each image.")


class AlternateFlipSpec(Spec):
    """Mirror every image in every other epoch, half of the images in the even ones.

    Source: the alternating flip of arXiv:2404.00498, section 3.6
    """

    name: Literal["alternate_flip"] = "alternate_flip"


class PadCropSpec(Spec):
    """Pad on every side, then cut a window of the old size at random."""

    name: Literal["pad_crop"] = "pad_crop"
    pad: int = Field(default=4, ge=1, le=256, description="Pixels of padding on every side.")
    fill: Literal["zeros", "reflect"] = Field(
        default="reflect", description="What fills the padding: black, or the image mirrored."
    )


class CropAndPadSpec(Spec):
    """Cut a random window and set it in the middle of a black image."""

    name: Literal["crop_and_pad"] = "crop_and_pad"
    size: int = Field(default=56, ge=1, le=1024, description="Side of the window, in pixels.")


class RandomCropSpec(Spec):
    """Cut a random window, which is all that the network then sees.

    It stands first in the list, and needs `preprocess.crop` of the same size.
    """

    name: Literal["random_crop"] = "random_crop"
    size: int = Field(default=60, ge=1, le=1024, description="Side of the window, in pixels.")


# -- affine maps of the plane: neighbors become one matrix and are sampled once


class AffineSpec(Spec):
    """Scale, shear, rotate, then translate about the image's center."""

    name: Literal["affine"] = "affine"
    rotate: Annotated[Range, Within(-360, 360)] = Field(
        default=(0.0, 0.0), description="Range of the angle in degrees; positive turns clockwise."
    )
    scale: Annotated[Range, Within(0.05, 20)] = Field(
        default=(1.0, 1.0), description="Range of the factor; above 1 enlarges."
    )
    per_axis: bool = Field(
        default=False, description="Whether x and y are scaled by factors of their own."
    )
    shear: Annotated[Range, Within(-80, 80)] = Field(
        default=(0.0, 0.0),
        description="Range of the shear along x in degrees; positive: top to the right.",
    )
    shear_y: Annotated[Range, Within(-80, 80)] = Field(
        default=(0.0, 0.0), description="Range of the shear along y, in degrees."
    )
    translate_x: Annotated[Range, Within(-1, 1)] = Field(
        default=(0.0, 0.0),
        description="Range of the shift, as a part of the width; positive is right.",
    )
    translate_y: Annotated[Range, Within(-1, 1)] = Field(
        default=(0.0, 0.0),
        description="Range of the shift, as a part of the height; positive is down.",
    )
    interpolation: tuple[Interpolation, ...] = Field(
        default=("bilinear",),
        min_length=1,
        description="How pixels are interpolated; of several, one is drawn an image.",
    )
    fill: tuple[Fill, ...] = Field(default=("constant",), min_length=1, description=FILL)
    fill_value: Annotated[Range, Within(0, 255)] = Field(default=(0.0, 0.0), description=FILL_VALUE)


class CropPadPercentSpec(Spec):
    """Cut off or pad each of the four sides by its own draw, then scale to the old size.

    This is imgaug's CropAndPad.
    """

    name: Literal["crop_pad_percent"] = "crop_pad_percent"
    percent: Annotated[Range, Within(-0.45, 1)] = Field(
        default=(-0.25, 0.25),
        description="Range, as a part of the side; below 0 cuts off, above 0 pads.",
    )
    fill: tuple[Fill, ...] = Field(default=("constant",), min_length=1, description=FILL)
    fill_value: Annotated[Range, Within(0, 255)] = Field(default=(0.0, 0.0), description=FILL_VALUE)
