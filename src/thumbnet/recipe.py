"""Recipes: one training run as frozen data in which an unknown key is an error."""

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

ProtocolName = Literal["official", "holdout", "columbia2020", "vonmartens2019"]
Precision = Literal["auto", "fp32", "bf16"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
ImageSize = Annotated[int, Field(ge=8, le=1024)]
BatchSize = Annotated[int, Field(ge=1, le=65536)]
Epochs = Annotated[float, Field(gt=0, le=100_000)]


class Spec(BaseModel):
    """Data of a recipe: frozen, and a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSpec(Spec):
    """A registered network and the arguments of its builder."""

    name: str
    args: dict[str, bool | int | float | str] = {}


class MeanStd(Spec):
    """Given normalization constants, one a channel, in units of [0, 1]."""

    mean: tuple[float, ...] = Field(min_length=1, max_length=3)
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1, max_length=3)


class PreprocessSpec(Spec):
    """How packed pixels become the network's input.

    `normalize`: `channel` takes the train split's mean and std of each channel, `overall` those
    of all channels together, else the constants given. `image_size` is the one of judging.
    """

    image_size: ImageSize = 64
    color: Literal["rgb", "grey"] = "rgb"
    normalize: Literal["channel", "overall"] | MeanStd = "channel"


class OptimizerSpec(Spec):
    """Stochastic gradient descent; `weight_decay` is PyTorch's (half the L2 factor of Keras)."""

    name: Literal["sgd"] = "sgd"
    momentum: Fraction = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    decay_norm_and_bias: bool = True
    clip_norm: Annotated[float, Field(gt=0)] | None = None


class ConstantSpec(Spec):
    """The same learning rate at every step."""

    name: Literal["constant"] = "constant"
    lr: LearningRate


class TriangularSpec(Spec):
    """Up in a line over the first `warmup` of the steps, then down in a line to `final * lr`."""

    name: Literal["triangular"] = "triangular"
    lr: LearningRate
    warmup: Fraction = 0.15
    final: Probability = 0.0


class CosineSpec(Spec):
    """Up in a line over the first `warmup` of the steps, then down half a cosine."""

    name: Literal["cosine"] = "cosine"
    lr: LearningRate
    warmup: Fraction = 0.0
    final: Probability = 0.0


ScheduleSpec = Annotated[ConstantSpec | TriangularSpec | CosineSpec, Field(discriminator="name")]


class FlipSpec(Spec):
    """Mirror an image with probability `p`."""

    name: Literal["flip"] = "flip"
    axis: Literal["horizontal", "vertical"] = "horizontal"
    p: Probability = 0.5


class PadCropSpec(Spec):
    """Pad by `pad` pixels on every side, then cut a window of the old size at random."""

    name: Literal["pad_crop"] = "pad_crop"
    pad: Annotated[int, Field(ge=1, le=256)] = 4
    fill: Literal["zeros", "reflect"] = "reflect"


class CropAndPadSpec(Spec):
    """Cut a random window of `size` pixels and set it in the middle of a black image."""

    name: Literal["crop_and_pad"] = "crop_and_pad"
    size: Annotated[int, Field(ge=1, le=1024)] = 56


AugmentSpec = Annotated[FlipSpec | PadCropSpec | CropAndPadSpec, Field(discriminator="name")]


class PhaseSpec(Spec):
    """A part of a run; what is None comes from `training`."""

    epochs: Epochs
    image_size: ImageSize | None = None
    batch_size: BatchSize | None = None
    schedule: ScheduleSpec | None = None
    augment: tuple[AugmentSpec, ...] | None = None


class TrainingSpec(Spec):
    """What holds for the whole run unless a phase says otherwise.

    The schedule spans all phases that bring none of their own. `early_stop` is the number of
    epochs without a better watched top-1 after which a run ends. `drop_last` leaves out an
    epoch's last batch where it is not full.
    """

    batch_size: BatchSize = 128
    schedule: ScheduleSpec = ConstantSpec(lr=0.01)
    augment: tuple[AugmentSpec, ...] = ()
    label_smoothing: Fraction = 0.0
    ema_decay: Fraction | None = None
    early_stop: Annotated[int, Field(ge=1)] | None = None
    drop_last: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    time_budget_s: Annotated[float, Field(gt=0)] | None = None
    precision: Precision = "auto"
    memory_format: MemoryFormat = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None


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


class Published(Spec):
    """What a report claims for its row; accuracies are fractions of 1."""

    source: str
    top1: Probability
    top5: Probability | None = None
    train_top1: Probability | None = None
    loss: float | None = None
    epochs: float | None = None
    hours: float | None = None
    hardware: str | None = None


class RecipeSpec(Spec):
    """One training run: network, input, optimizer, phases, data, and the claim it stands for."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)?$")
    summary: str = ""
    model: ModelSpec
    preprocess: PreprocessSpec = PreprocessSpec()
    optimizer: OptimizerSpec = OptimizerSpec()
    training: TrainingSpec = TrainingSpec()
    phases: tuple[PhaseSpec, ...] = Field(min_length=1)
    data: DataSpec = DataSpec()
    quirks: QuirkSpec = QuirkSpec()
    published: Published | None = None
    tolerance: Probability | None = None
    deviations: tuple[str, ...] = ()

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

    @property
    def num_epochs(self) -> float:
        """Passes over the fitted images in all phases together."""
        return sum(phase.epochs for phase in self.phases)

    def scaled(self, factor: float) -> "RecipeSpec":
        """Return the same recipe with every phase `factor` times as long."""
        phases = tuple(p.model_copy(update={"epochs": p.epochs * factor}) for p in self.phases)
        return self.model_copy(update={"phases": phases})

    def sha256(self) -> str:
        """Return the digest of the recipe's canonical JSON, wherever its data lies."""
        data = self.model_dump(mode="json", exclude={"data": {"path"}})
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
