"""What a report claims for a recipe, as data."""

from typing import Literal, Self

from pydantic import Field, model_validator

from thumbnet.recipe.base import Positive, Probability, Spec

SPLIT = "Where `top1` was measured: val, or the part of train that the report held out (`watch`)."


class PublishedCurve(Spec):
    """Top-1 that a report gives along the way."""

    source: str = Field(description="The place in the source.")
    split: Literal["val", "watch"] = Field(default="val", description=SPLIT)
    points: tuple[tuple[Positive, Probability], ...] = Field(
        min_length=1, description="Pairs of epochs done and top-1 (a fraction of 1), in order."
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        epochs = [epoch for epoch, _ in self.points]
        if epochs != sorted(set(epochs)):
            raise ValueError(f"the epochs of a curve must rise, not {epochs}")
        return self


class Published(Spec):
    """What a report claims for this recipe; accuracies are fractions of 1."""

    source: str = Field(description="The report, and the place in it.")
    split: Literal["val", "watch"] = Field(default="val", description=SPLIT)
    top1: Probability | None = Field(default=None, description="Top-1 accuracy.")
    claim: str | None = Field(
        default=None, description="The claim in words, where the report gives no top-1."
    )
    top5: Probability | None = Field(default=None, description="Top-5 accuracy.")
    train_top1: Probability | None = Field(
        default=None, description="Top-1 on the training images."
    )
    loss: float | None = Field(default=None, description="Loss on `split`.")
    epochs: float | None = Field(default=None, description="Epochs that the report trained.")
    hours: float | None = Field(default=None, description="Hours that its training took.")
    hardware: str | None = Field(default=None, description="The machine that it trained on.")
    curve: PublishedCurve | None = Field(default=None, description="Top-1 along the way.")
