"""An attack on the Ladder that also learns from entries whose score is not shown.

The attacker keeps a belief, a mean and a covariance, of which answers are right on public images.
The first entries are wrong almost everywhere. Each next one is built so that it beats the best
shown score by a step about as often as steps are left to climb, and varies which doubtful answers
it gives. A new score shown says in which interval the number of right answers lies; the best score
shown again says that it lies below the next step. Both are one update of a Kalman filter with the
moments of a normal distribution cut off at the ends of the interval.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from thumbnet.challenge.ladder import Ladder
from thumbnet.challenge.split import choose_public

NUM_IMAGES, NUM_CLASSES = 10_000, 200
SIGNAL = 2.65  # of the right class above the noise, which makes a top-1 of about 45 %
SHARED_NOISE = 0.5  # part of the variance that all networks have in common
MOST_GUESSES = 3
LEAST_CHANCE = 0.05  # an entry that is hardly ever answered says nothing
NORMAL = NormalDist()
FAR = 7.0  # standard deviations

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Guesses:
    """What a calibrated network says of the hidden images, and what is true of them.

    Shapes: public (N,); probs, right (N, MOST_GUESSES), the likeliest class first
    """

    public: Bools
    probs: Floats
    right: Bools

    def gap(self, chosen: NDArray[np.int64]) -> float:
        """Return public minus private score where each image gets one of its guesses."""
        right = self.right[np.arange(len(chosen)), chosen]
        return float(right[self.public].mean() - right[~self.public].mean())


@dataclass(frozen=True)
class Variant:
    """How the attack is played.

    `num_guesses`: answers an image may get; `num_doubtful`: images whose answer varies; `spread`:
    how far, in standard deviations of the belief, an answer may vary from the likeliest
    """

    num_guesses: int
    num_doubtful: int
    spread: float

    def __str__(self) -> str:
        return f"{self.num_guesses} guesses, {self.num_doubtful:,} doubtful, spread {self.spread:g}"


def draw_guesses(index: int, public_share: float) -> Guesses:
    """Draw one of several networks that err alike: synthetic logits with shared noise."""
    shared, own = np.random.default_rng([7, 0]), np.random.default_rng([7, 1, index])
    labels = np.repeat(np.arange(NUM_CLASSES), NUM_IMAGES // NUM_CLASSES)
    logits = math.sqrt(SHARED_NOISE) * shared.standard_normal((NUM_IMAGES, NUM_CLASSES))
    logits += math.sqrt(1 - SHARED_NOISE) * own.standard_normal((NUM_IMAGES, NUM_CLASSES))
    logits[np.arange(NUM_IMAGES), labels] += SIGNAL
    probs = np.exp(SIGNAL * (logits - logits.max(axis=1, keepdims=True)))
    probs /= probs.sum(axis=1, keepdims=True)
    top = np.argsort(-probs, axis=1)[:, :MOST_GUESSES]
    return Guesses(
        public=choose_public(labels, public_share, seed=0),
        probs=np.take_along_axis(probs, top, axis=1),
        right=top == labels[:, None],
    )


class Belief:
    """Which guesses are right on public images: a normal distribution, by a Kalman filter.

    The covariance is that of the beginning, which is diagonal, minus one outer product an entry.
    """

    def __init__(self, probs: Floats, public_share: float, num_entries: int) -> None:
        self.num_images, self.num_guesses = probs.shape
        self.mean = (public_share * probs).ravel()
        self._first_variance = self.mean * (1 - self.mean)
        self.variance = self._first_variance.copy()
        self._learned = np.zeros((num_entries, self.mean.size), np.float32)
        self._num_learned = 0

    def likeliest(self) -> NDArray[np.int64]:
        """Return the best guess for each image."""
        return self.mean.reshape(self.num_images, self.num_guesses).argmax(axis=1)

    def drawn(self, spread: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return a guess for each image that is likely, but not always the likeliest."""
        noise = rng.standard_normal(self.mean.size) * np.sqrt(np.maximum(self.variance, 0))
        varied = self.mean + spread * noise
        return varied.reshape(self.num_images, self.num_guesses).argmax(axis=1)

    def covariance(self, given: NDArray[np.float32]) -> Floats:
        """Return the covariance of each guess with the number of right answers of an entry."""
        learned = self._learned[: self._num_learned]
        return self._first_variance * given - learned.T @ (learned @ given)

    def learn(self, given: NDArray[np.float32], low: float, high: float) -> float:
        """Learn that an entry has between so many right answers; return how unsure that was."""
        covariance = self.covariance(given)
        spread = math.sqrt(max(float(covariance @ given), 1.0))
        expected = float(self.mean @ given)
        mean, variance = cut_normal(expected, spread, low, high)
        self.mean += covariance / spread**2 * (mean - expected)
        row = covariance / spread * math.sqrt(max(0.0, 1 - variance / spread**2))
        self._learned[self._num_learned] = row
        self._num_learned += 1
        self.variance -= row**2
        return spread


def cut_normal(mean: float, spread: float, low: float, high: float) -> tuple[float, float]:
    """Return mean and variance of a normal distribution between two ends."""
    start = min(max((low - mean) / spread, -FAR - 1), FAR)
    end = max(min((high - mean) / spread, FAR + 1), -FAR)
    mass = max(NORMAL.cdf(end) - NORMAL.cdf(start), 1e-12)
    first, last = NORMAL.pdf(start), NORMAL.pdf(end)
    shift = (first - last) / mass
    variance = 1 + (start * first - end * last) / mass - shift**2
    return mean + spread * shift, spread**2 * min(max(variance, 1e-3), 1.0)


def climb(guesses: Guesses, seed: int, board: Ladder, num_entries: int, variant: Variant) -> float:
    """Play the attack; return by how much public minus private score grew."""
    rng = np.random.default_rng([seed, 3])
    num_public = int(guesses.public.sum())
    share = num_public / len(guesses.public)
    probs = guesses.probs[:, : variant.num_guesses]
    belief = Belief(probs, share, num_entries)
    places = np.argsort(probs[:, 0] - probs[:, 1])
    doubtful, sure = np.split(places, [variant.num_doubtful])
    sure = rng.permutation(sure)
    right = (guesses.right[:, : variant.num_guesses] & guesses.public[:, None]).ravel()
    first = np.arange(len(places)) * variant.num_guesses
    best, spread = 0.0, 30.0
    for entry in range(num_entries):
        bar = (best + board.step) * num_public
        reachable = belief.mean[first + belief.likeliest()].sum()
        steps_left = max(1.0, (reachable - bar) / (board.step * num_public))
        chance = min(0.5, max(LEAST_CHANCE, steps_left / (num_entries - entry)))
        wanted = bar + NORMAL.inv_cdf(chance) * spread
        for closer in (1, 2, 4, 10):  # near the top, where little may vary
            answers = first + belief.drawn(variant.spread / closer, rng)
            if belief.mean[answers].sum() >= wanted:
                break
        order = answers[np.concatenate([rng.permutation(doubtful), sure])]
        kept = order[: int(np.searchsorted(np.cumsum(belief.mean[order]), wanted)) + 1]
        given = np.zeros(belief.mean.size, np.float32)
        given[kept] = 1
        shown = board.show(int(right[kept].sum()) / num_public, best)
        low, high = -math.inf, bar
        if shown > best:
            low = max(bar, (shown - board.step / 2) * num_public)
            high, best = (shown + board.step / 2) * num_public, shown
        spread = belief.learn(given, low - 0.5, high - 0.5)
    first_guesses = np.zeros(len(places), np.int64)
    return guesses.gap(belief.likeliest()) - guesses.gap(first_guesses)
