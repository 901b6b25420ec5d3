"""Batches from packed arrays, without loader processes: an order, a gather, nothing to wait for."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import Part
from thumbnet.errors import DataError

CHUNK = 8192
MOST_KEPT = 2 << 30  # bytes of scaled images kept in memory on a CPU


def epoch_order(seed: int, epoch: int, num_images: int) -> Tensor:
    """Return the order in which an epoch visits the images: a function of (seed, epoch) alone.

    Shapes: -> (N,) int64
    """
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(num_images))


class Loader:
    """The images of one part of a data set, as uint8 on the device.

    With `shrink` (which scales images down), each image is scaled when it is first asked for and
    kept, so the first step does not wait and no later epoch pays again; where all of them are too
    many to keep, each is scaled whenever it is asked for, and memory stays flat.

    Shapes: images (N, H, W, C) uint8, memory-mapped where the device is the CPU
    """

    def __init__(
        self,
        dataset: PackedDataset,
        part: Part,
        device: torch.device,
        shrink: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        labels = labels_of(dataset, part)
        self._images = torch.from_numpy(dataset.splits[part.split].images)
        self.indices = torch.from_numpy(part.indices)
        self.labels = torch.from_numpy(labels).to(device)
        self._shrink = shrink
        self._kept: Tensor | None = None
        self._missing = torch.ones(len(self.indices), dtype=torch.bool)
        self._num_missing = len(self.indices)
        if device.type != "cpu":  # the whole part moves to the device at once
            self._keep_all(device)

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Fetch images and labels at these positions of the part.

        Shapes: positions (B,) int64 -> (B, H, W, C) uint8, (B,) int64
        """
        if self._num_missing:
            images = self._fetch(positions)
        else:
            assert self._kept is not None
            positions = positions.to(self._kept.device)
            images = self._kept.index_select(0, positions)
        return images, self.labels.index_select(0, positions.to(self.labels.device))

    def _fetch(self, positions: Tensor) -> Tensor:
        if self._shrink is None:
            return self._images.index_select(0, self.indices[positions])
        new = positions[self._missing[positions]]
        if len(new):
            small = self._shrink(self._images.index_select(0, self.indices[new]))
            if len(self) * small[0].numel() > MOST_KEPT:  # then none is kept, and all are new
                return small
            if self._kept is None:
                self._kept = torch.empty((len(self), *small.shape[1:]), dtype=torch.uint8)
            self._kept[new] = small
            self._missing[new] = False
            self._num_missing = int(self._missing.sum())
        assert self._kept is not None
        return self._kept.index_select(0, positions)

    def _keep_all(self, device: torch.device) -> None:
        chunks = []
        for index in torch.split(self.indices, CHUNK):
            images = self._images.index_select(0, index).to(device)
            chunks.append(self._shrink(images) if self._shrink else images)
        self._kept = torch.cat(chunks)
        self._num_missing = 0


def batches(num_images: int, batch_size: int) -> list[slice]:
    """Cut `num_images` into slices of at most `batch_size`."""
    return [slice(i, min(i + batch_size, num_images)) for i in range(0, num_images, batch_size)]


def images_of(dataset: PackedDataset, part: Part) -> NDArray[np.uint8]:
    """Return the images of one part, those of a whole split without copying them.

    Shapes: -> (N, H, W, C)
    """
    images = dataset.splits[part.split].images
    return images if len(part) == len(images) else images[part.indices]


def labels_of(dataset: PackedDataset, part: Part) -> NDArray[np.int64]:
    """Return the labels of one part.

    Raises: DataError where the split has none
    """
    labels = dataset.splits[part.split].labels
    if labels is None:
        labelled = [name for name, split in dataset.splits.items() if split.labels is not None]
        raise DataError(f"the split '{part.split}' has no labels; use one of {', '.join(labelled)}")
    return np.asarray(labels[part.indices], dtype=np.int64)
