"""VGG-like, Inception-like and SqueezeNet: maps, kernels, branches."""

import pytest
import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model
from thumbnet.models.taps import taps


def on_meta(name: str, **options: str) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, 200, **options).eval()


def maps(name: str, layers: list[str], image_size: int = 64) -> list[tuple[int, ...]]:
    model = on_meta(name)
    with taps(model, layers) as outputs:
        model(torch.empty(1, 3, image_size, image_size, device="meta"))
    return [tuple(outputs[layer].shape[1:]) for layer in layers]


def kernels(model: nn.Module) -> list[tuple[int, ...]]:
    convs = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    return [(conv.out_channels, *conv.kernel_size, conv.stride[0]) for conv in convs]


def test_vgg11_zheng_pools_after_each_pair() -> None:
    assert kernels(on_meta("vgg11_zheng")) == [
        (width, 3, 3, 1) for width in (64, 128, 256, 512) for _ in range(2)
    ]
    pools = [f"features.{i}" for i in (3, 8, 13, 18)]
    assert maps("vgg11_zheng", pools) == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_vgg_like_convolutions() -> None:
    assert kernels(on_meta("vgg_like")) == [
        (32, 2, 2, 2),
        (32, 1, 2, 1),
        (32, 2, 1, 1),
        (32, 1, 2, 1),
        (32, 2, 1, 1),
        (32, 1, 2, 1),
        (64, 2, 2, 1),
        (64, 2, 2, 1),
        (32, 3, 3, 1),
    ]
    layers = ["features.5", "features.8", "features.9", "features.11"]
    assert maps("vgg_like", layers) == [(32, 32, 32), (64, 16, 16), (64, 15, 15), (32, 14, 14)]


def test_vgg_like_can_drop_where_it_norms() -> None:
    plain, model = on_meta("vgg_like"), on_meta("vgg_like", norm="dropout")
    assert kernels(model) == kernels(plain)
    rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.25, 0.25, 0.25, 0.5]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert not any(isinstance(module, nn.Dropout) for module in plain.modules())
    assert model(torch.empty(2, 3, 64, 64, device="meta")).shape == (2, 200)
    with pytest.raises(RecipeError, match=r"norm='bach'; did you mean 'batch'"):
        on_meta("vgg_like", norm="bach")


@pytest.mark.parametrize(("name", "count"), [("vgg_like", 9), ("inceptionv3_like", 48)])
def test_norms_have_the_constants_of_keras(name: str, count: int) -> None:
    norms = [module for module in on_meta(name).modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == count
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


def test_inceptionv3_like_maps() -> None:
    layers = ["stem.2", "stem", *(f"blocks.{i}" for i in range(5))]
    assert maps("inceptionv3_like", layers) == [
        (64, 32, 32),
        (80, 8, 8),
        (256, 8, 8),
        (288, 8, 8),
        *[(768, 8, 8)] * 3,
    ]


def test_inception_modules_have_the_branches_of_the_figures() -> None:
    figure5, *_, figure6 = on_meta("inceptionv3_like").blocks

    def sizes(branch: nn.Module) -> list[str]:
        return [f"{height}x{width}" for _, height, width, _ in kernels(branch)]

    assert sizes(figure5.twice) == ["1x1", "3x3", "3x3"]
    assert sizes(figure5.once) == ["1x1", "3x3"]
    assert sizes(figure6.twice) == ["1x1", "1x2", "2x1", "1x2", "2x1"]
    assert sizes(figure6.once) == ["1x1", "1x2", "2x1"]
    for module in (figure5, figure6):
        assert sizes(module.pool) == sizes(module.plain) == ["1x1"]
        assert isinstance(module.pool[0], nn.AvgPool2d)


@pytest.mark.parametrize(
    ("name", "pools", "sides"),
    [("squeezenet1_0", (2, 6, 11), (54, 27, 13)), ("squeezenet1_1", (2, 5, 8), (55, 27, 13))],
)
def test_squeezenet_pools_round_up(
    name: str, pools: tuple[int, ...], sides: tuple[int, ...]
) -> None:
    found = maps(name, [f"features.{i}" for i in pools], image_size=224)
    assert tuple(side for _, side, _ in found) == sides


def test_squeezenet_draws_its_head_small_and_leaves_dropout_out_on_request() -> None:
    torch.manual_seed(0)
    model = create_model("squeezenet1_1", 200, dropout=0)
    assert model.classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())
    assert list(model.state_dict())[-2:] == ["classifier.1.weight", "classifier.1.bias"]
