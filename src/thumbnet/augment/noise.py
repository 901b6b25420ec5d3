"""Gaussian noise, read from the epoch's bank."""

import torch
from torch import Tensor

from thumbnet.augment.bank import Bank


def add_noise(images: Tensor, sd: Tensor, apart: Tensor, offset: Tensor, bank: Bank) -> Tensor:
    """Add normal noise, of its own in each channel where `apart`, and cut off at 0 and 255.

    Shapes: images (B, C, H, W); sd, apart (bool), offset (B,) -> (B, C, H, W)
    Units: sd in levels
    """
    batch, channels, height, width = images.shape
    area = height * width
    drawn = bank.normal(offset, channels * area).view(batch, channels, height, width)
    if channels > 1:
        drawn = torch.where(apart.view(-1, 1, 1, 1), drawn, drawn[:, :1])
    return (images + drawn * sd.view(-1, 1, 1, 1)).clamp_(0, 255)
