"""Optimizers, which parameters each of their groups holds, and one update."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, Optimizer, RMSprop

from thumbnet.optim.muon import Muon
from thumbnet.optim.sgd import LeanSGD
from thumbnet.recipe import (
    AdaGradSpec,
    AdamSpec,
    AdamWSpec,
    MuonSpec,
    OptimizerSpec,
    RmsPropSpec,
    SgdSpec,
)

Group = dict[str, Any]


def parameter_groups(model: nn.Module, spec: OptimizerSpec, head: str = "") -> list[Group]:
    """Split the parameters by how they decay, how fast they learn, and for Muon by kind.

    Args: head is the name of the final classifier, which Muon leaves to SGD.
    Returns: `weight_decay` is L2's, `shrink` the decoupled one, `lr_scale` a multiple of the
        schedule's learning rate, `orthogonal` marks what Muon takes
    """
    groups: dict[tuple[object, ...], Group] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_vector = parameter.ndim <= 1
        orthogonal = isinstance(spec, MuonSpec) and not is_vector and not _is_in(name, head)
        decay = spec.weight_decay if _decays(parameter, spec) else 0.0
        lr_scale = spec.norm_bias_lr if is_vector else 1.0
        if isinstance(spec, MuonSpec) and not orthogonal:
            lr_scale *= spec.other_lr
        options: Group = {
            "weight_decay": decay if spec.decay == "l2" else 0.0,
            "shrink": decay if spec.decay == "decoupled" else 0.0,
            "lr_scale": lr_scale,
            "orthogonal": orthogonal,
        }
        group = groups.setdefault(tuple(options.values()), {"params": [], **options})
        group["params"].append(parameter)
    return list(groups.values())


def make_optimizer(model: nn.Module, spec: OptimizerSpec, head: str = "") -> Optimizer:
    """Make an optimizer; its learning rate is given at every update.

    Fused on CUDA only: the fused SGD for CPUs of torch 2.13 copies every gradient that is laid
    out channels_last, and is wrong where weight and gradient are laid out differently.
    """
    groups = parameter_groups(model, spec, head)
    on_cuda = next(model.parameters()).is_cuda
    how = {"fused": on_cuda, "foreach": not on_cuda}
    match spec:
        case SgdSpec():
            nesterov = spec.nesterov and spec.momentum > 0
            if on_cuda:
                return SGD(groups, 0.0, momentum=spec.momentum, nesterov=nesterov, fused=True)
            return LeanSGD(groups, 0.0, momentum=spec.momentum, nesterov=nesterov)
        case AdaGradSpec():
            return Adagrad(
                groups, 0.0, initial_accumulator_value=spec.initial, eps=spec.eps, foreach=True
            )
        case RmsPropSpec():
            return _rmsprop(groups, spec)
        case AdamSpec() | AdamWSpec():
            return Adam(groups, 0.0, betas=(spec.beta1, spec.beta2), eps=spec.eps, **how)
        case MuonSpec():
            return Muon(groups, momentum=spec.momentum, num_iterations=spec.num_iterations)


def _rmsprop(groups: list[Group], spec: RmsPropSpec) -> RMSprop:
    optimizer = RMSprop(
        groups, 0.0, alpha=spec.rho, eps=spec.eps, momentum=spec.momentum, foreach=True
    )
    if spec.initial:  # else PyTorch makes its own state at the first step
        for parameter in _parameters(optimizer):
            state = optimizer.state[parameter]
            state["step"] = torch.zeros((), device=parameter.device)
            state["square_avg"] = torch.full_like(parameter, spec.initial, requires_grad=False)
            if spec.momentum:
                state["momentum_buffer"] = torch.zeros_like(parameter, requires_grad=False)
    return optimizer


@torch.no_grad()
def update(optimizer: Optimizer, lr: float, clip_norm: float | None = None) -> None:
    """Clip the gradients, shrink what decays decoupled, and do one step at this learning rate."""
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(_parameters(optimizer), clip_norm, foreach=True)
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]
        if group["shrink"]:
            learning = [parameter for parameter in group["params"] if parameter.requires_grad]
            torch._foreach_mul_(learning, 1 - group["lr"] * group["shrink"])
    optimizer.step()


def _parameters(optimizer: Optimizer) -> Iterable[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _is_in(name: str, module: str) -> bool:
    return bool(module) and name.startswith(f"{module}.")


def _decays(parameter: Tensor, spec: OptimizerSpec) -> bool:
    match spec.decay_on:
        case "all":
            return True
        case "weights":
            return parameter.ndim > 1
        case "convolutions":
            return parameter.ndim == 4
