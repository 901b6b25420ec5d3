"""The lean SGD does what PyTorch's does."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from thumbnet.optim.sgd import LeanSGD


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"momentum": 0.9},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ],
)
def test_equals_pytorchs(options: dict[str, float]) -> None:
    torch.manual_seed(0)
    start = [torch.randn(3, 4, 5, 5), torch.randn(7)]
    ours, theirs = ([nn.Parameter(tensor.clone()) for tensor in start] for _ in range(2))
    lean = LeanSGD(ours, 0.1, **options)
    plain = torch.optim.SGD(theirs, 0.1, **options)
    for step in range(4):
        for optimizer in (lean, plain):
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)
        for mine, its in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            its.grad = mine.grad.clone()
        lean.step()
        plain.step()
    for mine, its in zip(ours, theirs, strict=True):
        assert_close(mine, its)
        buffers = [
            each.state[own].get("momentum_buffer") for each, own in ((lean, mine), (plain, its))
        ]
        assert (buffers[0] is None) == (buffers[1] is None)
        if buffers[0] is not None:
            assert_close(*buffers)


def test_a_weight_without_gradient_stays() -> None:
    weight = nn.Parameter(torch.ones(2))
    LeanSGD([weight], 0.1, momentum=0.9).step()
    assert weight.tolist() == [1, 1]
