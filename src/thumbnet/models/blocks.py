"""What two networks or more share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TINY = 2  # px; CPU kernels for convolutions waste most of their work on maps this small


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution padded by one, without a bias; to 2x2 pixels or less a matrix product.

    On a CPU the product takes a third of the time there; elsewhere and above it is never used.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.step = stride

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, in_channels, H, W) into (B, out_channels, H / stride, W / stride)."""
        height, width = ((side - 1) // self.step + 1 for side in x.shape[2:])
        if max(height, width) > TINY or x.device.type != "cpu":
            return super().forward(x)
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))  # (B, H + 2, W + 2, C)
        reach_y, reach_x = self.step * (height - 1) + 1, self.step * (width - 1) + 1
        windows = [
            padded[:, i : i + reach_y : self.step, j : j + reach_x : self.step]
            for i in range(3)
            for j in range(3)
        ]
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)  # (out, 3 * 3 * in)
        return F.linear(torch.cat(windows, dim=3), weight).permute(0, 3, 1, 2)


def check_image_size(images: Tensor, image_size: int) -> None:
    """Refuse images that are not `image_size` pixels on both sides.

    Shapes: images (B, C, H, W)
    Raises: ValueError
    """
    height, width = images.shape[-2:]
    if height != image_size or width != image_size:
        raise ValueError(
            f"this network takes images of {image_size}x{image_size} pixels only, "
            f"not {height}x{width}; resize them or set image_size: {image_size}"
        )
