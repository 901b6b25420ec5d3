"""Draw each image's augmentation parameters once an epoch, as tables in the order of that epoch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from thumbnet.augment.bank import Bank
from thumbnet.augment.check import check_augment
from thumbnet.augment.stages import IndexStage, Stage, make_stages
from thumbnet.augment.tree import Drawing, flatten, group_by_kind, kind_of
from thumbnet.recipe import AugmentSpec, RandomCropSpec

__all__ = ["Policy", "check_augment"]


class Policy:
    """The augmentations of one phase, with the parameters of one epoch.

    Row `i` of every table belongs to the image at position `i` of the epoch's order, so pixels
    depend on (seed, epoch) alone: not on the batch size, the device or the number of ranks.

    Args: order: the image that stands at each position, for what follows an image over epochs
    """

    def __init__(
        self,
        specs: Sequence[AugmentSpec],
        num_images: int,
        size: int,
        seed: int,
        epoch: int,
        order: Tensor | None = None,
    ) -> None:
        self.specs, self.size = tuple(specs), size
        images = None if order is None else order.cpu().numpy()
        self.leaves = flatten(self.specs, Drawing(num_images, size, seed, epoch, images))
        bank = Bank(size, seed, epoch)
        self._exact = all(kind_of(leaf) == "index" for leaf in self.leaves)
        self.stages: list[Stage] = []
        for joined in group_by_kind(self.leaves):
            self.stages += make_stages(joined, size, bank, packed=self._exact)
            if isinstance(joined[0].spec, RandomCropSpec):
                size = joined[0].spec.size

    def __call__(self, images: Tensor, first: int) -> Tensor:
        """Augment a batch whose images stand at `first`, `first + 1`, ... in the epoch's order.

        Where pixels only move they stay whole levels; where anything is computed they become
        fractions of levels.

        Shapes: images (B, S, S, C) uint8 -> (B, R, R, C) uint8, or float32 in 0 to 255; R is the
            size of `random_crop`, else S
        """
        if self._exact:  # all index moves have become one, if there are any
            for stage in self.stages:
                assert isinstance(stage, IndexStage)
                images = stage.packed(images, first)
            return images
        planes = torch.empty_like(images.permute(0, 3, 1, 2), memory_format=torch.contiguous_format)
        planes.copy_(images.permute(0, 3, 1, 2))  # (B, S, S, C) -> (B, C, S, S), never shared
        for stage in self.stages:
            if not stage.exact:  # until then bytes move, which is four times less
                planes = planes.float()
            planes = stage(planes, first)
        return planes.float().permute(0, 2, 3, 1)  # (B, C, R, R) -> (B, R, R, C)
