"""How sure a score is, and which teams it can tell apart."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from thumbnet.challenge.entities import Score
from thumbnet.significance import sign_test

Z95 = 1.959963984540054  # the normal quantile of a two-sided 95 % interval
LEVEL = 0.05


def half_width(value: float, num_images: int) -> float:
    """Return half the width of the 95 % Wilson interval of a share.

    Source: Wilson 1927; the interval's middle lies a little nearer to one half than `value`
    """
    spread = value * (1 - value) / num_images + (Z95 / (2 * num_images)) ** 2
    return Z95 * math.sqrt(spread) / (1 + Z95**2 / num_images)


def score_of(num_correct: int, num_images: int) -> Score:
    """Return the exact score of so many right answers.

    Raises: ValueError unless 0 <= num_correct <= num_images, and there is an image
    """
    if not 0 <= num_correct <= num_images or num_images == 0:
        raise ValueError(f"{num_correct} right of {num_images} images is no score")
    value = num_correct / num_images
    return Score(value, half_width(value, num_images), num_images)


def bands(correct: Sequence[NDArray[np.bool_]]) -> list[int]:
    """Return the band of each team, from 1, given which images each got right, best team first.

    A band begins where a team is told apart from the first one of the running band, by an exact
    two-sided McNemar test at 5 % on the same images. The first, not the neighbor: else a long chain
    of close teams would make one band whose ends are far apart. Two teams of one band may differ
    all the same, and each test stands for itself: none is corrected for the number of teams.

    Shapes: correct: one (num_images,) a team
    """
    found: list[int] = []
    first: NDArray[np.bool_] | None = None
    for right in correct:
        if first is None or told_apart(first, right):
            first = right
            found.append(found[-1] + 1 if found else 1)
        else:
            found.append(found[-1])
    return found


def told_apart(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Tell whether two teams' right answers differ by more than noise does in 1 of 20 cases.

    Shapes: (num_images,), (num_images,)
    """
    return _is_uneven(int(np.count_nonzero(one & ~other)), int(np.count_nonzero(other & ~one)))


@lru_cache(maxsize=1 << 16)  # a board compares the same teams again at each entry
def _is_uneven(only_one: int, only_other: int) -> bool:
    return sign_test(only_one, only_other) < LEVEL
