"""AlexNet in five shapes: zheng2018's, three of hansen2015's, and torchvision's."""

from collections.abc import Iterable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from thumbnet.models.blocks import (
    LocalResponseNorm,
    SameConv2d,
    check_choice,
    check_image_size,
    check_option,
    init_as_tflearn,
    make_dropout,
)
from thumbnet.models.registry import register_model

ZHENG_IMAGE_SIZE = 64
SMALL_SIDE = 30  # px, the map after the first convolution of a 60x60 image

Activation = Literal["relu", "prelu"]
Init = Literal["gaussian", "xavier"]


class AlexNet(nn.Module):
    """Features, a last map of a fixed side, hidden layers, and a linear head."""

    def __init__(
        self,
        num_classes: int,
        features: Iterable[nn.Module],
        hidden: Iterable[nn.Module],
        num_hidden: int,
        side: int,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.side = side
        self.hidden = nn.Sequential(*hidden)
        self.fc = nn.Linear(num_hidden, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W)."""
        x = self.features(images)
        if x.shape[2:] != (self.side, self.side):  # other sizes than the network's own
            x = F.adaptive_avg_pool2d(x, self.side)
        logits: Tensor = self.fc(self.hidden(x.flatten(1)))
        return logits


class ZhengAlexNet(AlexNet):
    """An AlexNet that takes 64x64 pixels only."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, 64, 64)."""
        check_image_size(images, ZHENG_IMAGE_SIZE)
        return super().forward(images)


class TorchvisionAlexNet(nn.Module):
    """AlexNet's second version, on one GPU, under torchvision's parameter names."""

    def __init__(self, num_classes: int, in_channels: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            make_dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            make_dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W), H and W at least 63."""
        x = self.avgpool(self.features(images))  # (B, 256, 6, 6)
        logits: Tensor = self.classifier(x.flatten(1))
        return logits


def _activation(kind: Activation, channels: int) -> nn.Module:
    return nn.PReLU(channels) if kind == "prelu" else nn.ReLU(inplace=True)


def _hidden(
    in_features: int, width: int, count: int, activation: Activation, dropout: float
) -> Iterable[nn.Module]:
    for _ in range(count):
        yield nn.Linear(in_features, width)
        yield _activation(activation, width)
        yield make_dropout(dropout)
        in_features = width


def _init_as_caffe(model: AlexNet, init: Init) -> None:
    """Draw weights as Caffe's AlexNet ("gaussian"), or within sqrt(3 / fan_in) ("xavier").

    Gaussian: deviation .01, .005 in the hidden layers; biases .1 in these and in all convolutions
    but the first and the third. Xavier, as Caffe has it, looks at fan_in only; biases are zero.
    """
    convs = [module for module in model.features if isinstance(module, nn.Conv2d)]
    hidden = [module for module in model.hidden if isinstance(module, nn.Linear)]
    layers: list[nn.Conv2d | nn.Linear] = [*convs, *hidden, model.fc]
    for layer in layers:
        assert layer.bias is not None
        if init == "xavier":
            bound = (3 / layer.weight[0].numel()) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)
        else:
            nn.init.normal_(layer.weight, std=0.005 if layer in hidden else 0.01)
            plain = layer in (convs[0], convs[2], model.fc)
            nn.init.constant_(layer.bias, 0.0 if plain else 0.1)


@register_model(head="fc", image_size=ZHENG_IMAGE_SIZE)
def alexnet_zheng(
    num_classes: int, in_channels: int = 3, dropout: float = 0.5, lrn: bool = True
) -> nn.Module:
    """AlexNet for 64x64: a first layer of 9x9 and stride 1, hidden layers of 1024 with tanh.

    Args:
        lrn: whether the maps are normalized across channels after each pool
    Source: zheng2018, alexNet; layers from the author's code
    """

    def pool(channels: int) -> list[nn.Module]:
        # ReLU and max-pooling commute, and the pooled map is a quarter of the size.
        norm = [LocalResponseNorm(channels, radius=5, alpha=1e-4)] if lrn else []
        return [nn.MaxPool2d(2), nn.ReLU(inplace=True), *norm]

    features: list[nn.Module] = [SameConv2d(in_channels, 96, 9), *pool(96)]
    features += [SameConv2d(96, 256, 5), *pool(256)]
    features += [SameConv2d(256, 384, 3), nn.ReLU(inplace=True)]
    features += [SameConv2d(384, 384, 3), nn.ReLU(inplace=True)]
    features += [SameConv2d(384, 256, 3), *pool(256)]
    hidden = [nn.Linear(256 * 8 * 8, 1024), nn.Tanh(), make_dropout(dropout)]
    hidden += [nn.Linear(1024, 1024), nn.Tanh(), make_dropout(dropout)]
    model = ZhengAlexNet(num_classes, features, hidden, 1024, side=8)
    model.apply(init_as_tflearn)
    return model


@register_model(head="fc", min_image_size=39)
def alexnet_caffe(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """AlexNet as Caffe has it, made for crops of 60x60, whose last map is one pixel.

    Two groups of channels, normalization across channels, pools that round up. Its first weights
    suit pixels from 0 to 255 less their mean. Other sizes than 60 to 64 pool the last map.

    Source: hansen2015, section 4.1; Caffe's bvlc_alexnet
    """

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)

    def norm(channels: int) -> nn.Module:
        return LocalResponseNorm(channels, radius=2, alpha=1e-4 / 5)

    def relu() -> nn.Module:
        return nn.ReLU(inplace=True)

    features = [nn.Conv2d(in_channels, 96, 11, stride=4), relu(), norm(96), pool()]
    features += [nn.Conv2d(96, 256, 5, padding=2, groups=2), relu(), norm(256), pool()]
    features += [nn.Conv2d(256, 384, 3, padding=1), relu()]
    features += [nn.Conv2d(384, 384, 3, padding=1, groups=2), relu()]
    features += [nn.Conv2d(384, 256, 3, padding=1, groups=2), pool(), relu()]
    model = AlexNet(num_classes, features, _hidden(256, 4096, 2, "relu", dropout), 4096, side=1)
    _init_as_caffe(model, "gaussian")
    return model


@register_model(head="fc", min_image_size=32)
def alexnet_3x3(
    num_classes: int,
    in_channels: int = 3,
    width: float = 1.0,
    num_conv: int = 5,
    num_pools: int = 3,
    num_fc: int = 3,
    activation: Activation = "relu",
    init: Init = "gaussian",
    lrn: bool = False,
    dropout: float = 0.5,
) -> nn.Module:
    """AlexNet with small filters and pools for 60x60: 5x5 of stride 2, then 3x3, pools of 2.

    The report's figure with the widths is lost: AlexNet's own are taken for the convolutions (96,
    256, 384, 384, 256) and half of them, 2048, for the hidden layers; the last map has 3x3 pixels.

    Args:
        width: factor on the channels of all layers
        num_conv: convolutions, at least 3; more or fewer are those of 384 channels
        num_pools: after the first, the second, the last convolution, then the third; 2 to 4
        num_fc: linear layers with the head, at least 1
        init: as Caffe's AlexNet, for pixels of 0 to 255 less their mean; or Xavier's
        lrn: whether the first two convolutions are normalized across channels
    Raises: RecipeError for an option out of range
    Source: hansen2015, section 4.1
    """
    name = "model 'alexnet_3x3': "
    check_option(width >= 0.01, f"{name}width={width} must be at least 0.01")
    check_option(num_conv >= 3, f"{name}num_conv={num_conv} must be at least 3")
    check_option(
        2 <= num_pools <= min(4, num_conv),
        f"{name}num_pools={num_pools} must be from 2 to 4, and at most num_conv={num_conv}",
    )
    check_option(num_fc >= 1, f"{name}num_fc={num_fc} must be at least 1")
    check_choice(f"{name}activation", activation, ("relu", "prelu"))
    check_choice(f"{name}init", init, ("gaussian", "xavier"))
    features = _small_features(in_channels, width, num_conv, num_pools, activation, lrn)
    side = SMALL_SIDE >> num_pools
    in_features = round(256 * width) * side * side
    units = round(2048 * width)
    hidden = _hidden(in_features, units, num_fc - 1, activation, dropout)
    model = AlexNet(num_classes, features, hidden, units if num_fc > 1 else in_features, side)
    _init_as_caffe(model, init)
    return model


def _small_features(
    in_channels: int, width: float, num_conv: int, num_pools: int, activation: Activation, lrn: bool
) -> Iterable[nn.Module]:
    pooled = (0, 1, num_conv - 1, 2)[:num_pools]
    for i, channels in enumerate((96, 256, *(384,) * (num_conv - 3), 256)):
        out_channels = round(channels * width)
        size, stride = (5, 2) if i == 0 else (3, 1)
        yield nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2)
        yield _activation(activation, out_channels)
        if lrn and i < 2:
            yield LocalResponseNorm(out_channels, radius=2, alpha=1e-4 / 5)
        if i in pooled:
            yield nn.MaxPool2d(2)
        in_channels = out_channels


@register_model(head="fc", min_image_size=32)
def alexnet_prelu(
    num_classes: int, in_channels: int = 3, width: float = 1.0, dropout: float = 0.5
) -> nn.Module:
    """AlexNet with small filters, a parametric ReLU per channel everywhere, Xavier's weights.

    Widths as in `alexnet_3x3`, chosen too. Slopes start at 0.25.

    Source: hansen2015, section 4.1; arXiv:1502.01852
    """
    return alexnet_3x3(
        num_classes,
        in_channels,
        width=width,
        activation="prelu",
        init="xavier",
        dropout=dropout,
    )


@register_model(head="classifier.6", min_image_size=63)
def alexnet(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """AlexNet as torchvision has it, for 224x224; at 64x64 its last map is one pixel, repeated.

    Source: arXiv:1404.5997; vonmartens2019, AlexNet
    """
    return TorchvisionAlexNet(num_classes, in_channels, dropout)
