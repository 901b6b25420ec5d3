"""VGG in two shapes: eleven layers of zheng2018's, nine small convolutions of bastidas2017's."""

from collections.abc import Iterable
from typing import Literal

from torch import Tensor, nn

from thumbnet.models.blocks import (
    SameConv2d,
    check_choice,
    check_image_size,
    conv_norm_relu,
    init_as_keras,
    init_as_tflearn,
    make_dropout,
)
from thumbnet.models.registry import register_model

IMAGE_SIZE = 64
ZHENG_WIDTHS = (64, 128, 256, 512)

Norm = Literal["batch", "dropout"]


class Vgg(nn.Module):
    """Convolutions and pools, hidden layers on the flattened last map, a linear head."""

    def __init__(
        self, num_classes: int, features: Iterable[nn.Module], hidden: Iterable[nn.Module]
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.hidden = nn.Sequential(*hidden)
        self.fc = nn.Linear(1024, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, 64, 64)."""
        check_image_size(images, IMAGE_SIZE)
        logits: Tensor = self.fc(self.hidden(self.features(images)))
        return logits


def _zheng_features(in_channels: int) -> Iterable[nn.Module]:
    for width in ZHENG_WIDTHS:
        yield nn.Conv2d(in_channels, width, 3, padding=1)
        yield nn.ReLU(inplace=True)
        yield nn.Conv2d(width, width, 3, padding=1)
        yield nn.MaxPool2d(2)
        yield nn.ReLU(inplace=True)  # commutes with the pool, on a quarter of the pixels
        in_channels = width


@register_model(head="fc", image_size=IMAGE_SIZE)
def vgg11_zheng(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """VGG of 11 layers: pairs of 64, 128, 256, 512 channels, hidden layers of 1024.

    Source: zheng2018, vgg11, section 3.2; dropout from the author's code
    """
    hidden: list[nn.Module] = [nn.Flatten()]
    for in_features in (512 * 4 * 4, 1024):
        hidden += [nn.Linear(in_features, 1024), nn.ReLU(inplace=True), make_dropout(dropout)]
    model = Vgg(num_classes, _zheng_features(in_channels), hidden)
    model.apply(init_as_tflearn)
    return model


def _like_features(in_channels: int, norm: Norm) -> Iterable[nn.Module]:
    def conv(
        in_channels: int, out_channels: int, size: tuple[int, int], stride: int = 1
    ) -> nn.Module:
        if norm == "batch":
            layer = SameConv2d(in_channels, out_channels, size, stride, bias=False)
            return conv_norm_relu(layer)
        layer = SameConv2d(in_channels, out_channels, size, stride)
        return nn.Sequential(layer, nn.ReLU(inplace=True))

    def pool(stride: int) -> nn.Module:
        layer = nn.MaxPool2d(2, stride=stride)
        return layer if norm == "batch" else nn.Sequential(layer, make_dropout(0.25))

    yield conv(in_channels, 32, (2, 2), stride=2)
    for size in ((1, 2), (2, 1), (1, 2), (2, 1), (1, 2)):
        yield conv(32, 32, size)
    yield from (pool(2), conv(32, 64, (2, 2)), conv(64, 64, (2, 2)))
    yield from (pool(1), conv(64, 32, (3, 3)), pool(1))


@register_model(head="fc", image_size=IMAGE_SIZE)
def vgg_like(num_classes: int, in_channels: int = 3, norm: Norm = "batch") -> nn.Module:
    """Nine small convolutions with batch norm, mostly 1x2 and 2x1, one hidden layer of 1024.

    Chosen, as the report does not say: convolutions are padded to keep the size ('same'), pools
    are not (Keras' default), so the last map has 14x14 pixels; no bias before a norm; Keras'
    first weights; ReLU after the hidden layer, whose width is damaged in the text.

    Args:
        norm: "batch", or "dropout" for what the report had before: dropout of .25 after each pool
            and .5 in the hidden layer (chosen, as in Keras' examples), and no norm
    Raises: RecipeError for another norm
    Source: bastidas2017, VGG-Like
    """
    check_choice("model 'vgg_like': norm", norm, ("batch", "dropout"))
    hidden: list[nn.Module] = [nn.Flatten(), nn.Linear(32 * 14 * 14, 1024), nn.ReLU(inplace=True)]
    if norm == "dropout":
        hidden.append(make_dropout(0.5))
    model = Vgg(num_classes, _like_features(in_channels, norm), hidden)
    model.apply(init_as_keras)
    return model
