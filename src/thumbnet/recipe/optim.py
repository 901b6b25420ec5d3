"""Optimizers and learning-rate schedules as data."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from thumbnet.recipe.base import Fraction, LearningRate, Positive, Probability, Spec

# -- optimizers

DECAY = (
    "How weights decay: `l2` adds weight_decay * w to the gradient (as in PyTorch; twice the "
    "factor of Keras), `decoupled` shrinks weights by lr * weight_decay beside the step."
)
MOMENTUM = "Share of the previous step that is added to the next."
EPS = "Small number added to the divisor, against division by zero."
INITIAL = "First value of the running squares: 0 in Keras and PyTorch, 1 in old TensorFlow."
FINAL = "Last learning rate, as a part of `lr`."
LR = "Highest learning rate."
WARMUP = "Part of all steps in which the learning rate rises to `lr`."


class BaseOptimizerSpec(Spec):
    """Keys of every optimizer."""

    weight_decay: float = Field(default=0.0, ge=0, le=1, description="Strength of weight decay.")
    decay: Literal["l2", "decoupled"] = Field(default="l2", description=DECAY)
    decay_on: Literal["all", "weights", "convolutions"] = Field(
        default="all",
        description="What decays: all parameters, all but norms and biases, or convolutions only.",
    )
    norm_bias_lr: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="Learning rate of norms and biases, as a multiple of the schedule's.",
    )
    clip_norm: Positive | None = Field(
        default=None,
        description="Greatest norm of all gradients together; larger ones are scaled down.",
    )


class SgdSpec(BaseOptimizerSpec):
    """Stochastic gradient descent, plain or with momentum."""

    name: Literal["sgd"] = "sgd"
    momentum: Fraction = Field(default=0.9, description=MOMENTUM)
    nesterov: bool = Field(default=False, description="Whether momentum is Nesterov's.")


class AdaGradSpec(BaseOptimizerSpec):
    """AdaGrad."""

    name: Literal["adagrad"] = "adagrad"
    eps: Positive = Field(default=1e-8, description=EPS)
    initial: float = Field(
        default=0.0, ge=0, description="First value of the sums of squares; 0 in Caffe."
    )


class RmsPropSpec(BaseOptimizerSpec):
    """RMSprop."""

    name: Literal["rmsprop"] = "rmsprop"
    rho: Fraction = Field(
        default=0.9, description="Decay of the running mean of squares; 0.9 in Keras and TFLearn."
    )
    eps: Positive = Field(default=1e-8, description=EPS)
    momentum: Fraction = Field(default=0.0, description=MOMENTUM)
    initial: float = Field(default=0.0, ge=0, description=INITIAL)


class BaseAdamSpec(BaseOptimizerSpec):
    """Keys of Adam and AdamW."""

    beta1: Fraction = Field(default=0.9, description="Decay of the running mean of gradients.")
    beta2: Fraction = Field(
        default=0.999, description="Decay of the running mean of their squares."
    )
    eps: Positive = Field(default=1e-8, description=EPS)


class AdamSpec(BaseAdamSpec):
    """Adam.

    Source: arXiv:1412.6980
    """

    name: Literal["adam"] = "adam"


class AdamWSpec(BaseAdamSpec):
    """Adam with decoupled weight decay.

    Source: arXiv:1711.05101
    """

    name: Literal["adamw"] = "adamw"
    decay: Literal["l2", "decoupled"] = Field(default="decoupled", description=DECAY)
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="Strength of weight decay.")


class MuonSpec(BaseOptimizerSpec):
    """Muon, orthogonalized momentum, for hidden weights; Nesterov SGD for head, norms and biases.

    A kernel counts as a matrix of `out_channels` rows.
    Source: github.com/KellerJordan/Muon; arXiv:2502.16982
    """

    name: Literal["muon"] = "muon"
    momentum: Fraction = Field(default=0.95, description=MOMENTUM)
    num_iterations: int = Field(
        default=5, ge=1, le=10, description="Iterations that orthogonalize each step."
    )
    other_lr: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="Learning rate of head, norms and biases, as a multiple of the schedule's.",
    )
    decay: Literal["l2", "decoupled"] = Field(default="decoupled", description=DECAY)


OptimizerSpec = Annotated[
    SgdSpec | AdaGradSpec | RmsPropSpec | AdamSpec | AdamWSpec | MuonSpec,
    Field(discriminator="name"),
]


# -- schedules


class BaseScheduleSpec(Spec):
    """Keys of every schedule."""

    lr: LearningRate = Field(description=LR)
    warmup: Fraction = Field(default=0.0, description=WARMUP)


class ConstantSpec(BaseScheduleSpec):
    """The same learning rate at every step."""

    name: Literal["constant"] = "constant"


class TriangularSpec(BaseScheduleSpec):
    """Up in a straight line during the warm-up, then down in a straight line."""

    name: Literal["triangular"] = "triangular"
    warmup: Fraction = Field(default=0.15, description=WARMUP)
    final: Probability = Field(default=0.0, description=FINAL)


class CosineSpec(BaseScheduleSpec):
    """Up in a straight line during the warm-up, then down along half a cosine."""

    name: Literal["cosine"] = "cosine"
    final: Probability = Field(default=0.0, description=FINAL)


class OneCycleSpec(BaseScheduleSpec):
    """Up along half a cosine during the warm-up, then down along another.

    Source: arXiv:1708.07120, as in PyTorch's OneCycleLR
    """

    name: Literal["one_cycle"] = "one_cycle"
    warmup: Fraction = Field(default=0.3, description=WARMUP)
    initial: Probability = Field(
        default=0.04, description="First learning rate, as a part of `lr`."
    )
    final: Probability = Field(default=4e-6, description=FINAL)


class StepSpec(BaseScheduleSpec):
    """Multiply the learning rate by a factor every so many steps or epochs."""

    name: Literal["step"] = "step"
    factor: float = Field(default=0.1, gt=0, le=1, description="Factor of the learning rate.")
    every_steps: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Steps between two changes; give this or `every_epochs`."
    )
    every_epochs: Positive | None = Field(
        default=None, description="Epochs between two changes; give this or `every_steps`."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.every_steps is None) == (self.every_epochs is None):
            raise ValueError("give either every_steps or every_epochs")
        return self


class ExponentialSpec(BaseScheduleSpec):
    """Multiply the learning rate by a factor an epoch, a little at every step."""

    name: Literal["exponential"] = "exponential"
    factor: float = Field(
        default=0.95, gt=0, le=1, description="Factor of the learning rate an epoch."
    )


class CyclicSpec(BaseScheduleSpec):
    """Up and down in straight lines between two learning rates.

    Source: arXiv:1506.01186
    """

    name: Literal["cyclic"] = "cyclic"
    base_lr: LearningRate = Field(description="Lowest learning rate.")
    half_steps: int = Field(ge=1, description="Steps up, and as many down.")
    mode: Literal["triangular", "triangular2"] = Field(
        default="triangular", description="`triangular2` halves the height after every cycle."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base_lr > self.lr:
            raise ValueError(f"base_lr={self.base_lr} must not be above lr={self.lr}")
        return self


class PlateauSpec(BaseScheduleSpec):
    """Multiply the learning rate by a factor where the holdout figure no longer improves."""

    name: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.1, gt=0, lt=1, description="Factor of the learning rate.")
    patience: int = Field(
        default=10, ge=1, description="Epochs without improvement before a change."
    )
    min_lr: float = Field(default=0.0, ge=0, description="Lowest learning rate.")
    min_delta: float = Field(
        default=1e-4, ge=0, description="Smallest change that counts as better."
    )
    watch: Literal["loss", "top1"] = Field(
        default="loss", description="The figure of the holdout images that must improve."
    )


ScheduleSpec = Annotated[
    ConstantSpec
    | TriangularSpec
    | CosineSpec
    | OneCycleSpec
    | StepSpec
    | ExponentialSpec
    | CyclicSpec
    | PlateauSpec,
    Field(discriminator="name"),
]
