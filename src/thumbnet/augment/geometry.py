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


def random_crop(start: Tensor, crop: int) -> Tensor:
    """Cut the window of `crop` pixels that begins at `start`: the output is that small.

    Shapes: start (B,) int64 -> (B, crop)
    """
    return torch.arange(crop, device=start.device) + start[:, None]


def only(index: Tensor, active: Tensor) -> Tensor:
    """Leave the images alone that are not marked in `active`.

    Shapes: index (B, S); active (B,) bool -> (B, S)
    """
    return torch.where(active[:, None], index, torch.arange(index.shape[1], device=index.device))


def compose(first: Tensor, then: Tensor) -> Tensor:
    """Return the one map that equals `first` followed by `then`.

    Shapes: (B, S), (B, R) -> (B, R)
    """
    return torch.where(then >= 0, first.gather(1, then.clamp(min=0)), -1)


def move_pixels(images: Tensor, rows: Tensor | None, cols: Tensor | None) -> Tensor:
    """Apply index maps to a batch of packed images; None moves nothing.

    Shapes: images (B, H, W, C); rows (B, R); cols (B, K) -> (B, R, K, C)
    """
    batch, height, width, channels = images.shape
    if rows is not None:  # whole rows are copied: next to free
        first = torch.arange(batch, device=images.device)[:, None] * height
        lines = images.reshape(batch * height, width * channels)
        images = lines.index_select(0, (first + rows.clamp(min=0)).view(-1))
        images = images.view(batch, rows.shape[1], width, channels)
        images = _blacken(images, rows[:, :, None, None])
    if cols is not None:
        index = cols.clamp(min=0)[:, None, :, None]
        index = index.expand(batch, images.shape[1], cols.shape[1], channels)
        images = _blacken(images.gather(2, index), cols[:, None, :, None])
    return images


def move_planes(images: Tensor, rows: Tensor | None, cols: Tensor | None) -> Tensor:
    """Apply index maps to a batch of color planes; None moves nothing.

    Shapes: images (B, C, H, W); rows (B, R); cols (B, K) -> (B, C, R, K)
    """
    batch, channels, height, width = images.shape
    if rows is not None:
        first = torch.arange(batch * channels, device=images.device).view(batch, channels, 1)
        index = first * height + rows.clamp(min=0)[:, None]
        lines = images.reshape(-1, width).index_select(0, index.view(-1))
        images = _blacken(lines.view(batch, channels, -1, width), rows[:, None, :, None])
    if cols is not None:
        index = cols.clamp(min=0)[:, None, None]
        index = index.expand(batch, channels, images.shape[2], cols.shape[1])
        images = _blacken(images.gather(3, index), cols[:, None, None])
    return images


def _blacken(images: Tensor, index: Tensor) -> Tensor:
    if index.device.type == "cpu" and not bool((index < 0).any()):
        return images  # asked where the answer is there at once, with no device to wait for
    return images.mul_(index >= 0)
