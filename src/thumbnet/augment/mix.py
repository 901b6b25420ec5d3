"""Mixes of two images and their labels: drawn from (seed, step), applied to a batch of inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from thumbnet.augment.draws import Array
from thumbnet.augment.erase import rectangle
from thumbnet.augment.place import place
from thumbnet.recipe import CutMixSpec, MixSpec, MixUpSpec


@dataclass(frozen=True)
class MixPlan:
    """What one batch is mixed with: image `i` with image `partner[i]` of the same batch.

    `weight` is the share that an image's own label keeps. `box` holds the rectangles that come
    from the partner: top, left, bottom, right; None where the images are blended as a whole.

    Shapes: partner (B,) int64; weight (B,) float32; box (B, 4) int64
    """

    partner: Tensor
    weight: Tensor
    box: Tensor | None = None

    def tensors(self) -> tuple[Tensor, ...]:
        """Return what the plan is made of, in order."""
        return (self.partner, self.weight) + (() if self.box is None else (self.box,))

    def to(self, device: torch.device) -> "MixPlan":
        """Return the plan on a device, without waiting for it."""
        return MixPlan(*(place(one, device) for one in self.tensors()))

    def of(self, first: int, last: int) -> "MixPlan":
        """Return the plan of images `first`:`last`, for the batch rolled until they lead it."""
        part = slice(first, last)
        partner = (self.partner[part] - first) % len(self.partner)
        return MixPlan(partner, self.weight[part], None if self.box is None else self.box[part])


def draw_mix(
    specs: Sequence[MixSpec], seed: int, step: int, batch_size: int, size: int
) -> MixPlan | None:
    """Draw one of the mixes by their shares, and all that it needs; None leaves the batch alone.

    Args: size: side of the inputs in pixels
    """
    if not specs:
        return None
    rng = np.random.default_rng([seed, step, 0, 3])  # no stream of an epoch
    shares = np.array([spec.share for spec in specs])
    spec = specs[int(rng.choice(len(specs), p=shares / shares.sum()))]
    partner = torch.from_numpy(rng.permutation(batch_size))
    if isinstance(spec, MixUpSpec):
        weight = rng.beta(spec.alpha, spec.alpha, batch_size)
        return MixPlan(partner, torch.from_numpy(weight.astype(np.float32)))
    if isinstance(spec, CutMixSpec):
        box = _boxes(rng, rng.beta(spec.alpha, spec.alpha, batch_size), size)
        top, left, bottom, right = box.T
        weight = 1 - (bottom - top) * (right - left) / size**2
        plain = torch.from_numpy(weight.astype(np.float32))
        return MixPlan(partner, plain, torch.from_numpy(box))
    return None


def _boxes(rng: Generator, kept: Array, size: int) -> Array:
    """Draw squares of the part of the image that is not kept, cut off at its edges.

    Shapes: kept (B,) -> (B, 4) int64
    """
    side = (size * np.sqrt(1 - kept)).astype(np.int64)
    center = rng.integers(0, size, (2, len(kept)))
    low, high = center - side // 2, center - side // 2 + side
    box: Array = np.clip(np.stack([*low, *high], axis=1), 0, size)
    return box


def mix_images(images: Tensor, plan: MixPlan) -> Tensor:
    """Blend each image with its partner, or paste the partner's rectangle.

    Images beyond those of the plan are partners only. The plan is on the images' device.

    Shapes: images (B or more, C, H, W) -> (B, C, H, W)
    """
    others = images.index_select(0, plan.partner)
    images = images[: len(plan.partner)]
    if plan.box is not None:
        pasted = rectangle(images.shape[-1], *plan.box.unbind(1))
        return torch.where(pasted, others, images)
    weight = plan.weight.to(images.dtype).view(-1, 1, 1, 1)
    return images * weight + others * (1 - weight)
