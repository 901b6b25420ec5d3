"""Augmentations that change pixel values each in their own way, as data."""

from typing import Annotated, Literal

from pydantic import Field

from thumbnet.recipe.base import Probability, Range, Spec, Within
from thumbnet.recipe.color import PER_CHANNEL


class BlurSpec(Spec):
    """Blur by a Gaussian; edges are mirrored."""

    name: Literal["blur"] = "blur"
    sigma: Annotated[Range, Within(0, 16)] = Field(
        default=(0.0, 2.0), description="Range of the Gaussian's standard deviation, in pixels."
    )


class NoiseSpec(Spec):
    """Add Gaussian noise."""

    name: Literal["noise"] = "noise"
    sd: Annotated[Range, Within(0, 255)] = Field(
        default=(12.75, 12.75),
        description="Range of the standard deviation, of pixel values 0 to 255.",
    )
    per_channel: Probability = Field(default=0.0, description=PER_CHANNEL)


class CoarseDropoutSpec(Spec):
    """Blacken cells of a coarse grid, drawn at random."""

    name: Literal["coarse_dropout"] = "coarse_dropout"
    p: Annotated[Range, Within(0, 1)] = Field(
        default=(0.0, 0.2), description="Range of the image's probability that a cell is blackened."
    )
    size: Annotated[Range, Within(0.01, 1)] = Field(
        default=(0.05, 0.07),
        description="Range of the grid's side as a part of the image's: .05 of 64 px is 3 cells.",
    )
    per_channel: Probability = Field(
        default=0.0, description="Probability that each color channel loses its own cells."
    )


class EraseSpec(Spec):
    """Fill a random rectangle (random erasing, cutout).

    Cutout's square of half the side is area [.25, .25] with aspect [1, 1], clipped.
    Source: arXiv:1708.04896 (random erasing), arXiv:1708.04552 (cutout)
    """

    name: Literal["erase"] = "erase"
    p: Probability = Field(default=0.5, description="Probability for each image.")
    area: Annotated[Range, Within(0.0001, 1)] = Field(
        default=(0.02, 0.33), description="Range of the rectangle's area as a part of the image's."
    )
    aspect: Annotated[Range, Within(0.05, 20)] = Field(
        default=(0.3, 3.3), description="Range of height divided by width, even in the logarithm."
    )
    fill: Literal["zeros", "mean", "noise"] = Field(
        default="zeros",
        description="What fills it: black, the mean color of the image, or random values.",
    )
    clipped: bool = Field(
        default=False, description="Whether the rectangle may lie partly outside of the image."
    )


class SharpnessSpec(Spec):
    """Smooth or sharpen, as Pillow does."""

    name: Literal["sharpness"] = "sharpness"
    factor: Annotated[Range, Within(0, 10)] = Field(
        default=(0.1, 1.9),
        description="Range of the factor; 0 is smooth, 1 no change, above 1 sharper.",
    )


class PosterizeSpec(Spec):
    """Keep only the highest bits of each pixel value."""

    name: Literal["posterize"] = "posterize"
    bits: Annotated[Range, Within(1, 8)] = Field(
        default=(4.0, 8.0),
        description="Range of the number of bits; what is drawn is rounded down.",
    )


class SolarizeSpec(Spec):
    """Invert the pixel values from a threshold on."""

    name: Literal["solarize"] = "solarize"
    threshold: Annotated[Range, Within(0, 256)] = Field(
        default=(0.0, 256.0), description="Range of the threshold, of pixel values 0 to 255."
    )


class AutoContrastSpec(Spec):
    """Stretch each color channel to all values from 0 to 255."""

    name: Literal["autocontrast"] = "autocontrast"


class EqualizeSpec(Spec):
    """Give each color channel an even histogram, as Pillow does."""

    name: Literal["equalize"] = "equalize"
