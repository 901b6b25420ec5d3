"""How sure a figure is: intervals of a share, and paired tests of two networks, in numpy alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
BISECTIONS = 60
RESAMPLES = 2000
CHUNK = 64  # resamples drawn at a time


@dataclass(frozen=True)
class Interval:
    """The two ends of an interval."""

    low: float
    high: float


def exact_interval(num_right: int, num: int, level: float = LEVEL) -> Interval:
    """Return the Clopper-Pearson interval of a share.

    Raises: ValueError unless 0 <= num_right <= num and num > 0
    Source: Clopper and Pearson 1934
    """
    if not 0 <= num_right <= num or num == 0:
        raise ValueError(f"{num_right} of {num} is not a share")
    tail = (1 - level) / 2
    low = high = num_right / num
    if num_right > 0:
        low = _solve(lambda p: 1 - binomial_cdf(num_right - 1, num, p) - tail, 0.0, low)
    else:
        low = 0.0
    if num_right < num:
        high = _solve(lambda p: tail - binomial_cdf(num_right, num, p), high, 1.0)
    else:
        high = 1.0
    return Interval(low, high)


def wilson_interval(num_right: int, num: int) -> Interval:
    """Return the 95 % Wilson interval of a share.

    Raises: ValueError unless 0 <= num_right <= num and num > 0
    Source: Wilson 1927
    """
    if not 0 <= num_right <= num or num == 0:
        raise ValueError(f"{num_right} of {num} is not a share")
    z2, p = 1.959963984540054**2, num_right / num
    middle = (p + z2 / (2 * num)) / (1 + z2 / num)
    half = math.sqrt(z2 * (p * (1 - p) / num + z2 / (4 * num * num))) / (1 + z2 / num)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def bootstrap_interval(
    values: NDArray[np.float64], seed: int = 0, level: float = LEVEL, resamples: int = RESAMPLES
) -> Interval:
    """Return the percentile bootstrap interval of a mean.

    Shapes: values (N,)
    """
    rng = np.random.default_rng([seed, len(values)])
    means = []
    for first in range(0, resamples, CHUNK):
        count = min(CHUNK, resamples - first)
        drawn = rng.integers(0, len(values), (count, len(values)))
        means.append(values[drawn].mean(axis=1))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return Interval(float(low), float(high))


def mcnemar(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the exact two-sided probability of a difference at least this large by chance.

    Args: whether each of two networks is right on the same images
    Shapes: (N,), (N,)
    Raises: ValueError where they are not of the same images
    Source: McNemar 1947
    """
    if one.shape != other.shape:
        raise ValueError(f"{len(one)} and {len(other)} images are not the same images")
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    return sign_test(only_one, only_other)


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided probability of a split at least this uneven of fair coins."""
    if wins == losses:
        return 1.0
    return min(1.0, 2 * binomial_cdf(min(wins, losses), wins + losses, 0.5))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Return probabilities corrected for as many comparisons, in the same order.

    Source: Holm 1979
    """
    order = sorted(range(len(probabilities)), key=lambda i: probabilities[i])
    corrected, most = [0.0] * len(order), 0.0
    for place, i in enumerate(order):
        most = max(most, min(1.0, (len(order) - place) * probabilities[i]))
        corrected[i] = most
    return corrected


def binomial_cdf(k: int, num: int, p: float) -> float:
    """Return the probability of at most `k` of `num` draws of probability `p`."""
    if k < 0:
        return 0.0
    if k >= num or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    counts = np.arange(k + 1)
    logs = _log_choose(num)[: k + 1] + counts * math.log(p) + (num - counts) * math.log1p(-p)
    return float(min(1.0, np.exp(logs).sum()))


_choices: dict[int, NDArray[np.float64]] = {}


def _log_choose(num: int) -> NDArray[np.float64]:
    """Return the logarithms of `num` over 0 to `num`, kept for the next call."""
    if num not in _choices:
        if len(_choices) > 16:
            _choices.clear()
        factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, num + 1)))])
        _choices[num] = factorial[num] - factorial - factorial[::-1]
    return _choices[num]


def _solve(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function is 0, by halving."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
