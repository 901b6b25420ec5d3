"""Maps of single levels: each pixel and channel on its own, sometimes after a look at them all."""

import torch
from torch import Tensor


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest `bits` bits of each level, rounded to a whole one first.

    Shapes: images (B, C, H, W); bits (B,) whole numbers -> (B, C, H, W)
    """
    step = torch.exp2(8 - bits).view(-1, 1, 1, 1)
    return torch.floor(torch.round(images) / step) * step


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert the levels from `threshold` on.

    Shapes: images (B, C, H, W); threshold (B,) -> (B, C, H, W)
    """
    return torch.where(images >= threshold.view(-1, 1, 1, 1), 255 - images, images)


def autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel so that it reaches from 0 to 255; one within a single level stays.

    Shapes: (B, C, H, W) -> (B, C, H, W)
    """
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    flat = high - low < 1  # less than a level apart, as after a wide blur: rounding, no contrast
    scale = 255 / torch.where(flat, 1, high - low)
    return torch.where(flat, images, ((images - low) * scale).clamp_(0, 255))


def equalize(images: Tensor) -> Tensor:
    """Give each channel an even histogram, of its levels rounded to whole ones.

    Shapes: (B, C, H, W) -> (B, C, H, W)
    Source: Pillow's ImageOps.equalize
    """
    batch, channels, height, width = images.shape
    levels = torch.round(images).view(batch * channels, height * width).long()
    counts = levels.new_zeros(batch * channels, 256)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    highest = levels.amax(1, keepdim=True)
    step = (height * width - counts.gather(1, highest)) // 255
    below = counts.cumsum(1) - counts
    table = (below + step // 2) // step.clamp(min=1)
    table = torch.where(step > 0, table.clamp_(max=255), torch.arange(256, device=images.device))
    return table.gather(1, levels).to(images.dtype).view_as(images)
