"""A whole training run as data: network, input, phases, data, and the claim it stands for."""

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from thumbnet.recipe.augment import AugmentSpec
from thumbnet.recipe.base import BatchSize, Epochs, Fraction, ImageSize, Positive, Probability, Spec
from thumbnet.recipe.mix import MixSpec
from thumbnet.recipe.optim import ConstantSpec, CyclicSpec, OptimizerSpec, ScheduleSpec, SgdSpec

ProtocolName = Literal["official", "holdout", "columbia2020", "vonmartens2019"]
Precision = Literal["auto", "fp32", "bf16"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
StepKind = Literal["auto", "eager", "graph", "compiled"]
Normalize = Literal["channel", "overall", "mean_image"]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class ModelSpec(Spec):
    """A registered network and the arguments of its builder.

    `pretrained`: start from the public weights torchvision trained on ImageNet.
    """

    name: str
    args: dict[str, bool | int | float | str] = Field(default={})
    pretrained: bool = False


class MeanStd(Spec):
    """Given normalization constants, one a channel, in units of [0, 1]."""

    mean: tuple[float, ...] = Field(min_length=1, max_length=3)
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1, max_length=3)


class PreprocessSpec(Spec):
    """How packed pixels become the network's input.

    `normalize`: `channel` takes the train split's mean and std of each channel, `overall` those
    of all channels together, `mean_image` subtracts the mean of each pixel and divides by 255,
    else the constants given. `image_size` is the one of judging; `crop` the side of its central
    window that the network sees, where that is not all.
    """

    image_size: ImageSize = 64
    color: Literal["rgb", "grey"] = "rgb"
    normalize: Normalize | MeanStd = "channel"
    crop: ImageSize | None = None

    @model_validator(mode="after")
    def _check_crop(self) -> Self:
        if self.crop is not None and self.crop > self.image_size:
            raise ValueError(f"crop={self.crop} must not be over image_size={self.image_size}")
        return self

    @property
    def input_size(self) -> int:
        """Side of what the network sees when judged, in px."""
        return self.crop or self.image_size


class PhaseSpec(Spec):
    """A part of a run; what is None comes from `training`, or is the recipe's own optimizer.

    `steps_per_epoch`: an epoch ends after so many steps, where a pass has more of them.
    `start_from`: `best` begins with the best weights so far and a fresh optimizer. A phase with
    an optimizer of its own begins with a fresh one too. `freeze`: parts of the network, by their
    names, whose weights rest while the phase lasts; their batch norm still follows the images
    (arXiv:1706.04983).
    """

    epochs: Epochs
    steps_per_epoch: Annotated[int, Field(ge=1)] | None = None
    image_size: ImageSize | None = None
    batch_size: BatchSize | None = None
    schedule: ScheduleSpec | None = None
    optimizer: OptimizerSpec | None = None
    augment: tuple[AugmentSpec, ...] | None = None
    mix: tuple[MixSpec, ...] | None = None
    label_smoothing: Fraction | None = None
    start_from: Literal["last", "best"] = "last"
    freeze: tuple[str, ...] = ()


class TrainingSpec(Spec):
    """What holds for the whole run unless a phase says otherwise.

    The schedule spans all phases that bring none of their own. `early_stop` is the number of
    epochs without a better watched top-1 after which a run ends. `drop_last` leaves out an
    epoch's last batch where it is not full. Of several mixes each batch gets one, drawn by their
    shares. `augment_seed` gives augmentation draws of their own, whatever `seed` is. `snapshots`
    keeps the weights at the end of each phase, or of each cycle of a cyclic schedule, for
    `thumbnet ensemble --snapshots`. `watched_images`: an epoch is judged on so many of the watched
    images, evenly spread over the classes, instead of on all. `step`: forward and backward run as
    they are, as a captured CUDA graph, or compiled by PyTorch for each shape of batch; `auto`
    measures the first two.
    """

    batch_size: BatchSize = 128
    schedule: ScheduleSpec = ConstantSpec(lr=0.01)
    augment: tuple[AugmentSpec, ...] = ()
    mix: tuple[MixSpec, ...] = ()
    label_smoothing: Fraction = 0.0
    ema_decay: Fraction | None = None
    early_stop: Annotated[int, Field(ge=1)] | None = None
    drop_last: bool = False
    seed: Seed = 0
    augment_seed: Seed | None = None
    time_budget_s: Positive | None = None
    precision: Precision = "auto"
    memory_format: MemoryFormat = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    step: StepKind = "auto"
    snapshots: Literal["phase", "cycle"] | None = None
    watched_images: Annotated[int, Field(ge=1)] | None = None


class DataSpec(Spec):
    """Which images are fitted, watched and reported; the rest is filled in from the data set."""

    protocol: ProtocolName = "holdout"
    num_classes: Annotated[int, Field(ge=1)] | None = None
    fingerprint: str | None = None
    path: str | None = None


class QuirkSpec(Spec):
    """Slips of a report's own code that its figures came from.

    `frozen_after_epoch`: from the second epoch on batch norm keeps its statistics and dropout is
    off. `num_outputs`: the head keeps this many outputs, more than there are classes.
    """

    frozen_after_epoch: Annotated[int, Field(ge=1)] | None = None
    num_outputs: Annotated[int, Field(ge=1)] | None = None


class EnsembleSpec(Spec):
    """Trained networks judged together, by the mean of their logits or of their probs.

    `members`: names of recipes; one named several times stands for as many runs of it, with
    seeds that count up from its own.
    """

    members: tuple[str, ...] = Field(min_length=2)
    combine: Literal["logits", "probs"] = "logits"


class PublishedCurve(Spec):
    """Top-1 that a report gives on its way: (epochs done, fraction of 1), in order.

    `split` as in `Published`; the epochs are those of the recipe.
    """

    source: str
    split: Literal["val", "watch"] = "val"
    points: tuple[tuple[Positive, Probability], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        epochs = [epoch for epoch, _ in self.points]
        if epochs != sorted(set(epochs)):
            raise ValueError(f"the epochs of a curve must rise, not {epochs}")
        return self


class Published(Spec):
    """What a report claims for its row; accuracies are fractions of 1.

    `split`: where `top1` was measured; `watch` is the part of train that the report held out.
    `top1` is None where the report puts its claim in words: `claim`.
    """

    source: str
    split: Literal["val", "watch"] = "val"
    top1: Probability | None = None
    claim: str | None = None
    top5: Probability | None = None
    train_top1: Probability | None = None
    loss: float | None = None
    epochs: float | None = None
    hours: float | None = None
    hardware: str | None = None
    curve: PublishedCurve | None = None


class RecipeSpec(Spec):
    """One training run: network, input, optimizer, phases, data, and the claim it stands for.

    With an `ensemble` it is no run of its own: the rest is that of its members.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)?$")
    summary: str = ""
    model: ModelSpec
    preprocess: PreprocessSpec = PreprocessSpec()
    optimizer: OptimizerSpec = SgdSpec()
    training: TrainingSpec = TrainingSpec()
    phases: tuple[PhaseSpec, ...] = Field(min_length=1)
    data: DataSpec = DataSpec()
    quirks: QuirkSpec = QuirkSpec()
    ensemble: EnsembleSpec | None = None
    published: Published | None = None
    tolerance: Probability | None = None
    deviations: tuple[str, ...] = ()

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
        for young in ("snapshots", "watched_images", "step"):
            if data["training"][young] == TrainingSpec.model_fields[young].default:
                del data["training"][young]
        for phase in data["phases"]:
            if not phase["freeze"]:
                del phase["freeze"]
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
