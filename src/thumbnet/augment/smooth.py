"""Gaussian blur as two matrix products, and Pillow's sharpness."""

from functools import lru_cache
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

TRUNCATE = 4.0
SMALLEST = 1e-3  # below it a blur is no blur


def blur(images: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Blur each image by a Gaussian of its own, the picture mirrored in its edge pixels.

    Args: largest: no sigma is over it; weights end at four times this distance
    Shapes: images (B, C, S, S); sigma (B,) -> (B, C, S, S)
    Units: sigma in pixels
    """
    batch, channels, size, _ = images.shape
    reach = max(1, ceil(TRUNCATE * largest))
    mirrored = _mirrored(size, reach, images.device)
    steps = torch.arange(reach + 1, device=images.device) / sigma.clamp(min=SMALLEST)[:, None]
    weights = torch.exp(-0.5 * steps * steps)
    weights = F.threshold(weights, 1e-6, 0)  # denormal numbers would slow the products tenfold
    weights = weights / (2 * weights.sum(1, keepdim=True) - weights[:, :1])
    band = (weights @ mirrored).view(batch, size, size)  # (B, to, from)
    lines = torch.bmm(images.reshape(batch, channels * size, size), band.mT)
    return torch.matmul(band[:, None], lines.view(batch, channels, size, size))


@lru_cache(maxsize=16)
def _mirrored(size: int, reach: int, device: torch.device) -> Tensor:
    """Return for each distance which pixels lie so far from which, beyond the edge mirrored.

    Shapes: -> (reach + 1, size * size): distance, output pixel and input pixel
    """
    pixels, period = torch.arange(size), max(1, 2 * (size - 1))
    found = torch.zeros(reach + 1, size, size)
    for distance in range(reach + 1):
        for sign in {1, -1} if distance else {1}:
            at = (pixels + sign * distance) % period
            at = torch.minimum(at, period - at).clamp(max=size - 1)
            found[distance, pixels, at] += 1
    return found.view(reach + 1, size * size).to(device)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the image smoothed by 1 1 1, 1 5 1, 1 1 1, whose outermost pixels stay.

    Shapes: images (B, C, H, W); factor (B,) -> (B, C, H, W)
    """
    lines = images[:, :, :, :-2] + images[:, :, :, 1:-1] + images[:, :, :, 2:]
    edges = lines[:, :, :-2] + lines[:, :, 1:-1]  # sums over 3 x 2 pixels, then over 3 x 3
    edges += lines[:, :, 2:]
    inner = images[:, :, 1:-1, 1:-1]
    edges -= 9 * inner  # 13 times what smoothing changes
    edges *= ((1 - factor) / 13).view(-1, 1, 1, 1)
    sharp = images.clone()
    sharp[:, :, 1:-1, 1:-1] += edges
    return sharp.clamp_(0, 255)
