"""Several networks as one, each with its own view of the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from thumbnet.augment.views import Preprocess

ARCHITECTURE = "ensemble"


@dataclass(frozen=True)
class Member:
    """A network of an ensemble, what it is called, and how much it counts."""

    model: nn.Module
    architecture: str
    model_args: dict[str, bool | int | float | str]
    num_outputs: int
    preprocess: Preprocess
    weight: float


class EnsembleNet(nn.Module):
    """The weighted mean of the members' logits, or the logarithm of that of their probabilities.

    It takes images in [0, 1] as they are packed; each member scales and normalizes them itself.
    """

    def __init__(self, members: Sequence[Member], num_classes: int, combine: str) -> None:
        super().__init__()
        total = sum(member.weight for member in members)
        self.members = nn.ModuleList(member.model for member in members)
        self.preprocesses = [member.preprocess for member in members]
        self.shares = [member.weight / total for member in members]
        self.num_classes, self.combine = num_classes, combine

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, 3, S, S)."""
        packed = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1)  # as they were packed
        total = images.new_zeros(len(images), self.num_classes)
        for model, preprocess, share in zip(
            self.members, self.preprocesses, self.shares, strict=True
        ):
            inputs = preprocess(packed).contiguous(memory_format=torch.channels_last)
            logits = model(inputs)[:, : self.num_classes].float()
            total += share * (logits.softmax(1) if self.combine == "probs" else logits)
        if self.combine == "probs":
            return total.clamp(min=torch.finfo(total.dtype).tiny).log()
        return total


def plain_preprocess(like: Preprocess) -> Preprocess:
    """Return the preprocessing that hands packed pixels on as they are, over 255."""
    return Preprocess(
        image_size=like.source_size,
        color="rgb",
        mean=(0.0,),
        std=(1.0,),
        source_size=like.source_size,
        resize=like.resize,
        background=like.background,
    )
