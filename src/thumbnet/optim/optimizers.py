"""Optimizers, and which parameters each of their groups holds."""

from torch import nn
from torch.optim import SGD, Optimizer

from thumbnet.recipe import SgdSpec


def parameter_groups(model: nn.Module, spec: SgdSpec) -> list[dict[str, object]]:
    """Split the parameters into those that decay and those that do not.

    With `decay_on: weights` all vectors and scalars (norms, biases) are spared.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if spec.decay_on == "all":
        return [{"params": parameters, "weight_decay": spec.weight_decay}]
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": spec.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def sgd(model: nn.Module, spec: SgdSpec) -> SGD:
    """Make a stochastic gradient descent; its learning rate is set before every step.

    Fused on CUDA only: the fused kernel for CPUs of torch 2.13 copies every gradient that is laid
    out channels_last, and is wrong where weight and gradient are laid out differently.
    """
    on_cuda = next(model.parameters()).is_cuda
    return SGD(
        parameter_groups(model, spec),
        lr=0.0,
        momentum=spec.momentum,
        nesterov=spec.nesterov and spec.momentum > 0,
        fused=on_cuda,
        foreach=not on_cuda,
    )


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give every group of the optimizer this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr
