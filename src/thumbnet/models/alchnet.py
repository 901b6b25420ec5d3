"""AlchNet, the residual network of zheng2018: two depths, two orders of norm, two heads."""

from typing import Literal

from torch import Tensor, nn

from thumbnet.models.blocks import SameConv2d, check_image_size, init_as_tflearn, make_dropout
from thumbnet.models.registry import register_model

IMAGE_SIZE = 64
MIN_IMAGE_SIZE = 8
WIDTHS = (64, 128, 256, 512)

Order = Literal["bn_relu", "relu_bn"]

# Every convolution has a bias, TFLearn's default, though batch normalization takes it out again:
# only so does the author's variant with ReLU first and a global pool count 11,904,200 parameters.


class Block(nn.Module):
    """Two 3x3 convolutions, each with a norm and a ReLU in either order, around a shortcut.

    bn_relu: convolution, norm, ReLU, convolution, norm, plus the shortcut, ReLU.
    relu_bn: convolution, ReLU, norm, convolution, plus the shortcut, ReLU, norm.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, order: Order) -> None:
        super().__init__()
        self.order = order
        self.conv1 = SameConv2d(in_channels, out_channels, 3, stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = SameConv2d(out_channels, out_channels, 3)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(
                nn.MaxPool2d(stride, ceil_mode=True), nn.Conv2d(in_channels, out_channels, 1)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H / stride, W / stride)."""
        y: Tensor = self.conv1(x)
        if self.order == "relu_bn":
            y = self.conv2(self.norm1(y.relu_()))
            y += self.shortcut(x)
            normed: Tensor = self.norm2(y.relu_())
            return normed
        y = self.norm2(self.conv2(self.norm1(y).relu_()))
        y += self.shortcut(x)
        return y.relu_()


class AlchNet(nn.Module):
    """A stem, four stages of blocks, and a wide hidden layer on the last map, pooled or not."""

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        blocks_per_stage: int,
        order: Order,
        pool: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        norm, relu = nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True)
        self.stem = nn.Sequential(
            SameConv2d(in_channels, WIDTHS[0], 3),
            *((norm, relu) if order == "bn_relu" else (relu, norm)),
        )
        blocks: list[nn.Module] = []
        width = WIDTHS[0]
        for out_channels in WIDTHS:
            for _ in range(blocks_per_stage):
                blocks.append(Block(width, out_channels, 1 if width == out_channels else 2, order))
                width = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1) if pool else nn.Identity()
        self.hidden = nn.Sequential(
            nn.Flatten(),  # channel, row, column; TensorFlow's order is row, column, channel
            nn.Linear(width if pool else width * (IMAGE_SIZE // 8) ** 2, 1024),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(1024),
            make_dropout(dropout),
        )
        self.fc = nn.Linear(1024, num_classes)
        self.takes_any_size = pool
        self.apply(init_as_tflearn)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W); 64x64 without a global pool."""
        if not self.takes_any_size:
            check_image_size(images, IMAGE_SIZE)
        x = self.blocks(self.stem(images))  # (B, 512, H / 8, W / 8)
        logits: Tensor = self.fc(self.hidden(self.pool(x)))
        return logits


@register_model(head="fc", min_image_size=MIN_IMAGE_SIZE)
def alchnet11(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """AlchNet of 11 layers, ReLU before norm, global pool: 5.6 M parameters.

    Args:
        dropout: its probability before the last layer; 0 is the report's "-d"
    Source: zheng2018, alchNet11; order and global pool from the author's code
    """
    return AlchNet(
        num_classes, in_channels, blocks_per_stage=1, order="relu_bn", pool=True, dropout=dropout
    )


@register_model(head="fc", image_size=IMAGE_SIZE)
def alchnet19(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """AlchNet of 19 layers, norm before ReLU, no global pool: 44.9 M parameters.

    Source: zheng2018, alchNet19; the head without a global pool from the author's code
    """
    return AlchNet(
        num_classes, in_channels, blocks_per_stage=2, order="bn_relu", pool=False, dropout=dropout
    )


@register_model(head="fc", min_image_size=MIN_IMAGE_SIZE)
def alchnet19_gap(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """AlchNet of 19 layers, norm before ReLU, global pool: 11,904,200 parameters.

    Source: zheng2018, the fourth of its heads and orders, which the report leaves out
    """
    return AlchNet(
        num_classes, in_channels, blocks_per_stage=2, order="bn_relu", pool=True, dropout=dropout
    )


@register_model(head="fc", min_image_size=MIN_IMAGE_SIZE)
def alchnet19_relu_bn(num_classes: int, in_channels: int = 3, dropout: float = 0.5) -> nn.Module:
    """AlchNet of 19 layers, ReLU before norm, global pool: 11,904,200 parameters.

    Source: zheng2018, alchNet19+c; global pool from the author's code
    """
    return AlchNet(
        num_classes, in_channels, blocks_per_stage=2, order="relu_bn", pool=True, dropout=dropout
    )


@register_model(head="fc", image_size=IMAGE_SIZE)
def alchnet19_relu_bn_flat(
    num_classes: int, in_channels: int = 3, dropout: float = 0.5
) -> nn.Module:
    """AlchNet of 19 layers, ReLU before norm, no global pool: 44.9 M parameters.

    Source: zheng2018, the third of its heads and orders, which the report leaves out
    """
    return AlchNet(
        num_classes, in_channels, blocks_per_stage=2, order="relu_bn", pool=False, dropout=dropout
    )
