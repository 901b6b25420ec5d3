"""Protocols: which part of the source splits is fitted, which is watched, which is reported."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.data.packed import PackedDataset, PackedSplit
from thumbnet.errors import DataError, did_you_mean

PROTOCOLS = ("official", "holdout", "columbia2020", "vonmartens2019")

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Positions in one source split, ascending."""

    split: str
    indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    def cut(self, positions: slice) -> "Part":
        """Return some of it."""
        return Part(self.split, self.indices[positions])

    def thinned(self, num_images: int | None) -> "Part":
        """Return so many images at even distances: as data lies by class, evenly over classes."""
        if num_images is None or num_images >= len(self):
            return self
        return Part(self.split, self.indices[np.arange(num_images) * len(self) // num_images])


@dataclass(frozen=True)
class Protocol:
    """Three parts: weights are fitted on `fit`, chosen on `watch`, judged on `report`."""

    name: str
    fit: Part
    watch: Part
    report: Part


def apply_protocol(dataset: PackedDataset, name: str) -> Protocol:
    """Cut a data set as the named protocol says; the result depends on nothing else.

    Raises: DataError for an unknown protocol, or classes too small to be cut
    """
    if name not in PROTOCOLS:
        raise DataError(
            f"unknown protocol {name!r}{did_you_mean(name, PROTOCOLS)}; known: "
            f"{', '.join(PROTOCOLS)}"
        )
    train, val = source_part(dataset, "train"), source_part(dataset, "val")
    if name == "official":
        return Protocol(name, train, val, val)
    if name == "vonmartens2019":
        watch, report = _halves(dataset)
        return Protocol(name, train, Part("val", watch), Part("val", report))
    watch = _holdout(dataset) if name == "holdout" else _fifth(dataset)
    fit = np.setdiff1d(train.indices, watch, assume_unique=True)
    return Protocol(name, Part("train", fit), Part("train", watch), val)


def source_part(dataset: PackedDataset, split: str) -> Part:
    """Return all of a source split.

    Raises: DataError for a split this data set has not
    """
    if split not in dataset.splits:
        raise DataError(
            f"no split {split!r} in {dataset.path}{did_you_mean(split, dataset.splits)}; it has: "
            f"{', '.join(dataset.splits)}"
        )
    return Part(split, np.arange(len(dataset.splits[split]), dtype=np.int64))


def _holdout(dataset: PackedDataset) -> Indices:
    """Take 1/20 of each class, 1 to 25 images: those whose sha256 of the name is smallest."""
    train, chosen = dataset.splits["train"], list[int]()
    names = train.names.tolist()
    for members in _by_class(dataset, train):
        _need_two(dataset, train, members)
        count = min(25, max(1, round(len(members) / 20)))
        ranked = sorted(members.tolist(), key=lambda at: (hashlib.sha256(names[at]).digest(), at))
        chosen += ranked[:count]
    return np.array(sorted(chosen), dtype=np.int64)


def _fifth(dataset: PackedDataset) -> Indices:
    """Take 20 % of each class, as permuted by PCG64 seeded with 0, class after class."""
    train, chosen = dataset.splits["train"], list[Indices]()
    random = np.random.Generator(np.random.PCG64(0))
    for members in _by_class(dataset, train):
        _need_two(dataset, train, members)
        count = max(1, round(len(members) / 5))
        chosen.append(random.permutation(members)[len(members) - count :])
    return np.sort(np.concatenate(chosen))


def _halves(dataset: PackedDataset) -> tuple[Indices, Indices]:
    """Cut each class of val in two, in the order of the annotations."""
    val = dataset.splits["val"]
    first, last = list[Indices](), list[Indices]()
    for members in _by_class(dataset, val):
        first.append(members[: len(members) // 2])
        last.append(members[len(members) // 2 :])
    watch, report = np.sort(np.concatenate(first)), np.sort(np.concatenate(last))
    if not len(watch):
        raise DataError(
            f"val of {dataset.path} has one image a class and cannot be cut in two; take the "
            "protocol holdout"
        )
    return watch, report


def _by_class(dataset: PackedDataset, split: PackedSplit) -> Iterator[Indices]:
    assert split.labels is not None
    order = np.argsort(split.labels, kind="stable")
    counts = np.bincount(split.labels, minlength=dataset.num_classes)
    yield from np.split(order, np.cumsum(counts)[:-1])


def _need_two(dataset: PackedDataset, split: PackedSplit, members: Indices) -> None:
    if len(members) == 1:
        label = int(split.labels[members[0]]) if split.labels is not None else 0
        raise DataError(
            f"class {dataset.class_names[label]} has one train image, none can be held out; add "
            "images, or take the protocol official"
        )
