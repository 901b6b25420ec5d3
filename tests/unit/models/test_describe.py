"""A description is what a network does: layers, computation, what it sees, memory."""

import pytest
import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models import registry
from thumbnet.models.blocks import LocalResponseNorm
from thumbnet.models.describe import Layer, describe
from thumbnet.models.registry import model_names, register_model


def test_lenet5_by_hand() -> None:
    found = describe("lenet5", 200, batch_size=32)
    assert found.layers == (
        Layer("conv1", "Conv2d", (16, 24, 24), 16 * 26, 2 * 16 * 25 * 24 * 24),
        Layer("pool", "MaxPool2d", (16, 12, 12), 0, 0),
        Layer("conv2", "Conv2d", (32, 8, 8), 32 * 401, 2 * 32 * 16 * 25 * 8 * 8),
        Layer("pool", "MaxPool2d", (32, 4, 4), 0, 0),
        Layer("fc1", "Linear", (120,), 120 * 513, 2 * 120 * 512),
        Layer("fc2", "Linear", (84,), 84 * 121, 2 * 84 * 120),
        Layer("fc", "Linear", (200,), 200 * 85, 2 * 200 * 84),
    )
    assert found.num_parameters == sum(layer.num_parameters for layer in found.layers) == 101_972
    assert found.flops == sum(layer.flops for layer in found.layers)
    assert (found.image_size, found.batch_size, found.receptive_field) == (28, 32, 16)
    assert found.state_bytes == 3 * 4 * 101_972
    assert found.parameter_names[0] == "conv1.weight"


def test_lenet5_keeps_for_backward_what_it_must() -> None:
    maps = 28 * 28 + 16 * 24 * 24 + 16 * 12 * 12 + 32 * 8 * 8 + 32 * 4 * 4 + 120 + 84
    indices = 16 * 12 * 12 + 32 * 4 * 4  # of 64 bits, where each maximum was
    one = 4 * maps + 8 * indices
    for batch_size in (1, 2, 32):
        assert describe("lenet5", 200, batch_size=batch_size).activation_bytes == batch_size * one


@pytest.mark.parametrize("batch_size", [3, 7])
def test_activations_of_a_batch_are_those_a_real_pass_keeps(batch_size: int) -> None:
    model = registry.create_model("thumbnet_quick", 10).train()
    own = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(torch.randn(batch_size, 3, 64, 64))
    real = sum(t.untyped_storage().nbytes() for pointer, t in kept.items() if pointer not in own)
    assert logits.shape == (batch_size, 10)
    assert describe("thumbnet_quick", 10, batch_size=batch_size).activation_bytes == real


@pytest.mark.parametrize(
    ("name", "products"),
    [("resnet18", 1_814_073_344), ("alexnet", 714_188_480), ("squeezenet1_1", 349_151_936)],
)
def test_public_networks_at_224_pixels(name: str, products: int) -> None:
    assert describe(name, 1000, image_size=224).flops == 2 * products


def test_squeezenet1_1_computes_2_4_times_less_than_1_0() -> None:
    old, new = (describe(name, 1000, 224).flops for name in ("squeezenet1_0", "squeezenet1_1"))
    assert old / new == pytest.approx(2.4, abs=0.06)  # 2.35, counting convolutions only


@pytest.mark.parametrize(
    ("name", "image_size", "receptive_field"),
    [
        ("alchnet11", 64, 49),
        ("alexnet_zheng", 64, 48),
        ("vgg_like", 64, 34),
        ("alexnet", 256, 195),
        ("squeezenet1_1", 256, 207),
        ("resnet18_3x3", 64, 64),
    ],
)
def test_receptive_field(name: str, image_size: int, receptive_field: int) -> None:
    # alchnet11: 3, 5, 7 at steps of 1; 9 of 1, 13 of 2; 17, 25 of 4; 33, 49 of 8
    # alexnet_zheng: 9; 10; 18; 20; 28, 36, 44; 48
    assert describe(name, 200, image_size).receptive_field == receptive_field


@pytest.fixture
def spare_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    model_names()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


@pytest.mark.usefixtures("spare_registry")
def test_a_global_branch_sees_the_whole_image() -> None:
    class Gated(nn.Module):
        gates = False

        def __init__(self, num_classes: int, in_channels: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(in_channels, 4, 3, padding=1)
            self.norm = LocalResponseNorm(4, 1, 0.1)
            self.fc = nn.Linear(4, num_classes)

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(self.conv(x))
            y = self.norm(y * y.mean((2, 3), keepdim=True)) if self.gates else y
            return self.fc(y.mean((2, 3)))

    def gated(num_classes: int, in_channels: int = 3) -> nn.Module:
        """Gate its channels."""
        return Gated(num_classes, in_channels)

    register_model(head="fc", min_image_size=8)(gated)
    for gates, size in ((False, 3), (True, 32)):
        Gated.gates = gates
        assert describe("gated", 2, image_size=32).receptive_field == size


def test_options_reach_the_network() -> None:
    half = describe("thumbnet_quick", 10, width=16)
    assert half.num_parameters < describe("thumbnet_quick", 10).num_parameters


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("lenet5", {"image_size": 32}, "'lenet5' takes images of 28 px, not 32"),
        ("resnet18", {"image_size": 16}, "'resnet18' takes images of 32 or more px, not 16"),
        ("lenet5", {"batch_size": 0}, "batch_size=0 must be at least 1"),
        ("lenet6", {}, "did you mean 'lenet5'"),
    ],
)
def test_sizes_out_of_range_are_refused(name: str, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        describe(name, 10, **sizes)
