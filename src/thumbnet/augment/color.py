"""Affine maps of the color: matrices composed for a whole epoch, applied once; and the hue.

A map takes a pixel `x` to `matrix @ x + mean @ m + shift`, where `m` is the mean pixel of the
image: contrast around the mean is such a map too, and so composes with the others.
"""

import numpy as np
import torch
from torch import Tensor

from thumbnet.augment.draws import Array, Table
from thumbnet.recipe import AugmentSpec, ContrastSpec, SaturationSpec

GREY = np.array([0.299, 0.587, 0.114])
MIDDLE = 128.0


def compose(steps: list[tuple[AugmentSpec, Table, Array]], num: int) -> Table:
    """Make one map of the operations each image gets, one after the other.

    Levels that leave 0 to 255 in between are not cut off there, but at the end.

    Args: steps hold an operation, its table and who gets it
    Shapes: -> matrix (N, 3, 3), shift (N, 3, 1), and mean (N, 3, 3) where one looks at the mean
    """
    matrix, mean = np.tile(np.eye(3), (num, 1, 1)), np.zeros((num, 3, 3))
    shift = np.zeros((num, 3, 1))
    around_mean = False
    for spec, table, active in steps:
        factor = table["factor"][active]
        factor = factor.reshape(len(factor), -1, 1)  # (N, 1 or 3, 1)
        before = matrix[active], mean[active], shift[active]
        if isinstance(spec, SaturationSpec):  # a part is swapped for grey
            mixed = [factor * one + (1 - factor) * (GREY @ one)[:, None] for one in before]
            matrix[active], mean[active], shift[active] = mixed
            continue
        matrix[active], mean[active], shift[active] = (factor * one for one in before)
        if isinstance(spec, ContrastSpec) and spec.around == "mean":
            around_mean = True  # of the image as the operations before have left it
            mean[active] += (1 - factor) * (GREY @ (before[0] + before[1]))[:, None]
            shift[active] += (1 - factor) * (GREY @ before[2])[:, None]
        elif isinstance(spec, ContrastSpec):
            shift[active] += (1 - factor) * MIDDLE
    table = {"matrix": matrix, "shift": shift}
    return {**table, "mean": mean} if around_mean else table


def apply(images: Tensor, matrix: Tensor, shift: Tensor, mean: Tensor | None = None) -> Tensor:
    """Map the colors, and cut off what leaves 0 to 255.

    A grey image stands for three equal channels, of which the first is kept.

    Shapes: images (B, C, H, W); matrix, mean (B, 3, 3); shift (B, 3, 1) -> (B, C, H, W)
    Units: levels
    """
    batch, channels = images.shape[:2]
    pixels = images.reshape(batch, channels, -1)
    if channels == 1:
        matrix, shift = matrix[:, :1].sum(2, keepdim=True), shift[:, :1]
        mean = None if mean is None else mean[:, :1].sum(2, keepdim=True)
    if mean is not None:
        shift = shift + mean @ pixels.mean(2, keepdim=True)
    return torch.baddbmm(shift, matrix, pixels).clamp_(0, 255).view_as(images)


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of HSV, whose value and saturation stay.

    Shapes: images (B, C, H, W); turn (B,) parts of the circle -> (B, C, H, W)
    """
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    value, low = images.amax(1), images.amin(1)
    chroma = value - low
    over = 1 / chroma.clamp(min=1e-6)  # hue in sixths of the circle, red at 0
    at_green, at_blue = (blue - red).mul_(over).add_(2), (red - green).mul_(over).add_(4)
    hue = torch.where(value == green, at_green, at_blue)
    hue = torch.where(value == red, (green - blue).mul_(over), hue)
    hue.add_(6 * turn.view(-1, 1, 1) + 6)  # over 0 for any turn
    out = torch.empty_like(images)
    for channel, place in enumerate((5, 3, 1)):
        at = (hue + place).div_(6).frac_().mul_(6)
        out[:, channel] = value - torch.minimum(at, 4 - at).clamp_(0, 1).mul_(chroma)
    return out
