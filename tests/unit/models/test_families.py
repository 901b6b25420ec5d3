"""What each network must have exactly: names, shapes, first weights."""

import math

import pytest
import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model


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
