"""The optimizers' groups, and their updates against the written formulas."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from thumbnet.optim import muon
from thumbnet.optim.muon import COEFFICIENTS, newton_schulz, orthogonalized
from thumbnet.optim.optimizers import make_optimizer, parameter_groups, update
from thumbnet.recipe import (
    AdaGradSpec,
    AdamSpec,
    AdamWSpec,
    MuonSpec,
    OptimizerSpec,
    RmsPropSpec,
    SgdSpec,
)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def held(model: nn.Module, spec: OptimizerSpec, key: str, head: str = "") -> dict[str, object]:
    """Return one option of each parameter's group, by the parameter's name."""
    names = {id(p): name for name, p in model.named_parameters()}
    groups = parameter_groups(model, spec, head)
    return {names[id(p)]: group[key] for group in groups for p in group["params"]}


ALL = ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]


def test_all_parameters_decay_unless_told_otherwise() -> None:
    assert held(network(), SgdSpec(weight_decay=0.1), "weight_decay") == dict.fromkeys(ALL, 0.1)
    assert held(network(), SgdSpec(weight_decay=0.1), "shrink") == dict.fromkeys(ALL, 0.0)


@pytest.mark.parametrize(
    ("where", "decaying"), [("weights", {"0.weight", "3.weight"}), ("convolutions", {"0.weight"})]
)
def test_norms_and_biases_or_all_but_kernels_are_spared(where: str, decaying: set[str]) -> None:
    spec = SgdSpec.model_validate({"weight_decay": 0.1, "decay_on": where})
    expected = {name: 0.1 if name in decaying else 0.0 for name in ALL}
    assert held(network(), spec, "weight_decay") == expected


def test_decoupled_decay_is_kept_apart_from_that_in_the_gradient() -> None:
    spec = AdamWSpec(weight_decay=0.1, decay_on="weights")
    assert held(network(), spec, "shrink")["3.weight"] == 0.1
    assert held(network(), spec, "shrink")["3.bias"] == 0.0
    assert held(network(), spec, "weight_decay") == dict.fromkeys(ALL, 0.0)


def test_norms_and_biases_may_learn_at_another_rate() -> None:
    scales = held(network(), SgdSpec(norm_bias_lr=64), "lr_scale")
    assert scales == {name: 1.0 if name in {"0.weight", "3.weight"} else 64.0 for name in ALL}


def test_muon_takes_hidden_matrices_only() -> None:
    spec = MuonSpec(other_lr=0.5, norm_bias_lr=4)
    taken = held(network(), spec, "orthogonal", head="3")
    assert taken == {name: name == "0.weight" for name in ALL}
    scales = held(network(), spec, "lr_scale", head="3")
    assert scales == {"0.weight": 1, "3.weight": 0.5, **dict.fromkeys(
        ["0.bias", "1.weight", "1.bias", "3.bias"], 2.0)}  # fmt: skip


@pytest.mark.parametrize("where", ["all", "weights"])
def test_frozen_parameters_stay_out(where: str) -> None:
    model = network()
    model[0].requires_grad_(False)
    spec = SgdSpec.model_validate({"decay_on": where})
    assert set(held(model, spec, "lr_scale")) == set(ALL) - {"0.weight", "0.bias"}


Rule = Callable[[Tensor, dict[str, Tensor], int], Tensor]  # gradient, memory, step -> direction


def sgd_rule(momentum: float, nesterov: bool) -> Rule:
    def rule(g: Tensor, memory: dict[str, Tensor], _step: int) -> Tensor:
        v = memory["v"] = momentum * memory["v"] + g if "v" in memory else g
        return g + momentum * v if nesterov else v

    return rule


def adam_rule(beta1: float, beta2: float, eps: float) -> Rule:
    def rule(g: Tensor, memory: dict[str, Tensor], step: int) -> Tensor:
        zero = torch.zeros_like(g)
        m = memory["m"] = beta1 * memory.get("m", zero) + (1 - beta1) * g
        v = memory["v"] = beta2 * memory.get("v", zero) + (1 - beta2) * g * g
        return m / (1 - beta1**step) / ((v / (1 - beta2**step)).sqrt() + eps)

    return rule


def adagrad_rule(g: Tensor, memory: dict[str, Tensor], _step: int) -> Tensor:
    memory["s"] = memory.get("s", torch.full_like(g, 0.5)) + g * g
    return g / (memory["s"].sqrt() + 1e-3)


def rmsprop_rule(g: Tensor, memory: dict[str, Tensor], _step: int) -> Tensor:
    memory["s"] = 0.8 * memory.get("s", torch.zeros_like(g)) + 0.2 * g * g
    return g / (memory["s"].sqrt() + 1e-3)


def rmsprop_of_tensorflow_rule(g: Tensor, memory: dict[str, Tensor], _step: int) -> Tensor:
    memory["s"] = 0.9 * memory.get("s", torch.ones_like(g)) + 0.1 * g * g
    return g / (memory["s"].sqrt() + 1e-10)


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        (SgdSpec(momentum=0), sgd_rule(0, False)),
        (SgdSpec(momentum=0, nesterov=True), sgd_rule(0, False)),  # nothing to look ahead along
        (SgdSpec(momentum=0.9), sgd_rule(0.9, False)),
        (SgdSpec(momentum=0.9, nesterov=True, weight_decay=0.05), sgd_rule(0.9, True)),
        (SgdSpec(momentum=0.5, weight_decay=0.05, decay_on="weights"), sgd_rule(0.5, False)),
        (SgdSpec(momentum=0.5, weight_decay=0.5, decay="decoupled"), sgd_rule(0.5, False)),
        (SgdSpec(momentum=0.5, norm_bias_lr=3), sgd_rule(0.5, False)),
        (AdaGradSpec(initial=0.5, eps=1e-3), adagrad_rule),
        (RmsPropSpec(rho=0.8, eps=1e-3, weight_decay=0.1), rmsprop_rule),
        (RmsPropSpec(eps=1e-10, initial=1.0), rmsprop_of_tensorflow_rule),
        (AdamSpec(beta1=0.8, beta2=0.95, weight_decay=0.1), adam_rule(0.8, 0.95, 1e-8)),
        (AdamWSpec(weight_decay=0.1, decay_on="weights"), adam_rule(0.9, 0.999, 1e-8)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_updates_follow_the_formula(spec: OptimizerSpec, rule: Rule) -> None:
    model = network()
    weights = [p.detach().clone() for p in model.parameters()]
    memories: list[dict[str, Tensor]] = [{} for _ in weights]
    optimizer = make_optimizer(model, spec)
    for step, lr in enumerate((0.1, 0.2, 0.05), start=1):
        given = [torch.full_like(w, float(step)) + w for w in weights]
        gradients = list(given)
        for i, gradient in enumerate(given):
            decays = spec.decay_on == "all" or weights[i].ndim > 1
            decay = spec.weight_decay if decays else 0.0
            rate = lr * (spec.norm_bias_lr if weights[i].ndim == 1 else 1.0)
            if spec.decay == "decoupled":
                weights[i] = weights[i] * (1 - rate * decay)
            else:
                gradients[i] = gradient + decay * weights[i]
            weights[i] = weights[i] - rate * rule(gradients[i], memories[i], step)
        for parameter, gradient in zip(model.parameters(), given, strict=True):
            parameter.grad = gradient
        update(optimizer, lr)
    for parameter, weight in zip(model.parameters(), weights, strict=True):
        assert torch.allclose(parameter, weight, rtol=1e-4, atol=1e-5)


def test_clipping_scales_all_gradients_together() -> None:
    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    update(make_optimizer(model, SgdSpec(momentum=0)), 1.0, clip_norm=0.5)
    moved = [b - p for b, p in zip(before, model.parameters(), strict=True)]
    assert math.sqrt(sum(float(m.detach().square().sum()) for m in moved)) == pytest.approx(
        0.5, rel=1e-3
    )


@pytest.mark.parametrize("rows", [(6, 2, 3, 3), (20, 4), (4, 20)])
def test_muon_moves_a_matrix_along_its_orthogonal_part(rows: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(rows))
    model = nn.Module()
    model.hidden = weight
    gradient = torch.randn(rows)
    weight.grad = gradient.clone()
    update(make_optimizer(model, MuonSpec()), 1.0)
    matrix = -weight.detach().reshape(rows[0], -1)
    u, _, v = torch.linalg.svd(gradient.reshape(rows[0], -1), full_matrices=False)
    scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
    turned = torch.linalg.svdvals(matrix) / scale
    assert turned.min() > 0.6
    assert turned.max() < 1.3
    along = u.T @ matrix @ v.T  # nearly diagonal: the singular vectors stay
    assert (along - torch.diag(along.diagonal())).abs().max() < 0.1 * scale


def iterated(matrix: Tensor, num_iterations: int) -> Tensor:
    """Do what newton_schulz does one iteration after another, on x itself."""
    x = matrix.double() / matrix.double().norm()
    a, b, c = COEFFICIENTS
    for _ in range(num_iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@pytest.mark.parametrize("num_iterations", [1, 3, 5])
@pytest.mark.parametrize("shape", [(12, 50), (50, 12), (20, 20)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_iterations_on_the_gram_matrix_are_those_on_the_matrix(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, shape: tuple[int, int], num_iterations: int
) -> None:
    monkeypatch.setattr(muon, "_has_bf16", lambda _: dtype == torch.bfloat16)
    torch.manual_seed(0)
    matrices = torch.randn(2, *shape) * torch.tensor([1e-6, 1e3])[:, None, None]
    stacked = newton_schulz(matrices, num_iterations)
    for matrix, of_stack in zip(matrices, stacked, strict=True):
        for found in (newton_schulz(matrix, num_iterations), of_stack):
            off = (found.double() - iterated(matrix, num_iterations)).norm()
            assert off < 0.06 * found.double().norm()
            assert found.dtype == dtype
    assert not newton_schulz(torch.zeros(shape), num_iterations).any()


def test_orthogonalized_kernels_do_not_depend_on_how_they_lie_in_memory() -> None:
    torch.manual_seed(0)
    kernels = [torch.randn(6, 4, 3, 3), torch.randn(6, 4, 3, 3)]
    found = orthogonalized([k.contiguous(memory_format=torch.channels_last) for k in kernels], 3)
    for kernel, other in zip(orthogonalized(kernels, 3), found, strict=True):
        assert torch.allclose(kernel, other, atol=0.02)
        assert other.is_contiguous(memory_format=torch.channels_last)


def test_muon_leaves_the_head_to_nesterov() -> None:
    model = network()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    update(make_optimizer(model, MuonSpec(momentum=0.5, other_lr=0.1), head="3"), 0.2)
    head = before["3.weight"] - model[3].weight
    assert torch.allclose(head, torch.full_like(head, 0.2 * 0.1 * 1.5))


@pytest.mark.parametrize("spec", [SgdSpec(momentum=0.9), AdamSpec(), MuonSpec(), RmsPropSpec()])
@pytest.mark.parametrize("weight_last", [False, True])
@pytest.mark.parametrize("grad_last", [False, True])
def test_memory_formats_of_weight_and_gradient_may_differ(
    weight_last: bool, grad_last: bool, spec: OptimizerSpec
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 8, 3, bias=False)
    model = nn.Conv2d(4, 8, 3, bias=False)
    model.load_state_dict(plain.state_dict())
    if weight_last:
        model = model.to(memory_format=torch.channels_last)
    one, other = make_optimizer(model, spec), make_optimizer(plain, spec)
    for _ in range(3):
        gradient = torch.randn(8, 4, 3, 3)
        given = torch.channels_last if grad_last else torch.contiguous_format
        model.weight.grad = gradient.contiguous(memory_format=given)
        plain.weight.grad = gradient
        update(one, 0.1)
        update(other, 0.1)
    torch.testing.assert_close(model.weight.data, plain.weight.data)
