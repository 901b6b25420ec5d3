"""The shared layers do what their plain twins do."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from thumbnet.errors import RecipeError
from thumbnet.models.blocks import (
    Conv3x3,
    SameConv2d,
    check_choice,
    draw_cut_normal,
    init_as_keras,
    keras_norm,
    make_dropout,
)


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


def test_conv3x3_of_a_tiny_map_takes_any_input_in_half_precision() -> None:
    torch.manual_seed(0)
    layer = Conv3x3(5, 7)
    images = torch.randn(3, 5, 2, 2, requires_grad=True)
    exact = layer(images)
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(images)
    assert result.dtype == torch.bfloat16
    assert_close(result.float(), exact, atol=0.05, rtol=0.05)
    result.float().square().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == images.grad.dtype == torch.float32


def test_conv3x3_multiplies_where_the_result_is_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(nn.Conv2d, "forward", refuse)
    assert Conv3x3(1, 1)(torch.ones(1, 1, 2, 2)).flatten().shape == (4,)
    assert Conv3x3(1, 1, 2)(torch.ones(1, 1, 4, 4)).flatten().shape == (4,)
    with pytest.raises(AssertionError):
        Conv3x3(1, 1)(torch.ones(1, 1, 3, 3))


def same_by_hand(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Place each window where TensorFlow does, one at a time."""
    (kernel_y, kernel_x), (step, _) = conv.kernel_size, conv.stride
    height, width = (-(-side // step) for side in x.shape[2:])
    missing_y = max((height - 1) * step + kernel_y - x.shape[2], 0)
    missing_x = max((width - 1) * step + kernel_x - x.shape[3], 0)
    room = torch.zeros(x.shape[0], x.shape[1], x.shape[2] + missing_y, x.shape[3] + missing_x)
    top, left = missing_y // 2, missing_x // 2
    room[:, :, top : top + x.shape[2], left : left + x.shape[3]] = x
    rows = []
    for i in range(height):
        row = []
        for j in range(width):
            y0, x0 = i * step, j * step
            window = room[:, :, y0 : y0 + kernel_y, x0 : x0 + kernel_x]
            row.append(torch.einsum("bchw,ochw->bo", window, conv.weight) + conv.bias)
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)


@pytest.mark.parametrize("kernel", [1, 2, 3, (1, 2), (2, 1), 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("sides", [(8, 8), (7, 8), (5, 5)])
def test_same_convolution_pads_as_tensorflow(
    kernel: int | tuple[int, int], stride: int, sides: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    conv, x = SameConv2d(3, 4, kernel, stride), torch.randn(2, 3, *sides)
    assert_close(conv(x), same_by_hand(x, conv))


def test_norm_has_the_constants_of_keras() -> None:
    norm = keras_norm(3)
    x = torch.full((2, 3, 1, 1), 5.0)
    norm(x)
    assert_close(norm.running_mean, torch.full((3,), 0.05))
    assert norm.eps == 1e-3


def test_keras_draws_within_glorots_bound() -> None:
    conv = nn.Conv2d(64, 32, 3)
    init_as_keras(conv)
    assert conv.weight.abs().max().item() == pytest.approx((6 / (9 * (64 + 32))) ** 0.5, rel=0.01)
    assert not conv.bias.any()


def test_options_out_of_range_are_refused() -> None:
    assert isinstance(make_dropout(0), nn.Identity)
    with pytest.raises(RecipeError, match=r"dropout=1 must be in \[0, 1\)"):
        make_dropout(1)
    with pytest.raises(RecipeError, match=r"key='rlu'; did you mean 'relu'.*allowed: relu, prelu"):
        check_choice("key", "rlu", ("relu", "prelu"))


def test_cut_normal_has_the_deviation_of_a_normal_cut_at_two() -> None:
    torch.manual_seed(0)
    weight, expected = torch.empty(2, 500, 500)
    draw_cut_normal(weight, 0.3)
    nn.init.trunc_normal_(expected, std=0.3, a=-0.6, b=0.6)
    assert weight.abs().max() <= 0.6
    assert_close(weight.std(), expected.std(), atol=0.002, rtol=0)
    assert_close(weight.mean(), torch.tensor(0.0), atol=0.002, rtol=0)
    levels = torch.linspace(0.01, 0.99, 20)
    assert_close(weight.quantile(levels), expected.quantile(levels), atol=0.005, rtol=0)
