"""Logits of a network on a part of a data set, in fp32 and in the part's own order."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thumbnet.augment.views import Preprocess
from thumbnet.evaluation.views import VIEWS, View, mean_over
from thumbnet.memory import keep_freed_memory
from thumbnet.threads import Contention, ThreadTuner

BATCH = 250
CUDA_BATCH = 2000  # and fewer above 64 px, so that as much memory does

Fetch = Callable[[slice], Tensor]  # positions -> images (B, H, W, C) uint8


def batch_for(device: torch.device, size: int) -> int:
    """Return how many images are judged at once: on a CPU so many as its caches like.

    Units: size in px
    """
    if device.type != "cuda":
        return BATCH
    return max(BATCH, CUDA_BATCH * 64**2 // max(64, size) ** 2)


@contextmanager
def in_fp32() -> Iterator[None]:
    """Have cuDNN's convolutions use all bits of fp32, which by default it does not."""
    convolutions = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before


@in_fp32()
@torch.inference_mode()
def predict_logits(
    model: nn.Module,
    fetch: Fetch,
    num_images: int,
    preprocess: Preprocess,
    num_classes: int,
    *,
    batch_size: int | None = None,
    views: Sequence[View] = VIEWS["one"],
    progress: Callable[[int, int], None] | None = None,
    choose_threads: bool = False,
) -> NDArray[np.float32]:
    """Run the network over all images; outputs beyond the classes are left out.

    Args: fetch returns shrunk packed images by position; batch_size None takes what suits the
        device; views are seen and their logits averaged; progress hears (done, total);
        choose_threads: on a busy machine, try fewer CPU threads; that changes no logit.
    Shapes: -> (N, num_classes)
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    batch_size = batch_size or batch_for(device, preprocess.input_size)
    if num_images > batch_size:
        keep_freed_memory()
    before = torch.get_num_threads()
    tuner = ThreadTuner(before, before, None, Contention().found) if choose_threads else None
    logits = np.empty((num_images, num_classes), dtype=np.float32)
    try:
        for first in range(0, num_images, batch_size):
            started = monotonic()
            part = slice(first, min(first + batch_size, num_images))
            inputs = preprocess.to_input(fetch(part).to(device))
            outputs = mean_over(views, model, inputs)
            logits[part] = outputs[:, :num_classes].cpu().numpy()
            if tuner is not None:
                torch.set_num_threads(tuner.stepped(0, monotonic() - started))
            if progress is not None:
                progress(part.stop, num_images)
    finally:
        torch.set_num_threads(before)
    model.train(was_training)
    return logits
