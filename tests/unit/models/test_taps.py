"""Taps record, keep what they recorded, and leave no trace."""

import pytest
import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model
from thumbnet.models.taps import taps


@pytest.fixture
def model() -> nn.Module:
    return create_model("thumbnet_quick", 5, width=4).eval()


def num_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_records_inner_layers_by_path(model: nn.Module) -> None:
    with taps(model, ["group1.conv2", "head"]) as outputs:
        logits = model(torch.randn(2, 3, 32, 32))
    assert outputs["group1.conv2"].shape == (2, 8, 8, 8)
    assert torch.equal(outputs["head"], logits)


def test_in_place_layers_behind_do_not_change_what_was_read(model: nn.Module) -> None:
    with taps(model, ["stem.1", "stem.2"]) as outputs:
        model(torch.randn(2, 3, 32, 32))
    assert outputs["stem.1"].min() < 0
    assert torch.equal(outputs["stem.1"].relu(), outputs["stem.2"])


def test_gradients_reach_what_was_read(model: nn.Module) -> None:
    with taps(model, ["stem.1", "group3"]) as outputs:
        logits = model(torch.randn(2, 3, 32, 32))
    gradients = torch.autograd.grad(logits.sum(), [outputs["stem.1"], outputs["group3"]])
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_a_second_pass_replaces_the_first(model: nn.Module) -> None:
    with taps(model, ["head"]) as outputs:
        model(torch.randn(2, 3, 32, 32))
        second = model(torch.randn(3, 3, 16, 16))
    assert torch.equal(outputs["head"], second)


def test_hooks_go_at_exit_even_after_an_error(model: nn.Module) -> None:
    with taps(model, ["stem"]):
        assert num_hooks(model) == 1
    assert num_hooks(model) == 0
    with pytest.raises(ZeroDivisionError), taps(model, ["stem"]):
        raise ZeroDivisionError
    assert num_hooks(model) == 0


def test_unknown_layer_names_the_near_one_and_leaves_no_hook(model: nn.Module) -> None:
    with (
        pytest.raises(RecipeError, match=r"no layer 'group4'; did you mean 'group\d'\?.*stem"),
        taps(model, ["stem", "group4"]),
    ):
        pass
    assert num_hooks(model) == 0
