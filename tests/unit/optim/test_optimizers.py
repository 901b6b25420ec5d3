"""The optimizer's groups, and its updates against the written formula."""

import pytest
import torch
from torch import Tensor, nn

from thumbnet.optim.optimizers import parameter_groups, set_lr, sgd
from thumbnet.recipe import SgdSpec


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def test_all_parameters_decay_unless_told_otherwise() -> None:
    model = network()
    (group,) = parameter_groups(model, SgdSpec(weight_decay=0.1))
    assert group["weight_decay"] == 0.1
    assert [id(p) for p in group["params"]] == [id(p) for p in model.parameters()]


def test_norms_and_biases_are_spared_on_request() -> None:
    model = network()
    groups = parameter_groups(model, SgdSpec(weight_decay=0.1, decay_on="weights"))
    names = {id(p): name for name, p in model.named_parameters()}
    held = [([names[id(p)] for p in group["params"]], group["weight_decay"]) for group in groups]
    assert held == [
        (["0.weight", "3.weight"], 0.1),
        (["0.bias", "1.weight", "1.bias", "3.bias"], 0.0),
    ]


@pytest.mark.parametrize("decay_norm_and_bias", [True, False])
def test_frozen_parameters_stay_out(decay_norm_and_bias: bool) -> None:
    model = network()
    model[0].requires_grad_(False)
    groups = parameter_groups(model, SgdSpec(decay_norm_and_bias=decay_norm_and_bias))
    held = {id(p) for group in groups for p in group["params"]}
    assert held == {id(p) for p in model[1:].parameters()}


def test_set_lr_reaches_every_group() -> None:
    optimizer = sgd(network(), SgdSpec(weight_decay=0.1, decay_on="weights"))
    assert [group["lr"] for group in optimizer.param_groups] == [0, 0]
    set_lr(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


@pytest.mark.parametrize(
    "spec",
    [
        SgdSpec(momentum=0),
        SgdSpec(momentum=0, nesterov=True),  # nothing to look ahead along
        SgdSpec(momentum=0.9),
        SgdSpec(momentum=0.9, nesterov=True, weight_decay=0.05),
        SgdSpec(momentum=0.5, weight_decay=0.05, decay_on="weights"),
    ],
)
def test_updates_follow_the_formula(spec: OptimizerSpec) -> None:
    model = network()
    weights = [p.detach().clone() for p in model.parameters()]
    velocities: list[Tensor | None] = [None] * len(weights)
    optimizer = sgd(model, spec)
    for step, lr in enumerate((0.1, 0.2, 0.05)):
        gradients = [torch.full_like(w, step + 1.0) + w for w in weights]
        for i, gradient in enumerate(gradients):
            decays = spec.decay_norm_and_bias or weights[i].ndim > 1
            g = gradient + (spec.weight_decay if decays else 0) * weights[i]
            before = velocities[i]
            v = g if before is None else spec.momentum * before + g
            velocities[i] = v
            weights[i] = weights[i] - lr * (g + spec.momentum * v if spec.nesterov else v)
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = gradient
        set_lr(optimizer, lr)
        optimizer.step()
    for parameter, weight in zip(model.parameters(), weights, strict=True):
        assert torch.allclose(parameter, weight, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight_last", [False, True])
@pytest.mark.parametrize("grad_last", [False, True])
def test_memory_formats_of_weight_and_gradient_may_differ(
    weight_last: bool, grad_last: bool
) -> None:
    torch.manual_seed(0)
    model, plain = nn.Conv2d(4, 8, 3, bias=False), nn.Conv2d(4, 8, 3, bias=False)
    plain.load_state_dict(model.state_dict())
    if weight_last:
        model = model.to(memory_format=torch.channels_last)
    optimizer = sgd(model, SgdSpec(momentum=0.9))
    set_lr(optimizer, 0.1)
    gradient, buffer = torch.randn(8, 4, 3, 3), torch.zeros(8, 4, 3, 3)
    for _ in range(3):
        given = torch.channels_last if grad_last else torch.contiguous_format
        model.weight.grad = gradient.contiguous(memory_format=given)
        optimizer.step()
        buffer = 0.9 * buffer + gradient
        plain.weight.data -= 0.1 * buffer
    torch.testing.assert_close(model.weight.data, plain.weight.data)
