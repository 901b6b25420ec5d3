"""A run has diverged where its watched loss stays far above that of guessing."""

import math

import pytest

from thumbnet.training.divergence import has_blown_up

GUESS = math.log(6)
BLOWN = 1_469_874.0


@pytest.mark.parametrize(
    ("losses", "done", "expected"),
    [
        ([BLOWN] * 3, 3 / 7, True),  # one step an epoch, of seven
        ([BLOWN] * 2, 3 / 7, False),  # may pass
        ([BLOWN, 1.2, BLOWN, BLOWN], 0.9, False),
        ([1.2, BLOWN, BLOWN, BLOWN], 0.9, True),
        ([BLOWN] * 3, 0.25, False),  # the start
        ([0.4, BLOWN], 1.0, True),  # nothing can mend it any more
        ([BLOWN], 1.0, True),
        ([BLOWN, BLOWN, 0.4], 1.0, False),
        ([190 * GUESS] * 9, 1.0, False),  # sure and wrong, as a network that overfits
        ([210 * GUESS] * 9, 1.0, True),
        ([], 0.0, False),
    ],
)
def test_what_has_blown_up(losses: list[float], done: float, expected: bool) -> None:
    assert has_blown_up(losses, 6, done) is expected


def test_more_classes_may_lose_more() -> None:
    assert has_blown_up([600.0] * 3, 6, 0.5)
    assert not has_blown_up([600.0] * 3, 200, 0.5)
