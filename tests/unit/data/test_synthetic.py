from pathlib import Path

import numpy as np
import pytest

from thumbnet.data.packed import verify_packed
from thumbnet.data.synthetic import MAX_CLASSES, synthesize
from thumbnet.errors import DataError

SMALL = {"num_classes": 20, "train_per_class": 6, "val_per_class": 2, "size": 32}


def test_counts_and_labels() -> None:
    data = synthesize(**SMALL)
    train, val, test = (data.splits[name] for name in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (120, 40, 200)
    assert train.labels is not None
    assert val.labels is not None
    assert np.bincount(train.labels).tolist() == [6] * 20
    assert np.bincount(val.labels).tolist() == [2] * 20
    assert (test.labels, test.boxes) == (None, None)
    assert data.image_size == 32
    assert list(data.wnids) == sorted(set(data.wnids))
    assert len(set(data.class_names)) == 20
    assert data.class_names[0] == "red plain circle"
    for split in (train, val, test):
        assert len(set(split.names.tolist())) == len(split)
    assert verify_packed(data.path) == []


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    one, two = synthesize(tmp_path / "1", **SMALL), synthesize(tmp_path / "2", **SMALL)
    other = synthesize(tmp_path / "3", **SMALL, seed=1)
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != other.fingerprint


def test_splits_do_not_share_images() -> None:
    data = synthesize(**SMALL)
    found = [image.tobytes() for split in data.splits.values() for image in split.images]
    assert len(set(found)) == len(found)


def test_boxes_hold_the_object() -> None:
    train = synthesize(num_classes=5, train_per_class=20, val_per_class=1, size=48).splits["train"]
    boxes = train.boxes
    assert boxes is not None
    assert boxes.min() >= 0
    assert boxes.max() < 48
    assert (boxes[:, 2:] - boxes[:, :2] > 8).all()
    # Around a plain circle the center is the object; the corners outside are the ground.
    for image, (left, top, right, bottom) in zip(train.images[:20], boxes[:20], strict=True):
        middle = image[(top + bottom) // 2, (left + right) // 2].astype(int)
        assert middle[0] > middle[1:].max() - 40


def test_all_classes_differ() -> None:
    data = synthesize(num_classes=MAX_CLASSES, train_per_class=1, val_per_class=1, size=16)
    assert len(set(data.class_names)) == MAX_CLASSES == 100


def test_color_alone_does_not_tell_the_class() -> None:
    names = synthesize(**SMALL).class_names
    colors = [name.split()[0] for name in names]
    assert all(colors.count(color) == 4 for color in set(colors))


def test_the_cache_is_reused(cache: Path) -> None:
    one = synthesize(**SMALL)
    assert one.path.parent == cache / "packed"
    stamp = (one.path / "meta.json").stat().st_mtime_ns
    assert (synthesize(**SMALL).path / "meta.json").stat().st_mtime_ns == stamp
    assert synthesize(**SMALL, seed=3).path != one.path


@pytest.mark.parametrize(
    ("key", "value"), [("num_classes", 1), ("num_classes", 101), ("size", 8), ("seed", -1)]
)
def test_numbers_out_of_range(key: str, value: int, cache: Path) -> None:
    with pytest.raises(DataError, match=f"{key} is {value}; allowed are"):
        synthesize(**{**SMALL, key: value})
    assert not cache.exists()
