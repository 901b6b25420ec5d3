"""A small residual network that learns much in minutes on a CPU."""

from torch import Tensor, nn
from torch.nn import functional as F

from thumbnet.errors import RecipeError
from thumbnet.models.blocks import Conv3x3
from thumbnet.models.registry import register_model


class Group(nn.Module):
    """Halve the map with a convolution and a max-pool, then refine it by a residual one."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = Conv3x3(in_channels, out_channels)
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
    """A stem of stride 2, three groups, global max pool, one linear layer without a bias."""

    def __init__(self, num_classes: int, in_channels: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.group1 = Group(width, 2 * width)
        self.group2 = Group(2 * width, 4 * width)
        self.group3 = Group(4 * width, 8 * width)
        self.head = nn.Linear(8 * width, num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W), H and W at least 16."""
        x = self.group3(self.group2(self.group1(self.stem(images))))
        logits: Tensor = self.head(x.amax((2, 3)))  # (B, 8 * width, h, w) -> (B, 8 * width)
        return logits


@register_model(head="head", min_image_size=16)
def thumbnet_quick(num_classes: int, in_channels: int = 3, width: int = 32) -> nn.Module:
    """Seven convolutions in three residual groups; learns at one size and is used at any.

    Args:
        width: channels of the stem; the groups have 2, 4 and 8 times as many
    Raises: RecipeError unless width is at least 1
    """
    if width < 1:
        raise RecipeError(f"model 'thumbnet_quick': width={width} must be at least 1")
    return QuickNet(num_classes, in_channels, width)
