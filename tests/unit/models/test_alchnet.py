"""AlchNet: depths, orders of norm and ReLU, heads, TFLearn's first weights."""

import math

import pytest
import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.blocks import SameConv2d
from thumbnet.models.registry import create_model, model_entry
from thumbnet.models.taps import taps

HEADS_AND_ORDERS = {  # name: whether it pools, the kinds of layers in its stem
    "alchnet11": (True, "SameConv2d ReLU BatchNorm2d"),
    "alchnet19": (False, "SameConv2d BatchNorm2d ReLU"),
    "alchnet19_gap": (True, "SameConv2d BatchNorm2d ReLU"),
    "alchnet19_relu_bn": (True, "SameConv2d ReLU BatchNorm2d"),
    "alchnet19_relu_bn_flat": (False, "SameConv2d ReLU BatchNorm2d"),
}


def on_meta(name: str, **options: float) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, 200, **options)


@pytest.mark.parametrize("name", HEADS_AND_ORDERS)
def test_head_and_order(name: str) -> None:
    pools, stem = HEADS_AND_ORDERS[name]
    model = on_meta(name)
    assert [type(layer).__name__ for layer in model.stem] == stem.split()
    assert model.hidden[1].in_features == (512 if pools else 512 * 8 * 8)
    assert model_entry(name).image_size == (None if pools else 64)
    assert len(model.blocks) == (4 if name == "alchnet11" else 8)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(layers) + 2 == int(name[7:9])


@pytest.mark.parametrize("name", HEADS_AND_ORDERS)
def test_stages_halve_the_map_at_their_start(name: str) -> None:
    model = on_meta(name).eval()
    names = [f"blocks.{i}" for i in range(len(model.blocks))]
    with taps(model, names) as outputs:
        model(torch.empty(2, 3, 64, 64, device="meta"))
    shapes = [tuple(outputs[name].shape[1:]) for name in names]
    stages = [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8)]
    assert shapes == [shape for shape in stages for _ in range(len(names) // 4)]


@pytest.mark.parametrize("name", ["alchnet19_gap", "alchnet19_relu_bn"])
def test_a_block_equals_its_plain_twin(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name, 2)
    block = model.blocks[2].eval()  # the first that halves
    for norm in (block.norm1, block.norm2):
        nn.init.uniform_(norm.running_mean)
        nn.init.uniform_(norm.bias)
    x = torch.randn(2, 64, 6, 6)
    with torch.no_grad():
        shortcut = block.shortcut[1](nn.functional.max_pool2d(x, 2))
        if name == "alchnet19_gap":
            y = block.conv2(block.norm1(block.conv1(x)).relu())
            expected = (block.norm2(y) + shortcut).relu()
        else:
            y = block.conv2(block.norm1(block.conv1(x).relu()))
            expected = block.norm2((y + shortcut).relu())
        torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("name", HEADS_AND_ORDERS)
def test_dropout_can_go(name: str) -> None:
    def dropouts(model: nn.Module) -> list[float]:
        return [module.p for module in model.modules() if isinstance(module, nn.Dropout)]

    assert dropouts(on_meta(name)) == [0.5]
    assert dropouts(on_meta(name, dropout=0)) == []
    assert on_meta(name, dropout=0).state_dict().keys() == on_meta(name).state_dict().keys()
    with pytest.raises(RecipeError, match=r"dropout=1.5 must be in \[0, 1\)"):
        on_meta(name, dropout=1.5)


def test_halving_convolutions_pad_at_the_lower_right_only() -> None:
    model = create_model("alchnet11", 2)
    conv = model.blocks[1].conv1
    assert isinstance(conv, SameConv2d)
    x = torch.randn(1, 64, 8, 8)
    corner = nn.functional.conv2d(x[:, :, :3, :3], conv.weight, conv.bias)
    torch.testing.assert_close(conv(x)[:, :, :1, :1], corner)


def test_alchnet19_draws_as_tflearn_does() -> None:
    torch.manual_seed(0)
    model = create_model("alchnet19", 200)
    state = model.state_dict()
    conv, hidden = state["blocks.7.conv2.weight"], state["hidden.1.weight"]
    bound = math.sqrt(3 / (512 * 9))
    assert conv.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert conv.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert hidden.abs().max().item() <= 0.04
    assert hidden.std().item() == pytest.approx(0.02 * 0.8796, rel=0.01)  # cut at two deviations
    assert all(value.abs().max() == 0 for key, value in state.items() if key.endswith(".bias"))
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(norms) == 18
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.1, 1e-5)}


def test_alchnet19_shortcut_pools_before_it_widens() -> None:
    with torch.device("meta"):
        model = create_model("alchnet19", 2)
    kinds = [type(block.shortcut) for block in model.blocks]
    assert kinds == [nn.Identity, nn.Identity] + [nn.Sequential, nn.Identity] * 3
