"""Figures of a network on labeled images."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thumbnet.augment.views import Preprocess
from thumbnet.data.loader import Loader
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import Part
from thumbnet.errors import DataError
from thumbnet.evaluation.predict import predict_logits
from thumbnet.scoring import num_correct


@dataclass(frozen=True)
class Scores:
    """Accuracies as fractions of 1, mean cross-entropy in nats, and the number of images."""

    top1: float
    top5: float
    loss: float
    num_images: int

    def to_dict(self) -> dict[str, float]:
        """Return plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Tally:
    """Sums over images: right at the first guess, within five, cross-entropy in nats, number."""

    top1: int
    top5: int
    loss: float
    num_images: int

    def scores(self) -> Scores:
        """Return what they come to; at least one image must have been judged."""
        return Scores(
            top1=self.top1 / self.num_images,
            top5=self.top5 / self.num_images,
            loss=self.loss / self.num_images,
            num_images=self.num_images,
        )


def tally(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Tally:
    """Add up what logits score; the loss is no number where a logit is infinite.

    Shapes: logits (N, C), labels (N,)
    """
    with np.errstate(invalid="ignore"):
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        log_norm = np.log(np.exp(shifted).sum(axis=1))
        losses = log_norm - shifted[np.arange(len(labels)), labels]
    return Tally(
        top1=num_correct(logits, labels, 1),
        top5=num_correct(logits, labels, 5),
        loss=float(losses.sum()),
        num_images=len(labels),
    )


def score(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Scores:
    """Return top-1, top-5 and mean cross-entropy, which is no number where a logit is infinite.

    Shapes: logits (N, C), labels (N,)
    """
    return tally(logits, labels).scores()


class Judge:
    """Scores a network on one part; the part is scaled down once and kept.

    Args: total makes of the sums over this part those over all images, where others judge the rest
    """

    def __init__(
        self,
        dataset: PackedDataset,
        part: Part,
        preprocess: Preprocess,
        device: torch.device,
        total: Callable[[Tally], Tally] | None = None,
    ) -> None:
        if dataset.splits[part.split].labels is None:
            raise DataError(f"the split '{part.split}' has no labels; evaluate on train or val")
        self.loader = Loader(dataset, part, device, preprocess.shrink)
        self.preprocess = preprocess
        self.num_classes = dataset.num_classes
        self.total = total

    def logits(
        self, model: nn.Module, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """Run the network over the part.

        Shapes: -> (N, num_classes)
        """
        order = torch.arange(len(self.loader), device=self.loader.labels.device)
        return predict_logits(
            model,
            lambda part: self.loader.batch(order[part])[0],
            len(self.loader),
            self.preprocess,
            self.num_classes,
            progress=progress,
        )

    def __call__(
        self, model: nn.Module, progress: Callable[[int, int], None] | None = None
    ) -> Scores:
        """Score the network on the part."""
        sums = tally(self.logits(model, progress), self.loader.labels.cpu().numpy())
        return (sums if self.total is None else self.total(sums)).scores()
