"""The densely connected networks join the maps the paper says, and draw as Keras does."""

import pytest
import torch
from torch import Tensor, nn

from thumbnet.models.densenet import space_to_depth
from thumbnet.models.registry import create_model
from thumbnet.models.taps import taps


def test_space_to_depth_is_in_tensorflows_order() -> None:
    image = torch.arange(2 * 4 * 4.0).view(1, 2, 4, 4)
    depth = space_to_depth(image)
    assert depth.shape == (1, 8, 2, 2)
    expected = [
        image[0, channel, row, col] for row in (0, 1) for col in (0, 1) for channel in (0, 1)
    ]
    assert depth[0, :, 0, 0].tolist() == expected


def test_space_to_depth_unshuffles_and_leaves_an_odd_edge_out() -> None:
    torch.manual_seed(0)
    image = torch.randn(2, 3, 5, 7)
    plain = nn.functional.pixel_unshuffle(image[:, :, :4, :6], 2)  # channel, row, column
    assert torch.equal(
        space_to_depth(image), plain.unflatten(1, (3, 4)).transpose(1, 2).flatten(1, 2)
    )
    last = image.to(memory_format=torch.channels_last)
    assert space_to_depth(last).is_contiguous(memory_format=torch.channels_last)


def shapes(name: str, layers: list[str], image_size: int) -> list[tuple[int, ...]]:
    with torch.device("meta"):
        model = create_model(name, 200).eval()
        with taps(model, layers) as outputs:
            model(torch.empty(1, 3, image_size, image_size))
    return [tuple(outputs[layer].shape[1:]) for layer in layers]


@pytest.mark.parametrize(("image_size", "side"), [(64, 8), (32, 4), (16, 2)])
def test_network1_maps(image_size: int, side: int) -> None:
    assert shapes("densenet_network1", ["stage1", "stage2", "stage3", "head.1"], image_size) == [
        (512, 8 * side, 8 * side),
        (1024, 4 * side, 4 * side),
        (1024, 2 * side, 2 * side),
        (200, side, side),
    ]


def test_network1_joins_what_came_before() -> None:
    torch.manual_seed(0)
    model, joined = create_model("densenet_network1", 3).eval(), []
    handles = [
        layer.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0]))
        for layer in (model.stage2, model.stage3, model.head)
    ]
    assert len(handles) == 3
    with torch.no_grad():
        model(torch.randn(1, 3, 16, 16))
    skip1, skip2, last = joined

    def unshuffled(x: Tensor) -> Tensor:
        return (
            nn.functional.pixel_unshuffle(x, 2).unflatten(1, (-1, 4)).transpose(1, 2).flatten(1, 2)
        )

    assert (skip1.shape[1], skip2.shape[1], last.shape[1]) == (512, 3072, 13312)
    assert torch.equal(skip2[:, :2048], unshuffled(skip1))
    assert torch.equal(last[:, :12288], unshuffled(skip2))


def test_network1_has_no_bias_and_no_relu_at_the_head() -> None:
    with torch.device("meta"):
        model = create_model("densenet_network1", 200)
    convs = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert len(convs) == 16
    assert all(conv.bias is None for conv in convs)
    assert [type(layer).__name__ for layer in model.head] == [
        "Conv2d", "BatchNorm2d", "AdaptiveAvgPool2d", "Flatten",
    ]  # fmt: skip


def test_network2_maps() -> None:
    layers = ["stem", *(f"stages.{i}" for i in range(3))]
    assert shapes("densenet_network2", layers, 64) == [
        (32, 64, 64),
        (160, 32, 32),
        (416, 16, 16),
        (928, 8, 8),
    ]


def test_a_stage_of_network2_equals_its_plain_twin() -> None:
    torch.manual_seed(0)
    stage = create_model("densenet_network2", 3).eval().stages[0]
    nn.init.normal_(stage.norm.bias)
    x = torch.randn(2, 32, 6, 6)
    with torch.no_grad():
        expected = nn.functional.max_pool2d(stage.norm(torch.cat([x, stage.convs(x)], 1)).relu(), 2)
        assert torch.equal(stage(x), expected)


def test_network2_draws_by_variance_scaling() -> None:
    torch.manual_seed(0)
    weight = create_model("densenet_network2", 200).state_dict()["stages.2.convs.3.0.weight"]
    std = (512 * 9) ** -0.5
    assert weight.std().item() == pytest.approx(std, rel=0.01)
    assert weight.abs().max().item() == pytest.approx(2 * std / 0.8796, rel=0.01)


@pytest.mark.parametrize("name", ["densenet_network1", "densenet_network2"])
def test_norms_have_the_constants_of_keras(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name, 2)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 16
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
