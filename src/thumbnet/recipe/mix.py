"""Two images become one, as data: the only augmentation that changes labels too."""

from typing import Annotated, Literal

from pydantic import Field

from thumbnet.recipe.base import Positive, Spec


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
