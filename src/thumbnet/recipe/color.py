"""Augmentations by an affine map of the color, as data: neighbors become one matrix."""

from typing import Literal, Self

from pydantic import model_validator

from thumbnet.recipe.base import Probability, Range, Spec, check_range


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
