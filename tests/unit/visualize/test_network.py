"""Numbers behind the pictures of networks: gradients, Grad-CAM, filters, maps, slopes, blocks."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model, model_names
from thumbnet.visualize.activations import draw_activations, layer_maps, strongest
from thumbnet.visualize.attribution import draw_attribution, grad_cam, overlay, saliency
from thumbnet.visualize.diagram import ROWS_A_COLUMN, fresh_blocks, network_blocks, to_columns
from thumbnet.visualize.filters import draw_filters, filter_tiles
from thumbnet.visualize.layers import find_convolution, map_layers
from thumbnet.visualize.prelu import draw_slopes, prelu_slopes


class Hand(nn.Module):
    """A 1x1 convolution of known weights, a mean over the map, and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).view(2, 3, 1, 1))
            self.head.weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 0.5]]))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.act(self.conv(images)).mean((2, 3)))
        return logits


def test_saliency_is_the_gradient() -> None:
    torch.manual_seed(0)
    weight = torch.randn(3, 4, 4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2, bias=False))
    with torch.no_grad():
        model[1].weight[1] = weight.flatten()
    found = saliency(model, torch.randn(1, 3, 4, 4), 1)
    np.testing.assert_allclose(found, weight.abs().amax(0).numpy(), rtol=1e-6)


@pytest.mark.parametrize(("class_index", "weights"), [(0, (1.0, -2.0)), (1, (3.0, 0.5))])
def test_grad_cam_by_hand(class_index: int, weights: tuple[float, float]) -> None:
    model, images = Hand().eval(), torch.rand(1, 3, 5, 5) + 0.1  # so that ReLU changes nothing
    found, layer = grad_cam(model, images, class_index, "conv")
    assert layer == "conv"
    red, green = images[0, 0], images[0, 1]
    expected = (weights[0] * red + weights[1] * green).relu() / 25  # the mean hands on 1/25
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-7)


def test_grad_cam_takes_the_last_map_and_refuses_what_is_none() -> None:
    model = Hand().eval()
    images = torch.rand(1, 3, 5, 5)
    assert grad_cam(model, images, 0)[1] == "act"
    with pytest.raises(RecipeError, match="no map"):
        grad_cam(model, images, 0, "head")
    with pytest.raises(RecipeError, match="no layer 'cnov'; did you mean 'conv'"):
        grad_cam(model, images, 0, "cnov")


def test_overlay_leaves_the_cold_alone() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    heat = np.zeros((2, 2), np.float32)
    np.testing.assert_allclose(overlay(image, heat), 100 / 255, rtol=1e-6)
    heat[0, 0] = 3
    mixed = overlay(image, heat)
    assert abs(mixed[0, 0] - 100 / 255).max() > 0.3
    np.testing.assert_allclose(mixed[7, 7], 100 / 255, rtol=1e-6)


def test_filters_are_scaled_each_on_its_own_with_zero_in_the_middle() -> None:
    weight = np.zeros((3, 2, 2, 2), np.float32)
    weight[0, 0, 0, 1] = -4
    weight[1, 1, 1, 0] = 0.5
    tiles = filter_tiles(weight)
    assert tiles.shape == (3, 2, 2, 2)
    assert tiles[0, 0, 1, 0] == 0
    assert tiles[1, 1, 0, 1] == 1
    assert (tiles[2] == 0.5).all()


def test_filters_of_color_grey_and_many_channels() -> None:
    for channels in (1, 3, 40):
        figure = draw_filters(nn.Conv2d(channels, 150, 3), "conv1", "net")
        tiles = figure.axes[0].images
        assert len(tiles) == (16 * 24 if channels == 40 else 128)
        assert "the first" in figure.texts[1].get_text()


def test_finding_a_convolution() -> None:
    model = create_model("thumbnet_quick", 4)
    assert find_convolution(model, None) == "stem.0"
    assert find_convolution(model, None, second=True) == "group1.conv1"
    with pytest.raises(RecipeError, match=r"did you mean 'group1\.conv1'"):
        find_convolution(model, "group1.con1")
    with pytest.raises(RecipeError, match="0 convolutions"):
        find_convolution(nn.Linear(2, 2), None)


def test_layers_worth_a_look_run_in_order_and_end_behind_the_activation() -> None:
    model = create_model("alexnet_prelu", 4, width=0.05).eval()
    layers = map_layers(model, torch.zeros(1, 3, 64, 64))
    assert layers == ["features.1", "features.4", "features.7", "features.9", "features.11"]
    quick = create_model("thumbnet_quick", 4, width=4).eval()
    assert map_layers(quick, torch.zeros(1, 3, 64, 64)) == ["stem.2", "group1", "group2", "group3"]


def test_activations_are_those_of_the_layer() -> None:
    model = Hand().eval()
    images = torch.rand(1, 3, 6, 6)
    maps = layer_maps(model, images)
    np.testing.assert_allclose(maps["act"], images[0, :2].numpy())
    varied = np.stack([np.zeros((2, 2)), np.eye(2), 5 * np.eye(2)]).astype(np.float32)
    assert strongest(varied, 2) == [2, 1]
    figure = draw_activations(np.zeros((6, 6, 3), np.uint8), maps, "title")
    assert len(figure.axes[0].images) == 1 + 1 + 2  # the image, the mean, two channels


def test_slopes() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.PReLU(4), nn.PReLU(init=-0.1))
    slopes = prelu_slopes(model)
    assert {name: len(one) for name, one in slopes.items()} == {"1": 4, "2": 1}
    assert slopes["2"][0] == pytest.approx(-0.1)
    assert "5 slopes in 2 layers" in draw_slopes(slopes, "net").texts[1].get_text()
    with pytest.raises(RecipeError, match="no PReLU"):
        prelu_slopes(nn.ReLU())


@pytest.mark.parametrize("name", model_names())
def test_a_diagram_holds_every_parameter_once(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name, 10)
    blocks, _ = fresh_blocks(name, 10)
    assert sum(block.num_parameters for block in blocks) == sum(
        parameter.numel() for parameter in model.parameters()
    )
    columns = to_columns(blocks)
    parts = [part.name for column in columns for block in column for part in block.parts]
    assert parts == [part.name for block in blocks for part in block.parts]
    assert max(sum(len(b.parts) for b in column) for column in columns) <= 2 * ROWS_A_COLUMN


def test_a_diagram_leaves_the_network_as_it_was() -> None:
    model = create_model("thumbnet_quick", 4, width=4).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    blocks = network_blocks(model, 3, 32)
    assert model.training
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())
    assert [block.name for block in blocks][:2] == ["stem", "group1"]
    assert blocks[0].parts[0].what == "conv 4 x 4, 4, stride 2"
    assert blocks[0].parts[0].output == (4, 16, 16)


def test_attribution_of_nothing_draws() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    figure = draw_attribution(image, np.zeros((2, 2), np.float32), "title", "note", "cam")
    assert len(figure.axes[0].images) == 3
