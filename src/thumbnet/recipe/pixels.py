"""Augmentations that change levels each in their own way, as data."""

from typing import Literal, Self

from pydantic import model_validator

from thumbnet.recipe.base import Probability, Range, Spec, check_range


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
