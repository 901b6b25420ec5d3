"""From packed pixels to a network's input: one object for training, judging and prediction."""

import base64
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import isqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

GREY = (19595, 38470, 7471)  # .299, .587, .114 in 1/65536, as Pillow rounds them


@dataclass(frozen=True)
class Preprocess:
    """Color, size and normalization, saved with the weights.

    `mean` and `std` are in units of [0, 1], one value or one a channel. `source_size`, `resize`
    and `background` tell how a file is decoded to pixels as they are packed. `crop` is the side
    of the central window of an image of `image_size` that is judged, where that is not all.
    `mean_image`, made by `encode_mean_image`, is subtracted before `mean` is.
    """

    image_size: int
    color: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source_size: int = 64
    resize: str = "crop"
    background: str = "black"  # as of model folders written before it was recorded
    crop: int | None = None
    mean_image: str | None = None

    @property
    def input_size(self) -> int:
        """Return the side of what a network is judged on, in pixels."""
        return self.crop or self.image_size

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
        """Normalize, scale up where `size` is over the images' own, and cut out the window.

        Images that have the size of `crop` are such windows already, cut out at random.

        Shapes: images (B, S, S, C) uint8 or float32 -> (B, C, R, R) float32 in channels_last
            strides; R is `crop`, else `size`, else S
        Units: levels of 0 to 255 -> standard deviations
        """
        size = size or self.image_size
        batch, height, width, channels = images.shape
        is_window = height == self.crop
        scale, shift = _affine(self.mean, self.std, channels, width, images.device)
        if self.mean_image is not None:
            side = size if is_window else height
            shift = shift - _mean_lines(self.mean_image, channels, side, height, images.device) * (
                255 * scale
            )
        lines = images.reshape(batch, height, width * channels)
        lines = lines * scale if lines.is_floating_point() else lines.float().mul_(scale)
        pixels = lines.add_(shift).view(batch, height, width, channels)
        inputs = pixels.permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W)
        if size > height and not is_window:
            inputs = F.interpolate(inputs, size=(size, size), mode="bilinear", align_corners=False)
        if self.crop is not None and inputs.shape[-1] > self.crop:
            inputs = _center(inputs, self.crop).contiguous(memory_format=torch.channels_last)
        return inputs

    def __call__(self, images: Tensor) -> Tensor:
        """Turn packed pixels into the input a network is judged on.

        Shapes: images (B, H, W, 3) uint8 -> (B, C, input_size, input_size) float32
        """
        return self.to_input(self.shrink(images))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for a configuration file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Preprocess":
        """Read what `to_dict` wrote."""
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"])})


def encode_mean_image(mean: NDArray[np.float32]) -> str:
    """Write a mean image as text: base64 of numbers of 16 bits, 1 as 65535.

    Shapes: mean (S, S, 3)
    Units: [0, 1]
    """
    return base64.b64encode(np.rint(mean * 65535).astype("<u2").tobytes()).decode()


@lru_cache(maxsize=32)
def _mean_lines(
    encoded: str, channels: int, side: int, window: int, device: torch.device
) -> Tensor:
    """Return the central window of the mean image scaled to `side`, a line a row of pixels.

    Shapes: -> (window, window * channels)
    Units: [0, 1]
    """
    levels = np.frombuffer(base64.b64decode(encoded), dtype="<u2").astype(np.float32) / 65535
    size = isqrt(len(levels) // 3)
    mean = torch.from_numpy(levels).view(1, size, size, 3).permute(0, 3, 1, 2)
    if channels == 1:
        mean = (mean * (torch.tensor(GREY) / 65536).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if side != size:
        mean = F.interpolate(
            mean, size=(side, side), mode="bilinear", antialias=True, align_corners=False
        )
    lines = _center(mean, window).permute(0, 2, 3, 1).reshape(window, window * channels)
    return lines.to(device)


def _center(images: Tensor, size: int) -> Tensor:
    """Cut out the central window.

    Shapes: images (B, C, H, W) -> (B, C, size, size)
    """
    top, left = (images.shape[2] - size) // 2, (images.shape[3] - size) // 2
    return images[:, :, top : top + size, left : left + size]


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
