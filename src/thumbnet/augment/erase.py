"""Parts of the image go: cells of a coarse grid, or one rectangle."""

import torch
from torch import Tensor

from thumbnet.augment.bank import Bank


def coarse_dropout(
    images: Tensor,
    p: Tensor,
    cells: Tensor,
    apart: Tensor,
    offset: Tensor,
    *,
    most: int,
    bank: Bank,
) -> Tensor:
    """Blacken cells of a grid of `cells` x `cells`, each with probability `p`.

    Where `apart`, each channel loses cells of its own.

    Args: most: no image has more cells along a side
    Shapes: images (B, C, S, S); p, cells (int), apart (bool), offset (B,) -> (B, C, S, S)
    """
    batch, channels, size, _ = images.shape
    drawn = bank.uniform(offset, channels * most * most).view(batch, channels, most, most)
    kept = drawn >= p.view(-1, 1, 1, 1)
    if channels > 1:
        kept = torch.where(apart.view(-1, 1, 1, 1), kept, kept[:, :1])
    cell = torch.arange(size, device=images.device) * cells[:, None] // size  # (B, S)
    cols = cell[:, None, None].expand(batch, channels, most, size)
    strips = kept.gather(3, cols).float().view(-1, size)  # a line of pixels for each line of cells
    first = torch.arange(batch * channels, device=images.device).view(batch, channels, 1) * most
    mask = strips.index_select(0, (first + cell[:, None]).view(-1))
    return images * mask.view_as(images)


def erase(
    images: Tensor,
    top: Tensor,
    left: Tensor,
    bottom: Tensor,
    right: Tensor,
    offset: Tensor,
    *,
    fill: str,
    bank: Bank,
) -> Tensor:
    """Fill a rectangle with black, the image's own mean color, or evenly drawn levels.

    What of it lies outside of the image is lost.

    Shapes: images (B, C, H, W); the others (B,) int64 -> (B, C, H, W)
    """
    inside = rectangle(images.shape[-1], top, left, bottom, right)
    if fill == "zeros":
        return images * ~inside
    if fill == "mean":
        return torch.where(inside, images.mean((2, 3), keepdim=True), images)
    drawn = bank.uniform(offset, images[0].numel()).view(images.shape)
    return torch.where(inside, torch.floor(drawn * 256), images)


def rectangle(size: int, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """Return a mask of the pixels in rows [top, bottom) and columns [left, right).

    Shapes: (B,) each -> (B, 1, size, size) bool
    """
    at = torch.arange(size, device=top.device)
    rows = (at >= top[:, None]) & (at < bottom[:, None])
    cols = (at >= left[:, None]) & (at < right[:, None])
    return rows[:, None, :, None] & cols[:, None, None, :]
