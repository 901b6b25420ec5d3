"""Flips and crops as index maps: neighbors compose, and pixels are moved once.

An index map is (B, S): for each image and each output row (or column) the input row it comes
from, or -1 where the output is black. Operations take parameters and never draw.
"""

import torch
from torch import Tensor


def identity(batch: int, size: int, device: torch.device) -> Tensor:
    """Return the map that moves nothing.

    Shapes: -> (B, S) int64
    """
    return torch.arange(size, device=device).expand(batch, size)


def flip(size: int, flipped: Tensor) -> Tensor:
    """Mirror the images marked in `flipped`.

    Shapes: flipped (B,) bool -> (B, S)
    """
    straight = torch.arange(size, device=flipped.device)
    return torch.where(flipped[:, None], straight.flip(0), straight)


def pad_crop(size: int, start: Tensor, pad: int, fill: str) -> Tensor:
    """Pad by `pad` pixels (`zeros` or `reflect`), then cut the window that begins at `start`.

    Shapes: start (B,) int64 in [0, 2 * pad] -> (B, S)
    Raises: ValueError unless 0 <= pad < size
    """
    if not 0 <= pad < size:
        raise ValueError(f"pad={pad} must be in [0, {size}) at {size} pixels")
    at = torch.arange(size, device=start.device) + (start - pad)[:, None]
    if fill == "reflect":
        return (size - 1) - ((size - 1) - at.abs()).abs()
    return torch.where((at >= 0) & (at < size), at, -1)


def crop_and_pad(size: int, start: Tensor, crop: int) -> Tensor:
    """Cut the window of `crop` pixels that begins at `start`, and center it on black.

    Shapes: start (B,) int64 in [0, size - crop] -> (B, S)
    Raises: ValueError unless 0 < crop <= size
    """
    if not 0 < crop <= size:
        raise ValueError(f"crop={crop} must be in [1, {size}] at {size} pixels")
    border = (size - crop) // 2
    at = torch.arange(size, device=start.device) - border
    inside = (at >= 0) & (at < crop)
    return torch.where(inside, at + start[:, None], -1)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """Return the one map that equals `first` followed by `then`.

    Shapes: (B, S), (B, S) -> (B, S)
    """
    return torch.where(then >= 0, first.gather(1, then.clamp(min=0)), -1)


def move_pixels(images: Tensor, rows: Tensor | None, cols: Tensor | None) -> Tensor:
    """Apply index maps to a batch; None moves nothing.

    Shapes: images (B, H, W, C); rows (B, H); cols (B, W) -> (B, H, W, C)
    """
    batch, height, width, channels = images.shape
    if rows is not None:  # whole rows are copied: next to free
        first = torch.arange(batch, device=images.device)[:, None] * height
        lines = images.reshape(batch * height, width * channels)
        images = lines.index_select(0, (first + rows.clamp(min=0)).view(-1))
        images = images.view(batch, height, width, channels)
        images = _blacken(images, rows[:, :, None, None])
    if cols is not None:
        index = cols.clamp(min=0)[:, None, :, None].expand(batch, height, width, channels)
        images = _blacken(images.gather(2, index), cols[:, None, :, None])
    return images


def _blacken(images: Tensor, index: Tensor) -> Tensor:
    return images.mul_(index >= 0) if bool((index < 0).any()) else images
