"""Numbers behind the pictures of networks: gradients, Grad-CAM, filters, maps, slopes, blocks."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model, model_names
from thumbnet.visualize.activations import draw_activations, layer_maps, strongest
from thumbnet.visualize.attribution import draw_attribution, grad_cam, overlay, saliency
from thumbnet.visualize.diagram import draw_diagram, to_columns, to_panels
from thumbnet.visualize.filters import draw_filters, filter_tiles
from thumbnet.visualize.layers import find_convolution, map_layers
from thumbnet.visualize.prelu import draw_slopes, prelu_slopes
from thumbnet.visualize.trace import IMAGE, Op, fresh_graph, trace


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
def test_a_diagram_holds_every_operation_once(name: str) -> None:
    graph = fresh_graph(name, 10)
    assert graph.is_whole
    assert sum(op.num_parameters for op in graph.ops) == graph.num_parameters
    panels = to_panels(graph)
    assert sum(panel.num_parameters * panel.times for panel in panels) == graph.num_parameters
    assert [panel for column in to_columns(panels) for panel in column] == panels
    entry = IMAGE
    for panel in panels:
        places = {(panel.levels[i], panel.lanes[i]) for i in panel.boxes}
        assert len(places) == len(panel.boxes)  # no box on another
        for start, end, lane in panel.skips:  # nor a line across one
            passed = range(panel.levels.get(start, -1) + 1, panel.levels[end])
            assert not places & {(level, lane) for level in passed}
        inputs = {i for box in panel.boxes.values() for i in box.inputs} - set(panel.boxes)
        assert inputs == {panel.entry}
        assert panel.entry >= entry
        entry = max(panel.boxes)


def words(name: str, block: str) -> dict[str, Op]:
    """The operations of a block by what they are; those that come twice by the last."""
    return {op.what: op for op in fresh_graph(name, 10).ops if op.inside.startswith(block)}


def test_shortcuts_lie_beside_the_block_and_end_in_a_sum() -> None:
    graph = fresh_graph("resnet18", 10)
    first, second = (p for p in to_panels(graph) if p.title.startswith("layer2"))
    side = next(i for i, box in first.boxes.items() if box.ops[0].what.startswith("conv 1 x 1"))
    (join,) = (i for i, box in first.boxes.items() if box.ops[0].what == "sum")
    assert first.boxes[side].inputs == (first.entry,)
    assert side in first.boxes[join].inputs
    assert first.lanes[side] != first.lanes[join]
    assert second.boxes[max(second.boxes)].inputs[1] == second.entry  # the shortcut itself
    assert [skip[:2] for skip in second.skips] == [(second.entry, max(second.boxes))]
    done = [op.what for box in first.boxes.values() for op in box.ops]
    assert done.count("ReLU") == 2
    said = [op.what for op in graph.ops]
    assert said[3] == "max pool 3 x 3, stride 2"
    assert "global mean pool" in said


def test_branches_joins_and_functions_are_found() -> None:
    fire = words("squeezenet1_1", "features.3")
    assert len(fire["concat"].inputs) == 2
    assert "space to depth 2 x 2" in words("densenet_network1", "")
    assert len(words("fractalnet", "blocks.0")["mean"].inputs) == 3
    assert "global max pool" in words("thumbnet_quick", "")
    pools = [op for op in fresh_graph("alchnet19", 10).ops if op.what.startswith("max pool")]
    assert [op.name.rpartition(".")[0] for op in pools] == [
        f"blocks.{i}.shortcut" for i in (2, 4, 6)
    ]


def test_equal_blocks_in_a_row_are_drawn_once() -> None:
    panels = to_panels(fresh_graph("resnet34", 10))
    times = {panel.title: panel.times for panel in panels if panel.times > 1}
    assert times == {
        "layer1.0 to layer1.2 BasicBlock": 3, "layer2.1 to layer2.3 BasicBlock": 3,
        "layer3.1 to layer3.5 BasicBlock": 5, "layer4.1 to layer4.2 BasicBlock": 2,
    }  # fmt: skip


def test_a_network_that_leaves_torch_is_drawn_in_order_and_says_so() -> None:
    class Leaves(Hand):
        def forward(self, images: Tensor) -> Tensor:
            maps = torch.from_numpy(self.conv(images).numpy().copy())
            logits: Tensor = self.head(self.act(maps).mean((2, 3)))
            return logits

    graph = trace(Leaves(), 3, 8)
    assert [op.inputs for op in graph.ops] == [(IMAGE,), (0,), (1,), (2,)]
    note = draw_diagram(graph, "net").texts[1].get_text()
    assert "some connections could not be followed" in " ".join(note.split())
    assert "followed" not in draw_diagram(trace(Hand(), 3, 8), "net").texts[1].get_text()


def test_a_diagram_leaves_the_network_as_it_was() -> None:
    model = create_model("thumbnet_quick", 4, width=4).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    graph = trace(model, 3, 32)
    assert model.training
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert [panel.title for panel in to_panels(graph)][:2] == ["stem", "group1 Group"]
    assert graph.ops[0].what == "conv 4 x 4, 4, stride 2"
    assert graph.ops[0].output == (4, 16, 16)


def test_attribution_of_nothing_draws() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    figure = draw_attribution(image, np.zeros((2, 2), np.float32), "title", "note", "cam")
    assert len(figure.axes[0].images) == 3
