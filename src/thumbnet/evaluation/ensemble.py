"""Several networks judged as one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thumbnet.evaluation.evaluate import score

TINY = float(np.finfo(np.float64).tiny)
MAX_ROUNDS = 30
FIT_ROUNDS = 400
NEGLIGIBLE = 1e-6  # gain of a round, in nats, below which shares are fitted
LEAST_SHARE = 1e-3  # a member that is given less is left out


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


def fit_shares(
    logits: Sequence[NDArray[np.float32]], labels: NDArray[np.int64], how: str = "logits"
) -> list[float]:
    """Return shares that sum to 1 and make the cross-entropy of the mean least.

    Exponentiated gradient; a step that makes it worse is halved. A share of 0 leaves a member out.

    Shapes: each (N, C); labels (N,)
    Source: Kivinen and Warmuth 1997
    """
    stack = np.stack([one.astype(np.float64) for one in logits])  # (M, N, C)
    rows = np.arange(len(labels))
    if how == "probs":
        stack = np.exp(stack - stack.max(axis=2, keepdims=True))
        stack /= stack.sum(axis=2, keepdims=True)

    def judge(shares: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the cross-entropy, and how it changes with each share."""
        mean = np.tensordot(shares, stack, 1)  # (N, C)
        own = stack[:, rows, labels]  # (M, N)
        if how == "probs":
            right = np.maximum(mean[rows, labels], TINY)
            return float(-np.log(right).mean()), -(own / right).mean(axis=1)
        mean -= mean.max(axis=1, keepdims=True)
        probs = np.exp(mean)
        total = probs.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0]) - mean[rows, labels]).mean())
        expected = np.einsum("nc,mnc->mn", probs / total, stack)
        return loss, (expected - own).mean(axis=1)

    shares, rate = np.full(len(stack), 1 / len(stack)), 1.0
    loss, slope = judge(shares)
    for _ in range(FIT_ROUNDS):
        moved = np.maximum(shares * np.exp(-rate * (slope - slope.min())), LEAST_SHARE**2)
        moved /= moved.sum()
        found, steeper = judge(moved)
        if found > loss:
            rate /= 2
            continue
        gain, shares, loss, slope = loss - found, moved, found, steeper
        if gain < NEGLIGIBLE:
            break
        rate *= 1.5
    shares = np.where(shares < LEAST_SHARE, 0, shares)
    return [float(share) for share in shares / shares.sum()]
