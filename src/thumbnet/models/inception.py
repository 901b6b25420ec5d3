"""A small Inception-v3, of bastidas2017."""

import torch
from torch import Tensor, nn

from thumbnet.models.blocks import SameConv2d, conv_norm_relu, init_as_keras
from thumbnet.models.registry import register_model


def _conv(
    in_channels: int, out_channels: int, size: int | tuple[int, int], stride: int = 1
) -> nn.Sequential:
    return conv_norm_relu(SameConv2d(in_channels, out_channels, size, stride, bias=False))


class Module5(nn.Module):
    """Four branches: two 3x3, one 3x3, an average pool, and 1x1 alone.

    Source: arXiv:1512.00567, figure 5
    """

    def __init__(self, in_channels: int, pooled: int) -> None:
        super().__init__()
        self.out_channels = 96 + 64 + pooled + 64
        self.twice = nn.Sequential(_conv(in_channels, 64, 1), _conv(64, 96, 3), _conv(96, 96, 3))
        self.once = nn.Sequential(_conv(in_channels, 48, 1), _conv(48, 64, 3))
        self.pool = _pool_branch(in_channels, pooled)
        self.plain = _conv(in_channels, 64, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H, W)."""
        return torch.cat([self.twice(x), self.once(x), self.pool(x), self.plain(x)], 1)


class Module6(nn.Module):
    """Four branches whose n x n convolutions are split into 1 x n and n x 1, with n = 2.

    Source: arXiv:1512.00567, figure 6
    """

    out_channels = 4 * 192

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.twice = nn.Sequential(
            _conv(in_channels, width, 1),
            _conv(width, width, (1, 2)),
            _conv(width, width, (2, 1)),
            _conv(width, width, (1, 2)),
            _conv(width, 192, (2, 1)),
        )
        self.once = nn.Sequential(
            _conv(in_channels, width, 1), _conv(width, width, (1, 2)), _conv(width, 192, (2, 1))
        )
        self.pool = _pool_branch(in_channels, 192)
        self.plain = _conv(in_channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, 768, H, W)."""
        return torch.cat([self.twice(x), self.once(x), self.pool(x), self.plain(x)], 1)


class InceptionLike(nn.Module):
    """A stem that takes an eighth of the side, five modules, global average pool, linear head."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv(in_channels, 32, 2, stride=2),
            _conv(32, 32, 2),
            _conv(32, 64, 2),
            nn.MaxPool2d(2),
            _conv(64, 80, 2, stride=2),
        )
        modules: list[nn.Module] = []
        width = 80
        for pooled in (32, 64):
            modules.append(module5 := Module5(width, pooled))
            width = module5.out_channels
        for inner in (128, 160, 160):
            modules.append(Module6(width, inner))
            width = Module6.out_channels
        self.blocks = nn.Sequential(*modules)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, num_classes)
        self.apply(init_as_keras)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W)."""
        x = self.blocks(self.stem(images))  # (B, 768, H / 8, W / 8)
        logits: Tensor = self.fc(self.pool(x).flatten(1))
        return logits


def _pool_branch(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
        _conv(in_channels, out_channels, 1),
    )


@register_model(head="fc", min_image_size=8)
def inceptionv3_like(num_classes: int, in_channels: int = 3) -> nn.Module:
    """A stem of 2x2 convolutions, two modules of Inception-v3's figure 5, three of its figure 6.

    Chosen, as the report does not say: widths are those of Inception-v3's first two modules of
    either kind (64, 48-64, 64-96-96, pool 32 and 64; then 128, 160 and 160 within, 192 out of
    each branch); figure 5 keeps its 3x3; convolutions are padded to keep the size ('same'),
    without a bias; Keras' first weights.

    Source: bastidas2017, InceptionV3-Like; arXiv:1512.00567, figures 5 and 6
    """
    return InceptionLike(num_classes, in_channels)
