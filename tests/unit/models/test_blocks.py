"""The shared layers do what their plain twins do."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from thumbnet.models.blocks import Conv3x3


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("sides", [(1, 1), (2, 2), (2, 1), (3, 4), (4, 4), (5, 2)])
def test_conv3x3_equals_the_plain_convolution(sides: tuple[int, int], stride: int) -> None:
    torch.manual_seed(0)
    ours, plain = Conv3x3(5, 7, stride), nn.Conv2d(5, 7, 3, stride, padding=1, bias=False)
    plain.load_state_dict(ours.state_dict())
    images = torch.randn(3, 5, *sides)
    given = [images.clone().requires_grad_() for _ in range(2)]
    results = [layer(x) for layer, x in zip((ours, plain), given, strict=True)]
    assert_close(results[0], results[1])
    for result in results:
        result.square().sum().backward()
    assert_close(given[0].grad, given[1].grad)
    assert_close(ours.weight.grad, plain.weight.grad)


def test_conv3x3_multiplies_where_the_result_is_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(nn.Conv2d, "forward", refuse)
    assert Conv3x3(1, 1)(torch.ones(1, 1, 2, 2)).flatten().shape == (4,)
    assert Conv3x3(1, 1, 2)(torch.ones(1, 1, 4, 4)).flatten().shape == (4,)
    with pytest.raises(AssertionError):
        Conv3x3(1, 1)(torch.ones(1, 1, 3, 3))
