"""What the board makes of a team's scores: rounded, or held by the Ladder of Blum and Hardt."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from thumbnet.challenge.entities import Rules, Score
from thumbnet.challenge.statistics import half_width

TOLERANCE = 1e-9  # shares of images are no exact binary fractions


class Scorer(ABC):
    """Turns exact scores of one team, in the order of its entries, into those shown."""

    @abstractmethod
    def show(self, value: float, best: float | None) -> float:
        """Return the value shown for an entry.

        Args: value: its exact score; best: the best value shown so far, None for the first
        """


class Plain(Scorer):
    """Shows each score, rounded to a step; 0 shows it exactly."""

    def __init__(self, rounding: float) -> None:
        self.rounding = rounding

    def show(self, value: float, best: float | None) -> float:
        """Round the entry's own score."""
        del best
        return round_to(value, self.rounding)


class Ladder(Scorer):
    """Shows a new score only where it beats the best shown by a step, else that one again.

    What is shown is rounded to the step, so that one entry tells little of a single image.

    Source: Blum and Hardt 2015, arXiv:1502.04585, section 3, figure 1
    """

    def __init__(self, step: float) -> None:
        self.step = step

    def show(self, value: float, best: float | None) -> float:
        """Round a score that is better by the step; repeat the best one otherwise."""
        if best is None or value >= best + self.step - TOLERANCE:
            return round_to(value, self.step)
        return best


def scorer_of(rules: Rules) -> Scorer:
    """Return the scorer that the rules ask for; the Ladder's step is never finer than rounding."""
    if rules.ladder:
        return Ladder(max(rules.ladder_step, rules.rounding))
    return Plain(rules.rounding)


def shown_scores(counts: Sequence[int], num_images: int, rules: Rules) -> list[Score]:
    """Return what the board shows after each entry of one team.

    The half-width is that of the value shown: that of the exact one would betray it.

    Args: counts: right answers, in the order of the entries
    """
    scorer, best, shown = scorer_of(rules), None, list[Score]()
    for count in counts:
        value = scorer.show(count / num_images, best)
        best = value if best is None else max(best, value)
        shown.append(Score(value, half_width(value, num_images), num_images))
    return shown


def round_to(value: float, step: float) -> float:
    """Round a share to the nearest multiple of a step, halves upward, never above 1."""
    if step <= 0:
        return value
    return min(1.0, round(math.floor(value / step + 0.5 + TOLERANCE) * step, 9))
