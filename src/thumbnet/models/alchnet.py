"""AlchNet, the residual network of zheng2018."""

import math

from torch import Tensor, nn

from thumbnet.models.blocks import check_image_size
from thumbnet.models.registry import register_model

IMAGE_SIZE = 64
WIDTHS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2


# Every convolution has a bias, TFLearn's default, though batch normalization takes it out again:
# only so does the author's variant with ReLU first and a global pool count 11,904,200 parameters.
def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Build a padded 3x3 convolution with a bias.

    TensorFlow pads a stride of 2 by one pixel at the lower right only; this pads all round.
    """
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)


class Block(nn.Module):
    """Convolution, norm, ReLU, convolution, norm, plus the shortcut, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(nn.MaxPool2d(stride), nn.Conv2d(in_channels, out_channels, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H / stride, W / stride)."""
        y: Tensor = self.norm1(self.conv1(x)).relu_()
        y = self.norm2(self.conv2(y))
        y += self.shortcut(x)
        return y.relu_()


class AlchNet(nn.Module):
    """A stem, four stages of blocks, and a wide hidden layer on the flattened last map."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv3x3(in_channels, WIDTHS[0]), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True)
        )
        blocks: list[nn.Module] = []
        width = WIDTHS[0]
        for out_channels in WIDTHS:
            for _ in range(BLOCKS_PER_STAGE):
                blocks.append(Block(width, out_channels, 1 if width == out_channels else 2))
                width = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.hidden = nn.Sequential(
            nn.Flatten(),  # channel, row, column; TensorFlow's order is row, column, channel
            nn.Linear(width * (IMAGE_SIZE // 8) ** 2, 1024),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(1024),
            nn.Dropout(0.5),
        )
        self.fc = nn.Linear(1024, num_classes)
        self.apply(_init_as_tflearn)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, 64, 64)."""
        check_image_size(images, IMAGE_SIZE)
        x = self.blocks(self.stem(images))  # (B, 512, 8, 8)
        logits: Tensor = self.fc(self.hidden(x))
        return logits


def _init_as_tflearn(module: nn.Module) -> None:
    """Draw weights as TFLearn's layers do by default.

    Convolutions `uniform_scaling`: within sqrt(3 / fan_in); linear layers a normal of deviation
    0.02 cut at two deviations; norm weights a normal of mean 1, deviation 0.002; biases zero.
    Epsilon 1e-5 and decay 0.9 (momentum 0.1 here) of the norms are PyTorch's defaults too.
    """
    if isinstance(module, nn.Conv2d):
        bound = math.sqrt(3 / module.weight[0].numel())
        nn.init.uniform_(module.weight, -bound, bound)
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.002)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


@register_model(head="fc", image_size=IMAGE_SIZE)
def alchnet19(num_classes: int, in_channels: int = 3) -> nn.Module:
    """AlchNet of 19 layers, norm before ReLU, no global pool: 44.9 M parameters.

    Source: zheng2018, AlchNet19; the head without a global pool from the author's code
    """
    return AlchNet(num_classes, in_channels)
