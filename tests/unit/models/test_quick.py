"""The network of the quick start and the speedruns."""

import pytest
import torch

from thumbnet.errors import RecipeError
from thumbnet.models.quick import QuickNet
from thumbnet.models.registry import create_model


def test_identity_hands_the_input_through() -> None:
    net = create_model("thumbnet_quick", 5, width=4, identity=True)
    assert isinstance(net, QuickNet)
    x = torch.rand(2, 4, 8, 8)
    y = net.group1.conv1(x)
    assert torch.equal(y[:, :4], x)
    assert not torch.equal(y[:, 4:], x)
    plain = create_model("thumbnet_quick", 5, width=4)
    assert isinstance(plain, QuickNet)
    assert not torch.equal(plain.group1.conv1(x)[:, :4], x)


def test_the_mean_stands_beside_the_max() -> None:
    net = create_model("thumbnet_quick", 5, width=2, pool="max_mean").eval()
    assert isinstance(net, QuickNet)
    images = torch.rand(3, 3, 32, 32)
    last = net.group3(net.group2(net.group1(net.stem(images))))
    both = torch.cat([last.amax((2, 3)), last.mean((2, 3))], 1)
    assert torch.equal(net(images), both @ net.head.weight.T)


def test_an_unknown_pool() -> None:
    with pytest.raises(RecipeError, match=r"pool='max-mean'.*did you mean 'max_mean'"):
        create_model("thumbnet_quick", 5, pool="max-mean")
