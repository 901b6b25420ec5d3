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
    steps = torch.arange(reach + 2, device=images.device) / sigma.clamp(min=SMALLEST)[:, None]
    weights = torch.exp(-0.5 * steps * steps)
    weights[:, -1] = 0  # the distance of what is out of reach
    weights = F.threshold(weights, 1e-6, 0)  # denormal numbers would slow the products tenfold
    weights = weights / (2 * weights.sum(1, keepdim=True) - weights[:, :1])
    band = sum(weights.index_select(1, each) for each in _distances(size, reach, images.device))
    assert isinstance(band, Tensor)
    band = band.view(batch, size, size)  # (B, to, from)
    lines = torch.bmm(images.reshape(batch, channels * size, size), band.mT)
    return torch.matmul(band[:, None], lines.view(batch, channels, size, size))


@lru_cache(maxsize=16)
def _distances(size: int, reach: int, device: torch.device) -> Tensor:
    """Return the distances at which pixels see each other, mirrored beyond the edges.

    A pair that sees each other fewer times than others do is filled up with `reach + 1`.

    Shapes: -> (times, size * size) int64: of every output pixel and input pixel
    """
    pixels, period = torch.arange(size), max(1, 2 * (size - 1))
    seen: list[list[int]] = [[] for _ in range(size * size)]
    for step in range(-reach, reach + 1):
        at = (pixels + step) % period
        at = torch.minimum(at, period - at).clamp(max=size - 1)
        for pair in (pixels * size + at).tolist():
            seen[pair].append(abs(step))
    times = max(len(one) for one in seen)
    filled = [one + [reach + 1] * (times - len(one)) for one in seen]
    return torch.tensor(filled).T.contiguous().to(device)


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
