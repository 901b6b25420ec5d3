"""Ranks and counts against a sort written out, ties and broken numbers included."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.scoring import num_correct, ranked

numbers = st.sampled_from([0.0, -0.0, 1.0, 2.0, -3.5, math.inf, -math.inf, math.nan])  # many ties
tables = st.integers(1, 7).flatmap(
    lambda width: st.lists(
        st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=6
    )
)


def ranked_twin(row: list[float]) -> list[int]:
    """Sort by size, then by index; what is no number stands with minus infinity."""
    return sorted(range(len(row)), key=lambda i: (math.inf if math.isnan(row[i]) else -row[i], i))


@settings(deadline=None)
@given(rows=tables, k=st.integers(1, 8), dtype=st.sampled_from([np.float32, np.float64]))
def test_ranks_best_first_and_ties_by_index(
    rows: list[list[float]], k: int, dtype: type[np.floating]
) -> None:
    best = ranked(np.array(rows, dtype), k)
    assert best.dtype == np.int64
    assert best.tolist() == [ranked_twin(row)[:k] for row in rows]


@settings(deadline=None)
@given(rows=tables, k=st.integers(1, 8), data=st.data())
def test_counts_the_labels_among_the_best(
    rows: list[list[float]], k: int, data: st.DataObject
) -> None:
    of_class = st.integers(0, len(rows[0]) - 1)
    labels = data.draw(st.lists(of_class, min_size=len(rows), max_size=len(rows)))
    twin = sum(label in ranked_twin(row)[:k] for row, label in zip(rows, labels, strict=True))
    assert num_correct(np.array(rows, np.float32), np.array(labels), k) == twin


def test_top_1_is_the_default() -> None:
    logits = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0]])
    assert num_correct(logits, np.array([1, 1])) == 1
    assert num_correct(logits, np.array([1, 1]), 2) == 2


def test_a_network_of_nan_is_not_right() -> None:
    logits = np.full((10, 10), np.nan, np.float32)
    assert num_correct(logits, np.arange(10), 1) == 1  # chance: all are equal
    assert num_correct(logits, np.arange(10), 5) == 5


@pytest.mark.parametrize("dtype", [np.int64, np.float16])
def test_takes_other_numbers_too(dtype: type[np.generic]) -> None:
    logits = np.array([[1, 5, 5], [9, 0, 1]], dtype)
    assert ranked(logits, 2).tolist() == [[1, 2], [0, 2]]
    assert num_correct(logits, np.array([2, 0])) == 1


def test_the_logits_are_left_as_they_were() -> None:
    logits = np.array([[np.nan, 1.0]])
    ranked(logits, 1)
    num_correct(logits, np.array([0]))
    assert np.isnan(logits[0, 0])
