"""One bank of random numbers an epoch, from which every image reads at an offset of its own."""

import numpy as np
import torch
from torch import Tensor

from thumbnet.augment.place import place

SHORTEST = 1 << 20


def bank_length(size: int) -> int:
    """Return how many numbers a bank holds: many images' worth, whatever their size."""
    return max(SHORTEST, 8 * 3 * size * size)


class Bank:
    """Random numbers of one epoch, drawn when first asked for: a function of (seed, epoch) alone.

    Noise is read from here at an offset from the image's table, so that it too is the same
    whatever the batch; two images that read overlapping parts see them shifted.
    """

    def __init__(self, size: int, seed: int, epoch: int) -> None:
        self._length = bank_length(size)
        self._key = [seed, epoch, 0, 1]  # no operation's stream, and not the order's
        self._drawn: dict[tuple[str, torch.device], Tensor] = {}

    def normal(self, offset: Tensor, count: int) -> Tensor:
        """Read `count` standard normal numbers for each image.

        Shapes: offset (B,) int64 -> (B, count) float32
        """
        return self._numbers("normal", offset.device).unfold(0, count, 1)[offset]

    def uniform(self, offset: Tensor, count: int) -> Tensor:
        """Read `count` numbers of [0, 1) for each image.

        Shapes: offset (B,) int64 -> (B, count) float32
        """
        return self._numbers("uniform", offset.device).unfold(0, count, 1)[offset]

    def _numbers(self, kind: str, device: torch.device) -> Tensor:
        if (kind, device) not in self._drawn:
            rng = np.random.default_rng([*self._key, int(kind == "normal")])
            drawn = (
                rng.standard_normal(self._length, dtype=np.float32)
                if kind == "normal"
                else rng.random(self._length, dtype=np.float32)
            )
            self._drawn[kind, device] = place(torch.from_numpy(drawn), device)
        return self._drawn[kind, device]
