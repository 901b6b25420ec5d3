"""Draw each image's augmentation parameters once an epoch, as tables in the order of that epoch."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from thumbnet.augment import geometry
from thumbnet.recipe import AugmentSpec, CropAndPadSpec, FlipSpec, PadCropSpec


class Policy:
    """The augmentations of one phase, with the parameters of one epoch.

    Row `i` of every table belongs to the image at position `i` of the epoch's order, so pixels
    depend on (seed, epoch) alone: not on the batch size, the device or the number of ranks.
    """

    def __init__(
        self, specs: Sequence[AugmentSpec], num_images: int, size: int, seed: int, epoch: int
    ) -> None:
        self.specs = tuple(specs)
        self.size = size
        self.tables = [
            _draw(spec, num_images, size, np.random.default_rng([seed, epoch, position]))
            for position, spec in enumerate(self.specs, start=1)  # 0 is the order's own stream
        ]

    def __call__(self, images: Tensor, first: int) -> Tensor:
        """Augment a batch whose images stand at `first`, `first + 1`, ... in the epoch's order.

        Shapes: images (B, S, S, C) -> (B, S, S, C)
        """
        if not self.specs:
            return images
        rows: Tensor | None = None
        cols: Tensor | None = None
        for spec, table in zip(self.specs, self.tables, strict=True):
            part = table[:, first : first + len(images)].to(images.device)
            row_map, col_map = _maps(spec, part, self.size)
            rows = _then(rows, row_map)
            cols = _then(cols, col_map)
        return geometry.move_pixels(images, rows, cols)


def check_augment(specs: Sequence[AugmentSpec], size: int) -> None:
    """Refuse parameters that do not fit images of this size.

    Raises: ValueError
    """
    for spec in specs:
        if isinstance(spec, PadCropSpec) and spec.pad >= size:
            raise ValueError(f"pad_crop: pad={spec.pad} must be below the image size {size}")
        if isinstance(spec, CropAndPadSpec) and spec.size > size:
            raise ValueError(f"crop_and_pad: size={spec.size} is over the image size {size}")


def _draw(spec: AugmentSpec, num: int, size: int, generator: np.random.Generator) -> Tensor:
    """Return the parameters of one operation.

    Shapes: -> (num_parameters, num) int64
    """
    if isinstance(spec, FlipSpec):
        drawn = (generator.random(num) < spec.p).astype(np.int64)[None]
    elif isinstance(spec, PadCropSpec):
        drawn = generator.integers(0, 2 * spec.pad + 1, (2, num))
    else:
        drawn = generator.integers(0, size - spec.size + 1, (2, num))
    return torch.from_numpy(drawn)


def _maps(spec: AugmentSpec, part: Tensor, size: int) -> tuple[Tensor | None, Tensor | None]:
    """Return the row map and the column map of one operation on one batch."""
    if isinstance(spec, FlipSpec):
        mirrored = geometry.flip(size, part[0] == 1)
        return (None, mirrored) if spec.axis == "horizontal" else (mirrored, None)
    if isinstance(spec, PadCropSpec):
        return (
            geometry.pad_crop(size, part[0], spec.pad, spec.fill),
            geometry.pad_crop(size, part[1], spec.pad, spec.fill),
        )
    return (
        geometry.crop_and_pad(size, part[0], spec.size),
        geometry.crop_and_pad(size, part[1], spec.size),
    )


def _then(first: Tensor | None, then: Tensor | None) -> Tensor | None:
    if first is None or then is None:
        return then if first is None else first
    return geometry.compose(first, then)
