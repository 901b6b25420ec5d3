"""The one sampler behind all affine maps: each image is read once, where its matrix says."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Run = tuple[str, str, int]  # fill, interpolation, and how many neighbors in the batch have both


def warp(images: Tensor, matrix: Tensor, fill_value: Tensor, runs: Sequence[Run]) -> Tensor:
    """Read every output pixel from the place that `matrix` takes it to.

    Outside of the image lies what `fill` says: `fill_value`, the edge pixel, or the image again,
    mirrored (`symmetric` repeats the edge pixel, `reflect` does not) or in the same direction.
    The pixels given may be written over.

    Args: runs cut the batch into images of one fill and interpolation
    Shapes: images (B, C, S, S); matrix (B, 2, 3); fill_value (B,) -> (B, C, S, S)
    Units: matrix in [-1, 1] from edge to edge, fill_value in levels
    """
    grid, value = _grid(matrix, images.shape[-1]), fill_value.view(-1, 1, 1, 1)
    done, first = [], 0
    for fill, interpolation, count in runs:
        part = slice(first, first + count)
        done.append(_read(images[part], grid[part], value[part], fill, interpolation))
        first += count
    return done[0] if len(done) == 1 else torch.cat(done)


def _read(images: Tensor, grid: Tensor, value: Tensor, fill: str, interpolation: str) -> Tensor:
    size = images.shape[-1]
    if fill == "constant":
        return _sample(images.sub_(value), grid, interpolation, "zeros").add_(value)
    if fill == "reflect":  # the mirror stands in the edge pixels' centers
        grid = grid * (size / (size - 1))
        return _sample(images, grid, interpolation, "reflection", align_corners=True)
    if fill == "wrap":
        grid = (torch.remainder(grid + 1, 2) - 1) * (size / (size + 2))
        return _sample(F.pad(images, (1,) * 4, mode="circular"), grid, interpolation, "border")
    padding = {"edge": "border", "symmetric": "reflection"}[fill]
    return _sample(images, grid, interpolation, padding)


def _grid(matrix: Tensor, size: int) -> Tensor:
    """Return the places in the input for every output pixel.

    Shapes: matrix (B, 2, 3) -> (B, S, S, 2), x before y
    """
    steps = torch.arange(size, device=matrix.device, dtype=torch.float32)
    centers = (steps * 2 + (1 - size)) / size
    grid = matrix.new_empty(len(matrix), size, size, 2)
    along = matrix[:, :, 0, None] * centers  # (B, 2, S): what a column adds
    down = matrix[:, :, 1, None] * centers + matrix[:, :, 2, None]
    for axis in (0, 1):
        torch.add(along[:, axis, None, :], down[:, axis, :, None], out=grid[..., axis])
    return grid


def _sample(
    images: Tensor, grid: Tensor, interpolation: str, padding: str, *, align_corners: bool = False
) -> Tensor:
    return F.grid_sample(
        images, grid, mode=interpolation, padding_mode=padding, align_corners=align_corners
    )
