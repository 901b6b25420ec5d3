"""Two images become one, as data: the only augmentation that changes labels too."""

from typing import Annotated, Literal

from pydantic import Field

from thumbnet.recipe.base import Positive, Spec

SHARE = "How often it is drawn, relative to the shares of the other mixes in the list."


class MixUpSpec(Spec):
    """Blend each image, and its label, with another image of the batch.

    Source: arXiv:1710.09412
    """

    name: Literal["mixup"] = "mixup"
    alpha: Positive = Field(
        default=0.2,
        description="The weight is drawn from Beta(alpha, alpha); larger mixes more evenly.",
    )
    share: Positive = Field(default=1.0, description=SHARE)


class CutMixSpec(Spec):
    """Paste a rectangle of another image of the batch into each image, and mix the labels.

    Source: arXiv:1905.04899
    """

    name: Literal["cutmix"] = "cutmix"
    alpha: Positive = Field(
        default=1.0, description="The rectangle's area is drawn from Beta(alpha, alpha)."
    )
    share: Positive = Field(default=1.0, description=SHARE)


class NoMixSpec(Spec):
    """Leave the batch as it is: one of several mixes to draw from."""

    name: Literal["none"] = "none"
    share: Positive = Field(default=1.0, description=SHARE)


MixSpec = Annotated[MixUpSpec | CutMixSpec | NoMixSpec, Field(discriminator="name")]
