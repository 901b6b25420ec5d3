"""How a recipe trains, as data: its phases, and what holds for all of them."""

from typing import Annotated, Literal

from pydantic import Field

from thumbnet.recipe.augment import AugmentSpec
from thumbnet.recipe.base import BatchSize, Epochs, Fraction, ImageSize, Positive, Spec
from thumbnet.recipe.mix import MixSpec
from thumbnet.recipe.optim import ConstantSpec, OptimizerSpec, ScheduleSpec

Precision = Literal["auto", "fp32", "bf16"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
Balance = Literal["none", "loss", "sampler"]
StepKind = Literal["auto", "eager", "graph", "compiled"]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class PhaseSpec(Spec):
    """A part of the training; a key without a value takes that of `training` or `optimizer`."""

    epochs: Epochs = Field(description="Passes over the training images in this phase.")
    steps_per_epoch: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="End each epoch after so many steps."
    )
    image_size: ImageSize | None = Field(
        default=None, description="Side of the images in this phase, in pixels."
    )
    batch_size: BatchSize | None = Field(default=None, description="Images a step in this phase.")
    schedule: ScheduleSpec | None = Field(
        default=None,
        description="Learning rate of this phase alone; null: the schedule of `training`.",
    )
    optimizer: OptimizerSpec | None = Field(
        default=None, description="Optimizer of this phase, which starts fresh."
    )
    augment: tuple[AugmentSpec, ...] | None = Field(
        default=None, description="Augmentations in this phase; [] is no augmentation."
    )
    mix: tuple[MixSpec, ...] | None = Field(
        default=None, description="Mixes of two images in this phase; [] is no mix."
    )
    label_smoothing: Fraction | None = Field(
        default=None, description="Part of each label that is spread over all classes."
    )
    start_from: Literal["last", "best"] = Field(
        default="last",
        description="Weights to start from; `best` takes the best so far and a fresh optimizer.",
    )
    # Batch norm of a frozen part still follows the images: arXiv:1706.04983.
    freeze: tuple[str, ...] = Field(
        default=(),
        description="Names of parts of the network whose weights do not change in this phase.",
    )


class TrainingSpec(Spec):
    """Keys that hold for the whole run unless a phase has its own."""

    batch_size: BatchSize = Field(default=128, description="Images a step.")
    schedule: ScheduleSpec = Field(
        default=ConstantSpec(lr=0.01),
        description="Learning rate over all phases that have no schedule of their own.",
    )
    augment: tuple[AugmentSpec, ...] = Field(
        default=(), description="Augmentations of the training images, done in this order."
    )
    mix: tuple[MixSpec, ...] = Field(
        default=(),
        description="Mixes of two images; each batch gets one of them, drawn by its share.",
    )
    label_smoothing: Fraction = Field(
        default=0.0, description="Part of each label that is spread over all classes."
    )
    ema_decay: Fraction | None = Field(
        default=None,
        description="Also keep a moving average of the weights with this decay, and use it.",
    )
    early_stop: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="End after so many epochs without a better holdout top-1."
    )
    drop_last: bool = Field(
        default=False, description="Whether an epoch's last batch is left out where it is not full."
    )
    seed: Seed = Field(default=0, description="Seed of everything that is drawn at random.")
    augment_seed: Seed | None = Field(
        default=None, description="Seed of the augmentations alone; null: they follow `seed`."
    )
    time_budget_s: Positive | None = Field(
        default=None, description="Seconds to plan for; the run ends when they are used up."
    )
    precision: Precision = Field(
        default="auto", description="Number format of forward and backward; `auto` measures."
    )
    memory_format: MemoryFormat = Field(
        default="auto", description="Order of pixels in memory; `auto` measures."
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        default=None, description="CPU threads; null: measured."
    )
    step: StepKind = Field(
        default="auto",
        description="How a step runs: plainly, as a captured CUDA graph, or compiled by PyTorch "
        "for each shape of batch; `auto` measures the first two.",
    )
    snapshots: Literal["phase", "cycle"] | None = Field(
        default=None,
        description="Keep the weights at the end of each phase, or of each cycle of a cyclic "
        "schedule, for `thumbnet ensemble --snapshots`.",
    )
    watched_images: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Evaluate each epoch on so many of the holdout images, evenly from all "
        "classes; null: on all of them.",
    )
    balance: Balance = Field(
        default="none",
        description="Let classes of different sizes count alike: `loss` weighs images by the "
        "inverse of their class's count, `sampler` shows every class equally often.",
    )
