"""A whole training run as data: network, input, phases, data, and the claim it stands for."""

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from thumbnet.recipe.base import ImageSize, Probability, Spec
from thumbnet.recipe.optim import CyclicSpec, OptimizerSpec, SgdSpec
from thumbnet.recipe.published import Published
from thumbnet.recipe.training import PhaseSpec, TrainingSpec

ProtocolName = Literal["official", "holdout", "columbia2020", "vonmartens2019"]
Normalize = Literal["channel", "overall", "mean_image"]


class ModelSpec(Spec):
    """The network."""

    name: str = Field(description="A network of `thumbnet model list`.")
    args: dict[str, bool | int | float | str] = Field(
        default={}, description="Arguments of the network, which `thumbnet model show NAME` lists."
    )
    pretrained: bool = Field(
        default=False,
        description="Whether to start from torchvision's public weights, from ImageNet.",
    )


class MeanStd(Spec):
    """Constants to normalize by, one for each color channel or one for all."""

    mean: tuple[float, ...] = Field(
        min_length=1, max_length=3, description="What is subtracted from pixel values of 0 to 1."
    )
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        min_length=1, max_length=3, description="What the difference is divided by."
    )


class PreprocessSpec(Spec):
    """How images become the network's input."""

    image_size: ImageSize = Field(
        default=64, description="Side of the images that are evaluated, in pixels."
    )
    color: Literal["rgb", "grey"] = Field(
        default="rgb", description="Three color channels, or one."
    )
    normalize: Normalize | MeanStd = Field(
        default="channel",
        description="Normalize by mean and standard deviation of each color channel, or of all "
        "together (`overall`); subtract the mean image and divide by 255 (`mean_image`); or "
        "give constants: {mean: [...], std: [...]}.",
    )
    crop: ImageSize | None = Field(
        default=None,
        description="Side of the central window that the network sees; null: all of it.",
    )
    untrained_size: bool = Field(
        default=False,
        description="Allow `image_size` to be a size that no phase trains at.",
    )

    @model_validator(mode="after")
    def _check_crop(self) -> Self:
        if self.crop is not None and self.crop > self.image_size:
            raise ValueError(f"crop={self.crop} must not be above image_size={self.image_size}")
        return self

    @property
    def input_size(self) -> int:
        """Side of what the network sees when evaluated, in px."""
        return self.crop or self.image_size


class DataSpec(Spec):
    """Which images are trained on and evaluated; the rest is filled in from the data set."""

    protocol: ProtocolName = Field(
        default="holdout",
        description="Which images train, choose the best epoch, and are reported: `holdout` "
        "keeps val for the report; `official` chooses on val; the others are those of reports.",
    )
    num_classes: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Number of classes; filled in."
    )
    fingerprint: str | None = Field(default=None, description="Checksum of the data; filled in.")
    path: str | None = Field(default=None, description="Where the data is; filled in.")


class QuirkSpec(Spec):
    """Mistakes in a report's own code that its figures came from."""

    frozen_after_epoch: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="After this epoch batch norm keeps its statistics and dropout is off.",
    )
    num_outputs: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Outputs of the network, more than there are classes."
    )


class EnsembleSpec(Spec):
    """Trained networks that are evaluated together."""

    members: tuple[str, ...] = Field(
        min_length=2,
        description="Names of recipes; one named several times is trained with as many seeds.",
    )
    combine: Literal["logits", "probs"] = Field(
        default="logits", description="What is averaged: logits or probabilities."
    )


class RecipeSpec(Spec):
    """One training run: network, input, optimizer, phases, data, and the claim it stands for.

    With an `ensemble` it is no run of its own: the rest is that of its members.
    """

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)?$",
        description="Name of the recipe: letters, digits and . _ + - with at most one /.",
    )
    summary: str = Field(default="", description="The recipe in one line.")
    model: ModelSpec = Field(description="The network.")
    preprocess: PreprocessSpec = Field(
        default=PreprocessSpec(), description="How images become the network's input."
    )
    optimizer: OptimizerSpec = Field(default=SgdSpec(), description="The optimizer.")
    training: TrainingSpec = Field(
        default=TrainingSpec(),
        description="Keys that hold for the whole run unless a phase has its own.",
    )
    phases: tuple[PhaseSpec, ...] = Field(
        min_length=1, description="The parts of the training, one after the other."
    )
    data: DataSpec = Field(
        default=DataSpec(), description="Which images are trained on and evaluated."
    )
    quirks: QuirkSpec = Field(
        default=QuirkSpec(),
        description="Mistakes in a report's own code that its figures came from.",
    )
    ensemble: EnsembleSpec | None = Field(
        default=None, description="Trained networks that are evaluated together."
    )
    published: Published | None = Field(
        default=None, description="What a report claims for this recipe."
    )
    tolerance: Probability | None = Field(
        default=None,
        description="Greatest difference from the published top-1 that counts as the same.",
    )
    deviations: tuple[str, ...] = Field(
        default=(), description="Where the recipe departs from the report."
    )

    @model_validator(mode="after")
    def _check_claim(self) -> Self:
        claimed = self.published
        if claimed is not None and claimed.top1 is None and claimed.claim is None:
            raise ValueError("published takes top1, or claim where the report gives no figure")
        return self

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        given = self.preprocess.normalize
        wanted = 1 if self.preprocess.color == "grey" else 3
        if isinstance(given, MeanStd) and {len(given.mean), len(given.std)} - {1, wanted}:
            raise ValueError(
                f"preprocess.normalize has {len(given.mean)} means and {len(given.std)} stds; "
                f"a {self.preprocess.color} input takes 1 or {wanted}"
            )
        return self

    @model_validator(mode="after")
    def _check_snapshots(self) -> Self:
        schedules = [phase.schedule or self.training.schedule for phase in self.phases]
        if self.training.snapshots == "cycle" and not any(
            isinstance(one, CyclicSpec) for one in schedules
        ):
            raise ValueError(
                "training.snapshots=cycle takes a cyclic schedule; without one there are phases"
            )
        return self

    @property
    def num_epochs(self) -> float:
        """Passes over the fitted images in all phases together."""
        return sum(phase.epochs for phase in self.phases)

    def scaled(self, factor: float) -> "RecipeSpec":
        """Return the same recipe with every phase `factor` times as long."""
        phases = tuple(p.model_copy(update={"epochs": p.epochs * factor}) for p in self.phases)
        return self.model_copy(update={"phases": phases})

    def sha256(self) -> str:
        """Return the digest of the recipe's canonical JSON, wherever its data lies.

        A published curve plays no part, nor do keys younger than the first runs where they are not
        given, so that runs begun before go on.
        """
        data = self.model_dump(mode="json", exclude={"data": {"path"}, "published": {"curve"}})
        if not data["preprocess"]["untrained_size"]:
            del data["preprocess"]["untrained_size"]
        for young in ("snapshots", "watched_images", "step", "balance"):
            if data["training"][young] == TrainingSpec.model_fields[young].default:
                del data["training"][young]
        for phase in data["phases"]:
            if not phase["freeze"]:
                del phase["freeze"]
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
