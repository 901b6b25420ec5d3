import hashlib
from pathlib import Path

import numpy as np
import pytest

from thumbnet.data.packed import ClassInfo, PackedDataset, open_packed
from thumbnet.data.packed_writer import PackedWriter
from thumbnet.data.splits import PROTOCOLS, Part, apply_protocol, source_part
from thumbnet.errors import DataError


def write(target: Path, train: list[int], val: list[int]) -> PackedDataset:
    """Write a data set with so many images of each class, val in mixed order."""
    with PackedWriter(target, image_size=8) as writer:
        for split, counts in (("train", train), ("val", val)):
            labels = np.repeat(np.arange(len(counts)), counts)
            if split == "val":
                labels = np.random.default_rng(0).permutation(labels)
            writer.append(split, np.zeros((len(labels), 8, 8, 3), np.uint8))
            writer.describe(split, [f"n{label}_{at}" for at, label in enumerate(labels)], labels)
        classes = tuple(ClassInfo(f"n{at}", f"n{at}") for at in range(len(train)))
        writer.finish(classes, {"name": "x", "source": {}, "resize": "crop", "skipped": {}})
    return open_packed(target)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return write(tmp_path_factory.mktemp("splits") / "p", [500, 40, 3, 600], [50, 4, 3, 50])


def counts(data: PackedDataset, part: Part) -> list[int]:
    labels = data.splits[part.split].labels
    assert labels is not None
    return np.bincount(labels[part.indices], minlength=data.num_classes).tolist()


def test_official(data: PackedDataset) -> None:
    cut = apply_protocol(data, "official")
    assert (cut.fit.split, cut.watch.split, cut.report.split) == ("train", "val", "val")
    assert (len(cut.fit), len(cut.watch), len(cut.report)) == (1143, 107, 107)


def test_holdout(data: PackedDataset) -> None:
    cut = apply_protocol(data, "holdout")
    assert (cut.fit.split, cut.watch.split, cut.report.split) == ("train", "train", "val")
    assert counts(data, cut.watch) == [25, 2, 1, 25]
    assert counts(data, cut.report) == [50, 4, 3, 50]
    names = [name.decode() for name in data.splits["train"].names]
    ranked = sorted(names[:500], key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert {names[at] for at in cut.watch.indices[:25]} == set(ranked[:25])


def test_holdout_never_changes(data: PackedDataset) -> None:
    indices = apply_protocol(data, "holdout").watch.indices
    assert indices.dtype == np.int64
    found = hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()
    assert found == "ae4f754f8cb35354044037c2094450f716b6d5a1f8db057912b43e27eb7b0bdc"


def test_columbia2020(data: PackedDataset) -> None:
    cut = apply_protocol(data, "columbia2020")
    assert counts(data, cut.watch) == [100, 8, 1, 120]
    assert cut.report.split == "val"
    found = hashlib.sha256(cut.watch.indices.astype("<i8").tobytes()).hexdigest()
    assert found == "3333cba483f909b20cb160406202235e925f1c0899233e6fab8de78984250f4a"


def test_vonmartens2019(data: PackedDataset) -> None:
    cut = apply_protocol(data, "vonmartens2019")
    assert len(cut.fit) == 1143
    assert counts(data, cut.watch) == [25, 2, 1, 25]
    assert counts(data, cut.report) == [25, 2, 2, 25]
    labels = data.splits["val"].labels
    assert labels is not None
    for label in range(4):
        first = cut.watch.indices[labels[cut.watch.indices] == label]
        last = cut.report.indices[labels[cut.report.indices] == label]
        assert first.max() < last.min()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_parts_are_ascending_and_apart(name: str, data: PackedDataset) -> None:
    cut = apply_protocol(data, name)
    assert cut.name == name
    for part in (cut.fit, cut.watch, cut.report):
        assert part.indices.dtype == np.int64
        assert (np.diff(part.indices) > 0).all()
    other = cut.fit if cut.watch.split == "train" else cut.report
    if name != "official":
        assert not np.intersect1d(cut.watch.indices, other.indices).size
        both = np.union1d(cut.watch.indices, other.indices)
        assert np.array_equal(both, source_part(data, other.split).indices)
    again = apply_protocol(data, name)
    assert np.array_equal(again.watch.indices, cut.watch.indices)


def test_thinned_over_the_classes(data: PackedDataset) -> None:
    part = Part("train", np.arange(0, 2000, 2))  # a thousand in order of class
    thin = part.thinned(200)
    assert np.array_equal(thin.indices, np.arange(0, 2000, 10))
    assert len(part.thinned(3)) == 3
    assert part.thinned(None) is part
    assert part.thinned(1001) is part


def test_an_unknown_protocol_names_the_known(data: PackedDataset) -> None:
    with pytest.raises(DataError, match=r"did you mean 'holdout'.*official, holdout, columbia2020"):
        apply_protocol(data, "hold-out")


def test_an_unknown_split_names_the_known(data: PackedDataset) -> None:
    with pytest.raises(DataError, match=r"no split 'test' in .*; it has: train, val"):
        source_part(data, "test")


def test_classes_of_one_image(tmp_path: Path) -> None:
    data = write(tmp_path / "p", [5, 1], [1, 1])
    for name in ("holdout", "columbia2020"):
        with pytest.raises(DataError, match=r"class n1 has one train image.*official"):
            apply_protocol(data, name)
    with pytest.raises(DataError, match="cannot be cut in two"):
        apply_protocol(data, "vonmartens2019")
    assert len(apply_protocol(data, "official").fit) == 6
