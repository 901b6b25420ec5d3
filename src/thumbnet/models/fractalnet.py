"""FractalNet: columns of different depth that join again and again, and drop-path."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from thumbnet.models.blocks import Conv3x3, check_option, init_as_keras, make_dropout
from thumbnet.models.registry import register_model

NUM_BLOCKS = 5
GLOBAL_SHARE = 0.5  # of the images, which take one column through the whole network


class Paths:
    """Which of its inputs each join keeps, image by image.

    One image in two takes a single column, the same in every join; for the others each join drops
    each input with the same probability, but never all. All draws stay on the device.
    """

    def __init__(self, images: Tensor, num_columns: int, drop_path: float) -> None:
        shape = (len(images), 1)
        self.drop_path = drop_path
        self.device = images.device
        self.one_column = torch.rand(shape, device=self.device) < GLOBAL_SHARE
        self.column = torch.randint(num_columns, shape, device=self.device)

    def join(self, outputs: Sequence[Tensor]) -> Tensor:
        """Average what is kept of the outputs of the first columns, deepest first."""
        draws = torch.rand(len(self.column), len(outputs), device=self.device)
        kept = (draws >= self.drop_path) | (draws == draws.amax(1, keepdim=True))
        own = torch.arange(len(outputs), device=self.device) == self.column
        # A join that the chosen column does not reach feeds nothing that the image uses.
        kept = torch.where(self.one_column & (self.column < len(outputs)), own, kept)
        weights = (kept / kept.sum(1, keepdim=True)).to(outputs[0].dtype)[..., None, None, None]
        joined = outputs[0] * weights[:, 0]
        for i, output in enumerate(outputs[1:], 1):
            joined = joined.addcmul_(output, weights[:, i])
        return joined


class ConvNormRelu(nn.Module):
    """A 3x3 convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(in_channels, out_channels)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H, W)."""
        y: Tensor = self.norm(self.conv(x))
        return y.relu_()


class Block(nn.Module):
    """Columns of 1, 2, 4, ... layers, joined wherever the shallower ones end; then a max-pool.

    Column c has a layer at every step that 2^c divides; the columns that have one are joined
    there, and go on from the join.
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_columns: int, dropout: float
    ) -> None:
        super().__init__()
        self.num_steps = 2 ** (num_columns - 1)
        self.columns = nn.ModuleList(
            nn.ModuleList(
                ConvNormRelu(in_channels if step == 0 else out_channels, out_channels)
                for step in range(self.num_steps >> column)
            )
            for column in range(num_columns)
        )
        self.pool = nn.MaxPool2d(2)
        self.dropout = make_dropout(dropout)

    def forward(self, x: Tensor, paths: Paths | None = None) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H // 2, W // 2)."""
        inputs = [x] * len(self.columns)
        for step in range(1, self.num_steps + 1):
            outputs = [
                cast(nn.ModuleList, layers)[(step >> column) - 1](inputs[column])
                for column, layers in enumerate(self.columns)
                if step % 2**column == 0
            ]
            inputs[: len(outputs)] = [_join(outputs, paths)] * len(outputs)
        pooled: Tensor = self.dropout(self.pool(inputs[0]))
        return pooled


class Blocks(nn.Sequential):
    """Blocks one after another, which share their paths."""

    def forward(self, x: Tensor, paths: Paths | None = None) -> Tensor:
        """Turn (B, C, H, W) into (B, out_channels, H / 2 ** blocks, W / 2 ** blocks)."""
        for block in self:
            x = block(x, paths)
        return x


def _join(outputs: Sequence[Tensor], paths: Paths | None) -> Tensor:
    if len(outputs) == 1:
        return outputs[0]
    if paths is not None:
        return paths.join(outputs)
    joined = outputs[0] + outputs[1]
    for output in outputs[2:]:
        joined += output
    return joined.div_(len(outputs))


class FractalNet(nn.Module):
    """Five blocks, global average pool, one linear layer."""

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        width: int,
        num_columns: int,
        drop_path: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.num_columns = num_columns
        self.drop_path = drop_path
        blocks = []
        for i in range(NUM_BLOCKS):
            out_channels = width * 2 ** min(i, NUM_BLOCKS - 2)  # the last two are equally wide
            rate = dropout * i / (NUM_BLOCKS - 1)
            blocks.append(Block(in_channels, out_channels, num_columns, rate))
            in_channels = out_channels
        self.blocks = Blocks(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(in_channels, num_classes)
        self.apply(init_as_keras)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, C, H, W), H and W at least 32."""
        drops = self.training and self.drop_path > 0
        paths = Paths(images, self.num_columns, self.drop_path) if drops else None
        x = self.blocks(images, paths)  # (B, 8 * width, H / 32, W / 32)
        logits: Tensor = self.fc(self.pool(x).flatten(1))
        return logits


@register_model(head="fc", min_image_size=32)
def fractalnet(
    num_classes: int,
    in_channels: int = 3,
    width: int = 32,
    num_columns: int = 3,
    drop_path: float = 0.15,
    dropout: float = 0.4,
) -> nn.Module:
    """FractalNet of five blocks and three columns, 20 layers deep, with drop-path.

    Half as wide as the paper's for CIFAR: 32, 64, 128, 256, 256. Paths are drawn per image.
    Dropout stands once a block, on its pooled map.

    Args:
        width: channels of the first block
        num_columns: the deepest has 2 ** (num_columns - 1) layers a block
        drop_path: probability that a join drops an input; 0 turns both kinds of drop-path off
        dropout: of the last block; it rises evenly from 0 in the first
    Raises: RecipeError for an option out of range
    Source: arXiv:1605.07648, sections 2, 3 and 4.2; a wish of bastidas2017
    """
    name = "model 'fractalnet': "
    check_option(width >= 1, f"{name}width={width} must be at least 1")
    check_option(1 <= num_columns <= 5, f"{name}num_columns={num_columns} must be from 1 to 5")
    for key, value in (("drop_path", drop_path), ("dropout", dropout)):
        check_option(0 <= value < 1, f"{name}{key}={value} must be in [0, 1)")
    return FractalNet(
        num_classes,
        in_channels,
        width=width,
        num_columns=num_columns,
        drop_path=drop_path,
        dropout=dropout,
    )
