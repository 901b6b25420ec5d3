"""A small residual network that learns much in minutes on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from thumbnet.errors import RecipeError
from thumbnet.models.blocks import Conv3x3, check_choice
from thumbnet.models.registry import register_model

POOLS = ("max", "max_mean")


class Group(nn.Module):
    """Halve the map with a convolution and a max-pool, then refine it by a residual one.

    With `identity` the first convolution hands its input through and adds new channels to it.
    """

    def __init__(self, in_channels: int, out_channels: int, identity: bool = False) -> None:
        super().__init__()
        self.conv1 = Conv3x3(in_channels, out_channels)
        if identity:
            with torch.no_grad():
                nn.init.dirac_(self.conv1.weight[:in_channels])
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = Conv3x3(out_channels, out_channels)
        self.norm2 = nn.BatchNorm2d(out_channels)
        nn.init.zeros_(self.norm2.weight)  # the residual branch starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H // 2, W // 2)."""
        x = self.norm1(F.max_pool2d(self.conv1(x), 2)).relu_()
        y: Tensor = self.norm2(self.conv2(x))
        y += x
        return y.relu_()


class QuickNet(nn.Module):
    """A stem of stride 2, three groups, a global pool, one linear layer without a bias."""

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        width: int,
        pool: str = "max",
        identity: bool = False,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.group1 = Group(width, 2 * width, identity)
        self.group2 = Group(2 * width, 4 * width, identity)
        self.group3 = Group(4 * width, 8 * width, identity)
        self.with_mean = pool == "max_mean"
        self.head = nn.Linear((2 if self.with_mean else 1) * 8 * width, num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W), H and W at least 16."""
        x = self.group3(self.group2(self.group1(self.stem(images))))
        features = x.amax((2, 3))  # (B, 8 * width, h, w) -> (B, 8 * width)
        if self.with_mean:
            features = torch.cat([features, x.mean((2, 3))], dim=1)  # (B, 16 * width)
        logits: Tensor = self.head(features)
        return logits


@register_model(head="head", min_image_size=16)
def thumbnet_quick(
    num_classes: int,
    in_channels: int = 3,
    width: int = 32,
    pool: str = "max",
    identity: bool = False,
) -> nn.Module:
    """Seven convolutions in three residual groups; learns at one size and is used at any.

    Args:
        width: channels of the stem; the groups have 2, 4 and 8 times as many
        pool: `max` over the last map, or `max_mean`, both side by side
        identity: start with convolutions that hand their input through
    Raises: RecipeError unless width is at least 1 and the pool is known
    Source: identity: arXiv:2404.00498, section 3.3
    """
    if width < 1:
        raise RecipeError(f"model 'thumbnet_quick': width={width} must be at least 1")
    check_choice("model 'thumbnet_quick': pool", pool, POOLS)
    return QuickNet(num_classes, in_channels, width, pool, identity)
