"""The public images: how many, of which classes, and that they cannot be foretold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.challenge.split import choose_public, shuffled


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=300),
    st.floats(0, 1),
    st.integers(0, 2**64),
)
@settings(deadline=None)
def test_the_share_is_exact_over_all_and_near_in_each_class(
    classes: list[int], share: float, seed: int
) -> None:
    labels = np.array(classes, np.int64)
    public = choose_public(labels, share, seed)
    assert public.dtype == np.bool_
    assert public.sum() == round(share * len(labels))
    for index in set(classes):
        own = labels == index
        assert abs(public[own].sum() - share * own.sum()) < 1 + 1e-6


def test_tiny_imagenet() -> None:
    labels = np.repeat(np.arange(200), 50)
    public = choose_public(labels, 0.3, seed=5)
    assert set(np.bincount(labels[public])) == {15}
    half = choose_public(np.repeat(np.arange(200), 25), 0.3, seed=5)  # 7.5 of each class
    assert half.sum() == 1500
    assert set(np.bincount(np.repeat(np.arange(200), 25)[half])) == {7, 8}


def test_the_seed_decides() -> None:
    labels = np.repeat(np.arange(10), 30)
    first, again, other = (choose_public(labels, 0.3, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_who_has_the_rest_is_drawn() -> None:
    labels = np.repeat(np.arange(10), 1)
    chosen = [int(np.flatnonzero(choose_public(labels, 0.1, seed))[0]) for seed in range(200)]
    assert set(chosen) == set(range(10))


def test_each_image_is_public_as_often() -> None:
    labels = np.repeat(np.arange(4), 10)
    counts = sum(choose_public(labels, 0.3, seed).astype(int) for seed in range(1000))
    assert np.abs(counts - 300).max() < 75  # some five standard deviations


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        choose_public(np.zeros(3, np.int64), share, 0)


def test_orders_of_two_purposes_are_unlike() -> None:
    first, again, other = (shuffled(500, 7, purpose) for purpose in ("a", "a", "b"))
    assert np.array_equal(first, again)
    assert sorted(first) == list(range(500))
    assert (first == other).sum() < 10


def test_the_order_is_the_same_in_every_version() -> None:
    assert shuffled(8, 42, "bundle").tolist() == [6, 3, 5, 7, 1, 4, 0, 2]
    public = choose_public(np.repeat(np.arange(4), 5), 0.4, 42)
    assert np.flatnonzero(public).tolist() == [2, 4, 5, 7, 13, 14, 15, 19]
