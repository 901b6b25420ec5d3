"""What each network must have exactly: names, shapes, first weights."""

import math

import pytest
import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model


def torchvision_resnet18_keys() -> list[str]:
    def norm(name: str) -> list[str]:
        kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        return [f"{name}.{kind}" for kind in kinds]

    keys = ["conv1.weight", *norm("bn1")]
    for layer in range(1, 5):
        for block in range(2):
            name = f"layer{layer}.{block}"
            keys += [f"{name}.conv1.weight", *norm(f"{name}.bn1")]
            keys += [f"{name}.conv2.weight", *norm(f"{name}.bn2")]
            if layer > 1 and block == 0:
                keys += [f"{name}.downsample.0.weight", *norm(f"{name}.downsample.1")]
    return [*keys, "fc.weight", "fc.bias"]


@pytest.mark.parametrize("name", ["resnet18", "resnet18_3x3"])
def test_resnet18_has_the_names_of_torchvision(name: str) -> None:
    keys = torchvision_resnet18_keys()
    assert len(keys) == 122
    with torch.device("meta"):
        assert list(create_model(name, 1000).state_dict()) == keys


@pytest.mark.parametrize(("name", "side"), [("resnet18", 2), ("resnet18_3x3", 8)])
def test_resnet18_stem_decides_the_size_of_the_last_map(name: str, side: int) -> None:
    with torch.device("meta"):
        model = create_model(name, 10)
        features = nn.Sequential(*list(model.children())[:-2])  # all but the pool and the head
        assert features(torch.empty(1, 3, 64, 64)).shape == (1, 512, side, side)


def test_resnet18_draws_kaiming_normal_of_fan_out() -> None:
    torch.manual_seed(0)
    weight = create_model("resnet18", 10).state_dict()["layer4.1.conv2.weight"]
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (512 * 9)), rel=0.01)


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


def test_quick_starts_with_identity_residuals_and_takes_a_width() -> None:
    model = create_model("thumbnet_quick", 7, width=8).eval()
    assert model.head.weight.shape == (7, 64)
    assert model.head.bias is None
    x = torch.rand(2, 8, 8, 8)
    group = model.group1
    plain = group.norm1(nn.functional.max_pool2d(group.conv1(x), 2)).relu()
    assert torch.equal(group(x), plain)


def test_quick_refuses_a_width_of_nothing() -> None:
    with pytest.raises(RecipeError, match="width=0 must be at least 1"):
        create_model("thumbnet_quick", 7, width=0)
