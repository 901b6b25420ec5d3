"""AlexNet's shapes: maps, groups, normalization across channels, first weights, options."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from thumbnet.errors import RecipeError
from thumbnet.models.blocks import LocalResponseNorm
from thumbnet.models.registry import create_model
from thumbnet.models.taps import taps


def on_meta(name: str, **options: float | str) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, 200, **options).eval()


def maps(model: nn.Module, image_size: int, kind: type[nn.Module]) -> list[tuple[int, int]]:
    """List channels and side of what each layer of a kind puts out."""
    names = [name for name, module in model.named_modules() if isinstance(module, kind)]
    with taps(model, names) as outputs:
        model(torch.empty(2, 3, image_size, image_size, device="meta"))
    return [(outputs[name].shape[1], outputs[name].shape[2]) for name in names]


def linears(model: nn.Module) -> list[tuple[int, int]]:
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return [(layer.in_features, layer.out_features) for layer in layers]


@pytest.mark.parametrize("radius", [2, 5])
def test_response_norm_equals_the_plain_one(radius: int) -> None:
    size = 2 * radius + 1
    ours, plain = LocalResponseNorm(12, radius, 0.1), nn.LocalResponseNorm(size, 0.1 * size)
    torch.manual_seed(0)
    x = [value.requires_grad_() for value in torch.randn(3, 12, 5, 4).repeat(2, 1, 1, 1, 1)]
    results = ours(x[0]), plain(x[1])
    assert_close(*results)
    gradients = [torch.autograd.grad(y.sin().sum(), x[i])[0] for i, y in enumerate(results)]
    assert_close(*gradients)
    assert not ours.state_dict()


def test_response_norm_does_not_overflow_in_half_precision() -> None:
    x = torch.full((1, 8, 1, 1), 1000.0, dtype=torch.float16)
    norm = LocalResponseNorm(8, 2, 1e-4).half()
    assert_close(norm(x).float(), LocalResponseNorm(8, 2, 1e-4)(x.float()), rtol=0.01, atol=0)


def test_zheng_maps() -> None:
    model = on_meta("alexnet_zheng")
    assert maps(model, 64, nn.Conv2d) == [(96, 64), (256, 32), (384, 16), (384, 16), (256, 16)]
    assert maps(model, 64, nn.MaxPool2d) == [(96, 32), (256, 16), (256, 8)]
    assert maps(model, 64, LocalResponseNorm) == [(96, 32), (256, 16), (256, 8)]
    assert linears(model) == [(16384, 1024), (1024, 1024), (1024, 200)]
    assert [type(layer).__name__ for layer in model.hidden] == ["Linear", "Tanh", "Dropout"] * 2
    assert not maps(on_meta("alexnet_zheng", lrn=False), 64, LocalResponseNorm)


def test_caffe_maps_at_60_pixels() -> None:
    model = on_meta("alexnet_caffe")
    assert maps(model, 60, nn.Conv2d) == [(96, 13), (256, 6), (384, 3), (384, 3), (256, 3)]
    assert maps(model, 60, nn.MaxPool2d) == [(96, 6), (256, 3), (256, 1)]
    assert maps(model, 60, LocalResponseNorm) == [(96, 13), (256, 6)]
    assert linears(model) == [(256, 4096), (4096, 4096), (4096, 200)]
    convs = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert [conv.groups for conv in convs] == [1, 2, 1, 2, 2]


def test_caffe_draws_as_its_prototxt_says() -> None:
    torch.manual_seed(0)
    model = create_model("alexnet_caffe", 200)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    stds = [layer.weight.std().item() for layer in layers]
    assert stds == pytest.approx([0.01] * 5 + [0.005] * 2 + [0.01], rel=0.02)
    biases = [layer.bias.unique().tolist() for layer in layers]
    assert [len(bias) for bias in biases] == [1] * 8
    assert [bias[0] for bias in biases] == pytest.approx([0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0])


@pytest.mark.parametrize("name", ["alexnet_3x3", "alexnet_prelu"])
def test_small_maps_at_60_pixels(name: str) -> None:
    model = on_meta(name)
    assert maps(model, 60, nn.Conv2d) == [(96, 30), (256, 15), (384, 7), (384, 7), (256, 7)]
    assert maps(model, 60, nn.MaxPool2d) == [(96, 15), (256, 7), (256, 3)]
    assert linears(model) == [(2304, 2048), (2048, 2048), (2048, 200)]
    kinds = {nn.ReLU: 7, nn.PReLU: 0} if name == "alexnet_3x3" else {nn.ReLU: 0, nn.PReLU: 7}
    for kind, count in kinds.items():
        assert sum(isinstance(module, kind) for module in model.modules()) == count


def test_prelu_draws_as_xavier_and_learns_a_slope_per_channel() -> None:
    torch.manual_seed(0)
    model = create_model("alexnet_prelu", 200)
    bound = (3 / (9 * 384)) ** 0.5
    conv = model.features[10]
    assert conv.weight.shape == (256, 384, 3, 3)
    assert conv.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    slopes = [module.weight for module in model.modules() if isinstance(module, nn.PReLU)]
    assert [len(slope) for slope in slopes] == [96, 256, 384, 384, 256, 2048, 2048]
    assert all((slope == 0.25).all() for slope in slopes)


@pytest.mark.parametrize(
    ("options", "convs", "pools", "widths"),
    [
        ({"num_conv": 6}, [96, 256, 384, 384, 384, 256], 3, [2304, 2048, 2048]),
        ({"num_conv": 3}, [96, 256, 256], 3, [2304, 2048, 2048]),
        ({"num_pools": 4}, [96, 256, 384, 384, 256], 4, [256, 2048, 2048]),
        ({"num_pools": 2}, [96, 256, 384, 384, 256], 2, [256 * 49, 2048, 2048]),
        ({"num_fc": 1}, [96, 256, 384, 384, 256], 3, [2304]),
        ({"num_fc": 4}, [96, 256, 384, 384, 256], 3, [2304, 2048, 2048, 2048]),
        ({"width": 0.5}, [48, 128, 192, 192, 128], 3, [1152, 1024, 1024]),
    ],
)
def test_layers_more_or_fewer(
    options: dict[str, float], convs: list[int], pools: int, widths: list[int]
) -> None:
    model = on_meta("alexnet_3x3", **options)
    assert [channels for channels, _ in maps(model, 60, nn.Conv2d)] == convs
    assert len(maps(model, 60, nn.MaxPool2d)) == pools
    assert [in_features for in_features, _ in linears(model)] == widths


def test_response_norm_and_prelu_can_be_switched() -> None:
    model = on_meta("alexnet_3x3", lrn=True, activation="prelu")
    assert maps(model, 60, LocalResponseNorm) == [(96, 30), (256, 15)]
    assert sum(isinstance(module, nn.PReLU) for module in model.modules()) == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0 must be at least 0.01"),
        ({"num_conv": 2}, "num_conv=2 must be at least 3"),
        ({"num_pools": 5}, "num_pools=5 must be from 2 to 4"),
        ({"num_pools": 4, "num_conv": 3}, "at most num_conv=3"),
        ({"num_fc": 0}, "num_fc=0 must be at least 1"),
        ({"activation": "prulu"}, "did you mean 'prelu'"),
        ({"init": "he"}, "init='he'; allowed: gaussian, xavier"),
        ({"dropout": -0.1}, "dropout=-0.1 must be in"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        on_meta("alexnet_3x3", **options)


@pytest.mark.parametrize(("image_size", "side"), [(63, 1), (64, 1), (224, 6)])
def test_torchvisions_last_map(image_size: int, side: int) -> None:
    model = on_meta("alexnet")
    assert maps(model, image_size, nn.MaxPool2d)[-1] == (256, side)
    assert maps(model, image_size, nn.AdaptiveAvgPool2d) == [(256, 6)]
    assert model(torch.empty(1, 3, image_size, image_size, device="meta")).shape == (1, 200)
