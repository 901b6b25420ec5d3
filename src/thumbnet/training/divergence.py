"""The rule by which a run whose watched loss has blown up is ended."""

import math
from collections.abc import Sequence

FACTOR = 200.0  # times ln(classes), the loss of a network that guesses; see `has_blown_up`
START = 0.25  # of the steps, in which the watched loss may be anything
NUM_EPOCHS = 3  # in a row; or the last one alone


def has_blown_up(losses: Sequence[float], num_classes: int, done: float) -> bool:
    """Tell whether the last watched losses show that training diverged.

    They do where three epochs in a row end above 200 ln(classes), or the last epoch of a run does.
    A network that overfits is wrong and sure of it, which costs a few times ln(classes): networks
    that had memorized random labels ended at 2 to 3 times. A sound network of two classes of noise,
    trained at 32 px and evaluated at 64, reached 23 times. 200 times is a mean probability of
    classes ** -200 for the right class, which only weights or norms that blew up give. Label
    smoothing and mixes play no part: the watched loss is that of plain images and plain labels. In
    the first quarter of the steps the learning rate is at its highest and batch norm's statistics
    lag behind the weights: whatever happens there may pass.

    Args: losses: of the epochs so far, the latest last; done: the fraction of the steps done
    """
    limit = FACTOR * math.log(max(2, num_classes))
    if not losses or done <= START:
        return False
    needed = 1 if done >= 1 else NUM_EPOCHS
    return len(losses) >= needed and all(loss > limit for loss in losses[-needed:])
