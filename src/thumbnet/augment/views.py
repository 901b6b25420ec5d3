"""From packed pixels to a network's input: one object for training, judging and prediction."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

GREY = (19595, 38470, 7471)  # .299, .587, .114 in 1/65536, as Pillow rounds them


@dataclass(frozen=True)
class Preprocess:
    """Color, size and normalization, saved with the weights.

    `mean` and `std` are in units of [0, 1], one value or one a channel. `source_size` and
    `resize` tell how an image of another size is first brought to the packed size.
    """

    image_size: int
    color: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source_size: int = 64
    resize: str = "crop"

    @property
    def in_channels(self) -> int:
        """Return 1 for a grey input, 3 for RGB."""
        return 1 if self.color == "grey" else 3

    def shrink(self, images: Tensor, size: int | None = None) -> Tensor:
        """Turn grey where asked and scale down to `size`; what is smaller stays.

        Done once a phase, not once a step. Antialiased bilinear, rounded to whole levels.

        Shapes: images (B, H, W, 3) uint8 -> (B, S, S, C) uint8
        """
        size = size or self.image_size
        if self.color == "grey":
            red, green, blue = images.to(torch.int32).unbind(3)
            grey = red * GREY[0] + green * GREY[1] + blue * GREY[2] + 32768
            images = (grey >> 16).to(torch.uint8)[..., None]
        if size < images.shape[1]:
            images = _resize(images, size)
        return images

    def to_input(self, images: Tensor, size: int | None = None) -> Tensor:
        """Normalize, and scale up where `size` is over the images' own.

        Shapes: images (B, S, S, C) uint8 -> (B, C, size, size) float32 in channels_last strides
        """
        size = size or self.image_size
        batch, height, width, channels = images.shape
        scale, shift = _affine(self.mean, self.std, channels, width, images.device)
        lines = images.reshape(batch * height, width * channels).float()
        pixels = lines.mul_(scale).add_(shift).view(batch, height, width, channels)
        inputs = pixels.permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W)
        if size > height:
            inputs = F.interpolate(inputs, size=(size, size), mode="bilinear", align_corners=False)
        return inputs

    def __call__(self, images: Tensor) -> Tensor:
        """Turn packed pixels into the input a network is judged on.

        Shapes: images (B, H, W, 3) uint8 -> (B, C, image_size, image_size) float32
        """
        return self.to_input(self.shrink(images))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for a configuration file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Preprocess":
        """Read what `to_dict` wrote."""
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"])})


@lru_cache(maxsize=32)
def _affine(
    means: tuple[float, ...],
    stds: tuple[float, ...],
    channels: int,
    width: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return scale and shift for each byte of a line of pixels."""
    mean = torch.tensor(means, dtype=torch.float64).expand(channels)
    std = torch.tensor(stds, dtype=torch.float64).expand(channels)
    scale = (1 / (255 * std)).repeat(width).float()
    shift = (-mean / std).repeat(width).float()
    return scale.to(device), shift.to(device)


def _resize(images: Tensor, size: int) -> Tensor:
    """Scale down to `size` x `size`.

    Shapes: images (B, H, W, C) uint8 -> (B, size, size, C) uint8
    """
    channels_first = images.permute(0, 3, 1, 2)
    if images.device.type != "cpu":
        channels_first = channels_first.float()
    scaled = F.interpolate(
        channels_first, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )
    if scaled.is_floating_point():
        scaled = scaled.round_().clamp_(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous()
