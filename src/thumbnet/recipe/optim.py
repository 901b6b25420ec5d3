"""Optimizers and learning-rate schedules as data."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from thumbnet.recipe.base import Fraction, LearningRate, Positive, Probability, Spec

# -- optimizers


class BaseOptimizerSpec(Spec):
    """What every optimizer takes.

    `decay`: `l2` adds `weight_decay * w` to the gradient (PyTorch's convention: twice the factor
    that Keras multiplies the squared weights by); `decoupled` shrinks weights by
    `lr * weight_decay` beside the step. `decay_on`: all parameters, `weights` (no norms and
    biases), or the kernels of `convolutions` only. `norm_bias_lr`: the learning rate of norms and
    biases, as a multiple. `clip_norm`: the greatest norm of all gradients together.
    """

    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    decay: Literal["l2", "decoupled"] = "l2"
    decay_on: Literal["all", "weights", "convolutions"] = "all"
    norm_bias_lr: Annotated[float, Field(gt=0, le=1000)] = 1.0
    clip_norm: Positive | None = None


class SgdSpec(BaseOptimizerSpec):
    """Stochastic gradient descent, plain or with (Nesterov's) momentum."""

    name: Literal["sgd"] = "sgd"
    momentum: Fraction = 0.9
    nesterov: bool = False


class AdaGradSpec(BaseOptimizerSpec):
    """AdaGrad; `initial` is the first value of the sums of squares (Caffe: 0)."""

    name: Literal["adagrad"] = "adagrad"
    eps: Positive = 1e-8
    initial: Annotated[float, Field(ge=0)] = 0.0


class RmsPropSpec(BaseOptimizerSpec):
    """RMSprop; `rho` is the decay of the mean of squares (Keras and TFLearn: 0.9).

    `initial` is the first value of that mean: 0 in Keras and PyTorch, 1 in TensorFlow's own.
    """

    name: Literal["rmsprop"] = "rmsprop"
    rho: Fraction = 0.9
    eps: Positive = 1e-8
    momentum: Fraction = 0.0
    initial: Annotated[float, Field(ge=0)] = 0.0


class BaseAdamSpec(BaseOptimizerSpec):
    """What Adam and AdamW share."""

    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: Positive = 1e-8


class AdamSpec(BaseAdamSpec):
    """Adam. Source: arXiv:1412.6980."""

    name: Literal["adam"] = "adam"


class AdamWSpec(BaseAdamSpec):
    """Adam with decoupled weight decay. Source: arXiv:1711.05101."""

    name: Literal["adamw"] = "adamw"
    decay: Literal["l2", "decoupled"] = "decoupled"
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01


class MuonSpec(BaseOptimizerSpec):
    """Orthogonalized momentum for hidden weights, Nesterov SGD for head, norms and biases.

    A kernel counts as a matrix of `out_channels` rows. The schedule gives the learning rate of
    the hidden weights; `other_lr` is that of the rest, as a multiple.
    Source: github.com/KellerJordan/Muon; arXiv:2502.16982
    """

    name: Literal["muon"] = "muon"
    momentum: Fraction = 0.95
    num_iterations: Annotated[int, Field(ge=1, le=10)] = 5
    other_lr: Annotated[float, Field(gt=0, le=1000)] = 1.0
    decay: Literal["l2", "decoupled"] = "decoupled"


OptimizerSpec = Annotated[
    SgdSpec | AdaGradSpec | RmsPropSpec | AdamSpec | AdamWSpec | MuonSpec,
    Field(discriminator="name"),
]


# -- schedules


class BaseScheduleSpec(Spec):
    """`lr` is the highest learning rate; `warmup` the part of the steps spent getting there."""

    lr: LearningRate
    warmup: Fraction = 0.0


class ConstantSpec(BaseScheduleSpec):
    """The same learning rate at every step."""

    name: Literal["constant"] = "constant"


class TriangularSpec(BaseScheduleSpec):
    """Up in a line over the first `warmup` of the steps, then down in a line to `final * lr`."""

    name: Literal["triangular"] = "triangular"
    warmup: Fraction = 0.15
    final: Probability = 0.0


class CosineSpec(BaseScheduleSpec):
    """Up in a line over the first `warmup` of the steps, then down half a cosine."""

    name: Literal["cosine"] = "cosine"
    final: Probability = 0.0


class OneCycleSpec(BaseScheduleSpec):
    """Half a cosine up from `initial * lr` and half a cosine down to `final * lr`.

    Source: arXiv:1708.07120, as PyTorch's OneCycleLR has it
    """

    name: Literal["one_cycle"] = "one_cycle"
    warmup: Fraction = 0.3
    initial: Probability = 0.04
    final: Probability = 4e-6


class StepSpec(BaseScheduleSpec):
    """Multiply by `factor` every so many steps or epochs."""

    name: Literal["step"] = "step"
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    every_steps: Annotated[int, Field(ge=1)] | None = None
    every_epochs: Positive | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.every_steps is None) == (self.every_epochs is None):
            raise ValueError("give every_steps or every_epochs, one of them")
        return self


class ExponentialSpec(BaseScheduleSpec):
    """Multiply by `factor` an epoch, little by little at every step."""

    name: Literal["exponential"] = "exponential"
    factor: Annotated[float, Field(gt=0, le=1)] = 0.95


class CyclicSpec(BaseScheduleSpec):
    """Between `base_lr` and `lr` in lines, `half_steps` steps up and as many down.

    `triangular2` halves the height after every cycle. Source: arXiv:1506.01186
    """

    name: Literal["cyclic"] = "cyclic"
    base_lr: LearningRate
    half_steps: Annotated[int, Field(ge=1)]
    mode: Literal["triangular", "triangular2"] = "triangular"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base_lr > self.lr:
            raise ValueError(f"base_lr={self.base_lr} must not be over lr={self.lr}")
        return self


class PlateauSpec(BaseScheduleSpec):
    """Multiply by `factor` after `patience` epochs without a better watched figure.

    Better means by more than `min_delta`; the learning rate never falls below `min_lr`.
    """

    name: Literal["plateau"] = "plateau"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=1)] = 10
    min_lr: Annotated[float, Field(ge=0)] = 0.0
    min_delta: Annotated[float, Field(ge=0)] = 1e-4
    watch: Literal["loss", "top1"] = "loss"


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
