"""Several networks judged as one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thumbnet.evaluation.evaluate import score

TINY = float(np.finfo(np.float64).tiny)
MAX_ROUNDS = 30


def combine(
    logits: Sequence[NDArray[np.float32]],
    how: str = "logits",
    weights: Sequence[float] | None = None,
) -> NDArray[np.float32]:
    """Return what an ensemble puts out for each image.

    Args: how: `logits` takes the mean of the last layers' outputs (hansen2015), `probs` the
        logarithm of the mean of the probabilities; weights: of the members, all alike if None
    Shapes: each (N, C) -> (N, C)
    Raises: ValueError for no member, members of different shapes, or another `how`
    """
    if not logits or len({one.shape for one in logits}) > 1:
        raise ValueError(f"members of shapes {[one.shape for one in logits]} cannot be combined")
    stack = np.stack([one.astype(np.float64) for one in logits])  # (M, N, C)
    if how == "logits":
        mean = np.average(stack, axis=0, weights=weights)
    elif how == "probs":
        shifted = np.exp(stack - stack.max(axis=2, keepdims=True))
        probs = shifted / shifted.sum(axis=2, keepdims=True)
        mean = np.log(np.maximum(np.average(probs, axis=0, weights=weights), TINY))
    else:
        raise ValueError(f"how='{how}'; allowed: logits, probs")
    return np.asarray(mean, dtype=np.float32)


def select(
    logits: Sequence[NDArray[np.float32]], labels: NDArray[np.int64], how: str = "logits"
) -> list[int]:
    """Return how often each member counts: greedily, with replacement, as long as top-1 rises.

    Of equally good choices that with the lower cross-entropy is taken, then the earlier member.

    Shapes: each (N, C); labels (N,)
    Source: Caruana and others 2004
    """
    counts, best = [0] * len(logits), (-1.0, 0.0)
    for _ in range(MAX_ROUNDS):
        tried = []
        for member in range(len(logits)):
            weights = [count + (i == member) for i, count in enumerate(counts)]
            scores = score(combine(logits, how, weights), labels)
            tried.append(((scores.top1, -scores.loss), -member))
        figure, member = max(tried)
        if figure[0] <= best[0]:
            break
        best, counts[-member] = figure, counts[-member] + 1
    return counts
