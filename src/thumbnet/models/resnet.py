"""ResNet-18 and -34 by torchvision's parameter names, so that public weights load by name."""

from collections.abc import Sequence

from torch import Tensor, nn

from thumbnet.models.blocks import Conv3x3
from thumbnet.models.registry import register_model

WIDTHS = (64, 128, 256, 512)
DEPTHS18 = (2, 2, 2, 2)
DEPTHS34 = (3, 4, 6, 3)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with norms, plus a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv3x3(in_channels, out_channels, stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = Conv3x3(out_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H / stride, W / stride)."""
        y: Tensor = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y))
        y += self.downsample(x)
        return y.relu_()


class ResNet(nn.Module):
    """A stem, four stages of blocks, global average pool, one linear layer."""

    def __init__(
        self, num_classes: int, in_channels: int, depths: Sequence[int], small_stem: bool
    ) -> None:
        super().__init__()
        if small_stem:
            self.conv1 = nn.Conv2d(in_channels, WIDTHS[0], 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small_stem else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], depths[0], stride=1)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], depths[1], stride=2)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], depths[2], stride=2)
        self.layer4 = _stage(WIDTHS[2], WIDTHS[3], depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(WIDTHS[3], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))  # (B, 512, h, w) -> (B, 512)
        return logits


def _stage(in_channels: int, out_channels: int, depth: int, stride: int) -> nn.Sequential:
    first = BasicBlock(in_channels, out_channels, stride)
    return nn.Sequential(
        first, *(BasicBlock(out_channels, out_channels, 1) for _ in range(depth - 1))
    )


@register_model(head="fc", min_image_size=32)
def resnet18(num_classes: int, in_channels: int = 3) -> nn.Module:
    """ResNet-18 with ImageNet's stem: 7x7 of stride 2, then a max-pool of stride 2.

    Source: arXiv:1512.03385, table 1; vonmartens2019, ResNet-18
    """
    return ResNet(num_classes, in_channels, DEPTHS18, small_stem=False)


@register_model(head="fc", min_image_size=8)
def resnet18_3x3(num_classes: int, in_channels: int = 3) -> nn.Module:
    """ResNet-18 for small images: a 3x3 stem of stride 1 and no max-pool.

    Source: arXiv:1512.03385, section 4.2, the stem used there for 32x32 images
    """
    return ResNet(num_classes, in_channels, DEPTHS18, small_stem=True)


@register_model(head="fc", min_image_size=32)
def resnet34(num_classes: int, in_channels: int = 3) -> nn.Module:
    """ResNet-34 with ImageNet's stem: 7x7 of stride 2, then a max-pool of stride 2.

    Source: arXiv:1512.03385, table 1
    """
    return ResNet(num_classes, in_channels, DEPTHS34, small_stem=False)


@register_model(head="fc", min_image_size=8)
def resnet34_3x3(num_classes: int, in_channels: int = 3) -> nn.Module:
    """ResNet-34 for small images: a 3x3 stem of stride 1 and no max-pool.

    Source: arXiv:1512.03385, section 4.2, the stem used there for 32x32 images
    """
    return ResNet(num_classes, in_channels, DEPTHS34, small_stem=True)
