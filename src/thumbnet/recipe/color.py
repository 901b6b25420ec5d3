"""Augmentations by an affine map of the color, as data: neighbors become one matrix."""

from typing import Annotated, Literal

from pydantic import Field

from thumbnet.recipe.base import Probability, Range, Spec, Within

PER_CHANNEL = "Probability that each color channel gets its own draw, instead of one for all."


class MultiplySpec(Spec):
    """Multiply all pixel values by a factor (brightness)."""

    name: Literal["multiply"] = "multiply"
    factor: Annotated[Range, Within(0, 10)] = Field(
        default=(0.8, 1.2), description="Range of the factor; above 1 is brighter."
    )
    per_channel: Probability = Field(default=0.0, description=PER_CHANNEL)


class ContrastSpec(Spec):
    """Move pixel values away from the middle gray, or towards it."""

    name: Literal["contrast"] = "contrast"
    factor: Annotated[Range, Within(0, 10)] = Field(
        default=(0.75, 1.5),
        description="Range of the factor; above 1 is more contrast, 0 is plain gray.",
    )
    per_channel: Probability = Field(default=0.0, description=PER_CHANNEL)
    around: Literal["middle", "mean"] = Field(
        default="middle",
        description="The middle gray: 128 (as in imgaug), or the mean gray of the image.",
    )


class SaturationSpec(Spec):
    """Make colors weaker or stronger: blend with the gray image, or move away from it."""

    name: Literal["saturation"] = "saturation"
    factor: Annotated[Range, Within(0, 10)] = Field(
        default=(0.7, 1.3),
        description="Range of the factor; 0 is gray, 1 no change, above 1 stronger.",
    )


class HueSpec(Spec):
    """Turn the hue of all colors around the color circle."""

    name: Literal["hue"] = "hue"
    turn: Annotated[Range, Within(-0.5, 0.5)] = Field(
        default=(-0.1, 0.1),
        description="Range of the turn as a part of the circle; 0.5 is the opposite.",
    )
