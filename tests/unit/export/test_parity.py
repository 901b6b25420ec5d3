"""What counts as the same network: ties aside, each way of being another is seen."""

import numpy as np
import pytest

from thumbnet.export.parity import ParityError, check_parity, parity

LOGITS = np.array([[5, 1, 0], [0, 4, 2], [1, 1.00005, 0], [0, 0, 8]], dtype=np.float32)


def test_equal_logits_hold() -> None:
    found = parity(LOGITS, LOGITS.copy())
    assert found.holds
    assert (found.num_images, found.num_ties, found.num_different) == (4, 1, 0)
    assert found.absolute == found.relative == 0


def test_a_tie_may_go_either_way() -> None:
    other = LOGITS.copy()
    other[2] = [1.00005, 1, 0]
    found = parity(LOGITS, other)
    assert found.holds
    assert found.num_different == 0
    assert found.absolute == pytest.approx(5e-5, rel=0.01)


def test_another_class_is_counted() -> None:
    other = LOGITS[:, ::-1].copy()
    found = parity(LOGITS, other)
    assert found.num_different == 2
    with pytest.raises(ParityError, match="2 of 4 images have another top-1"):
        check_parity(found)


def test_a_small_change_of_one_logit_is_too_much() -> None:
    other = LOGITS.copy()
    other[3, 0] += 8 * 2e-4
    found = parity(LOGITS, other)
    assert found.num_different == 0
    assert found.relative == pytest.approx(2e-4, rel=1e-3)
    with pytest.raises(ParityError, match="nothing was written"):
        check_parity(found)


def test_what_is_no_number_never_holds() -> None:
    other = LOGITS.copy()
    other[1, 0] = np.nan
    assert not parity(LOGITS, other).holds


def test_one_class_is_always_a_tie() -> None:
    one = np.ones((3, 1), dtype=np.float32)
    assert parity(one, one).num_ties == 3


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ParityError, match=r"\(4, 2\)"):
        parity(LOGITS, LOGITS[:, :2])
