"""The two densely connected networks of abai2019."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from thumbnet.models.blocks import (
    SameConv2d,
    conv_norm_relu,
    draw_cut_normal,
    init_as_keras,
    keras_norm,
)
from thumbnet.models.registry import register_model

MIN_IMAGE_SIZE = 16
WIDTHS1 = (
    (32, 64, 128, 256, 512),
    (64, 128, 256, 512, 1024),
    (32, 128, 256, 512, 1024),
)
STEM2 = 32
WIDTHS2 = (128, 256, 512)
CONVS_PER_STAGE2 = 4


class Network1(nn.Module):
    """Three stages; each later one is joined by what came before, space turned into depth."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        width1, width2, width3 = (widths[-1] for widths in WIDTHS1)
        joined1 = 4 * width1 + width2
        joined2 = 4 * joined1 + width3
        self.stage1 = nn.Sequential(*_convs(in_channels, WIDTHS1[0], bias=False))
        self.stage2 = nn.Sequential(*_convs(width1, WIDTHS1[1], bias=False))
        self.stage3 = nn.Sequential(*_convs(joined1, WIDTHS1[2], bias=False))
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Sequential(
            nn.Conv2d(joined2, num_classes, 1, bias=False),
            keras_norm(num_classes),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.apply(init_as_keras)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W), H and W at least 16."""
        skip1 = self.pool(self.stage1(images))  # (B, 512, H / 2, W / 2)
        x = self.pool(self.stage2(skip1))
        skip2 = torch.cat([space_to_depth(skip1), x], 1)  # (B, 3072, H / 4, W / 4)
        x = self.pool(self.stage3(skip2))
        x = torch.cat([space_to_depth(skip2), x], 1)  # (B, 13312, H / 8, W / 8)
        logits: Tensor = self.head(x)
        return logits


class Stage(nn.Module):
    """Four convolutions of one width, joined by their input, normed and halved."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.out_channels = in_channels + width
        self.convs = nn.Sequential(*_convs(in_channels, (width,) * CONVS_PER_STAGE2, bias=True))
        self.norm = keras_norm(self.out_channels)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, in_channels + width, H // 2, W // 2)."""
        joined = torch.cat([x, self.convs(x)], 1)
        pooled: Tensor = self.pool(self.norm(joined).relu_())
        return pooled


class Network2(nn.Module):
    """A stem and three stages, each joined by its own input."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = conv_norm_relu(SameConv2d(in_channels, STEM2, 3))
        stages = []
        in_channels = STEM2
        for width in WIDTHS2:
            stages.append(Stage(in_channels, width))
            in_channels += width
        self.stages = nn.Sequential(*stages)
        # The 1x1 convolution before the global pool is the same as a linear layer behind it.
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(in_channels, num_classes)
        )
        self.apply(_init_as_variance_scaling)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W), H and W at least 16."""
        logits: Tensor = self.head(self.stages(self.stem(images)))
        return logits


def space_to_depth(x: Tensor) -> Tensor:
    """Lay the four pixels of each 2x2 square behind each other, in TensorFlow's order.

    An odd last row or column is left out, as a max-pool of 2 does.

    Shapes: (B, C, H, W) -> (B, 4 * C, H // 2, W // 2)
    """
    batch, channels, height, width = x.shape
    height, width = height // 2, width // 2
    x = x[:, :, : 2 * height, : 2 * width].permute(0, 2, 3, 1)  # (B, H, W, C)
    x = x.reshape(batch, height, 2, width, 2, channels)
    return x.transpose(2, 3).flatten(3).permute(0, 3, 1, 2)  # (B, 4 * C, h, w)


def _convs(in_channels: int, widths: Iterable[int], bias: bool) -> Iterable[nn.Module]:
    for out_channels in widths:
        yield conv_norm_relu(SameConv2d(in_channels, out_channels, 3, bias=bias))
        in_channels = out_channels


def _init_as_variance_scaling(module: nn.Module) -> None:
    """Draw weights as Keras' VarianceScaling does by default, biases zero.

    A normal of variance 1 / fan_in once it is cut at two deviations.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        std = module.weight[0].numel() ** -0.5 / 0.87962566103423978
        draw_cut_normal(module.weight, std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@register_model(head="head", min_image_size=MIN_IMAGE_SIZE)
def densenet_network1(num_classes: int, in_channels: int = 3) -> nn.Module:
    """Network 1: 15 convolutions, joins by space-to-depth; any image size.

    Keras counts 17,927,040 parameters at 200 classes, with the running statistics of the norms.

    Source: arXiv:1904.10429, network 1; columbia2020, model 1
    """
    return Network1(num_classes, in_channels)


@register_model(head="head", min_image_size=MIN_IMAGE_SIZE)
def densenet_network2(num_classes: int, in_channels: int = 3) -> nn.Module:
    """Network 2: 13 convolutions, each stage joined by its input; made for 64x64.

    Keras counts 11,822,920 parameters at 200 classes, with the running statistics of the norms.

    Source: arXiv:1904.10429, network 2; columbia2020, model 2
    """
    return Network2(num_classes, in_channels)
