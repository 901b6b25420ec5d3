"""Several networks judged as one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def combine(logits: Sequence[NDArray[np.float32]], how: str = "logits") -> NDArray[np.float32]:
    """Return what an ensemble puts out for each image.

    Args: how: `logits` takes the mean of the last layers' outputs (hansen2015), `probs` the
        logarithm of the mean of the probabilities
    Shapes: each (N, C) -> (N, C)
    Raises: ValueError for no member, members of different shapes, or another `how`
    """
    if not logits or len({one.shape for one in logits}) > 1:
        raise ValueError(f"members of shapes {[one.shape for one in logits]} cannot be combined")
    stack = np.stack([one.astype(np.float64) for one in logits])  # (M, N, C)
    if how == "logits":
        mean = stack.mean(axis=0)
    elif how == "probs":
        shifted = np.exp(stack - stack.max(axis=2, keepdims=True))
        probs = shifted / shifted.sum(axis=2, keepdims=True)
        mean = np.log(np.maximum(probs.mean(axis=0), np.finfo(np.float64).tiny))
    else:
        raise ValueError(f"how='{how}'; allowed: logits, probs")
    return np.asarray(mean, dtype=np.float32)
