"""VGG in two shapes: eleven layers of zheng2018's, nine small convolutions of bastidas2017's."""

from collections.abc import Iterable

from torch import Tensor, nn

from thumbnet.models.blocks import (
    SameConv2d,
    check_image_size,
    conv_norm_relu,
    init_as_keras,
    init_as_tflearn,
    make_dropout,
)
from thumbnet.models.registry import register_model

IMAGE_SIZE = 64
ZHENG_WIDTHS = (64, 128, 256, 512)


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


def _conv(in_channels: int, out_channels: int, size: tuple[int, int], stride: int = 1) -> nn.Module:
    return conv_norm_relu(SameConv2d(in_channels, out_channels, size, stride, bias=False))


@register_model(head="fc", image_size=IMAGE_SIZE)
def vgg_like(num_classes: int, in_channels: int = 3) -> nn.Module:
    """Nine small convolutions with batch norm, mostly 1x2 and 2x1, one hidden layer of 1024.

    Chosen, as the report does not say: convolutions are padded to keep the size ('same'), pools
    are not (Keras' default), so the last map has 14x14 pixels; no bias before a norm; Keras'
    first weights; ReLU after the hidden layer, whose width is damaged in the text.

    Source: bastidas2017, VGG-Like
    """
    features = [_conv(in_channels, 32, (2, 2), stride=2)]
    features += [_conv(32, 32, size) for size in ((1, 2), (2, 1), (1, 2), (2, 1), (1, 2))]
    features += [nn.MaxPool2d(2), _conv(32, 64, (2, 2)), _conv(64, 64, (2, 2))]
    features += [nn.MaxPool2d(2, stride=1), _conv(64, 32, (3, 3)), nn.MaxPool2d(2, stride=1)]
    hidden = [nn.Flatten(), nn.Linear(32 * 14 * 14, 1024), nn.ReLU(inplace=True)]
    model = Vgg(num_classes, features, hidden)
    model.apply(init_as_keras)
    return model
