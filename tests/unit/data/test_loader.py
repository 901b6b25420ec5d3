"""The order of an epoch, and batches that are exactly the packed images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from thumbnet.data.loader import Loader, batches, epoch_order, labels_of
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import Part
from thumbnet.data.synthetic import synthesize
from thumbnet.errors import DataError

CPU = torch.device("cpu")
PART = Part("train", np.array([1, 4, 5, 9, 13, 14, 19]))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("data") / "packed"
    return synthesize(folder, num_classes=4, train_per_class=5, val_per_class=2, size=16)


class Halve:
    """A shrink that counts the images it was given."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, images: Tensor) -> Tensor:
        self.seen += [image.numpy().tobytes() for image in images]
        return images[:, ::2, ::2].contiguous()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 10**5), num=st.integers(0, 200))
def test_an_order_is_a_permutation(seed: int, epoch: int, num: int) -> None:
    order = epoch_order(seed, epoch, num)
    assert order.dtype == torch.int64
    assert sorted(order.tolist()) == list(range(num))
    assert torch.equal(order, epoch_order(seed, epoch, num))


def test_orders_differ_by_seed_and_epoch() -> None:
    orders = {tuple(epoch_order(s, e, 50).tolist()) for s in range(4) for e in range(4)}
    assert len(orders) == 16
    assert tuple(range(50)) not in orders


def test_an_order_is_the_same_on_every_machine() -> None:
    """Resume and replay hang on these numbers."""
    assert epoch_order(0, 0, 10).tolist() == [4, 6, 2, 7, 3, 5, 9, 0, 8, 1]
    assert epoch_order(7, 3, 10).tolist() == [3, 5, 4, 7, 8, 0, 9, 2, 1, 6]


@pytest.mark.parametrize("shrinks", [False, True])
def test_batches_hold_the_images_asked_for(dataset: PackedDataset, shrinks: bool) -> None:
    loader = Loader(dataset, PART, CPU, Halve() if shrinks else None)
    train = dataset.splits["train"]
    assert train.labels is not None
    assert len(loader) == 7
    for positions in ([2, 0], [6, 6, 1], [2, 0, 1, 3, 4, 5, 6], [5]):
        images, labels = loader.batch(torch.tensor(positions))
        at = PART.indices[positions]
        packed = train.images[at]
        assert np.array_equal(images, packed[:, ::2, ::2] if shrinks else packed)
        assert images.dtype == torch.uint8
        assert np.array_equal(labels, train.labels[at])


def test_no_image_is_shrunk_twice(dataset: PackedDataset) -> None:
    halve = Halve()
    loader = Loader(dataset, PART, CPU, halve)
    for epoch in range(3):
        order = epoch_order(0, epoch, 7)
        for part in batches(7, 3)[: 2 if epoch == 0 else 3]:  # the first epoch is cut short
            loader.batch(order[part])
    assert len(halve.seen) == len(set(halve.seen)) == 7


def test_too_many_to_keep_are_shrunk_each_time(
    dataset: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Loader(dataset, PART, CPU, Halve())
    monkeypatch.setattr("thumbnet.data.loader.MOST_KEPT", 7 * 8 * 8 * 3 - 1)
    halve = Halve()
    loader = Loader(dataset, PART, CPU, halve)
    for positions in (torch.tensor([3, 0, 6]), torch.tensor([3, 1])):
        assert torch.equal(loader.batch(positions)[0], kept.batch(positions)[0])
    assert len(halve.seen) == 5


def test_a_batch_may_be_changed_without_changing_the_data(dataset: PackedDataset) -> None:
    for shrink in (None, Halve()):
        loader = Loader(dataset, PART, CPU, shrink)
        first = loader.batch(torch.arange(7))[0]
        before = first.clone()
        first.zero_()
        assert torch.equal(loader.batch(torch.arange(7))[0], before)


@pytest.mark.parametrize("shrinks", [False, True])
def test_all_images_may_be_kept_at_once(
    dataset: PackedDataset, shrinks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a device with memory of its own does, here on the CPU and in several chunks."""
    monkeypatch.setattr("thumbnet.data.loader.CHUNK", 3)
    plain = Loader(dataset, PART, CPU, Halve() if shrinks else None)
    halve = Halve()
    kept = Loader(dataset, PART, CPU, halve if shrinks else None)
    kept._keep_all(CPU)
    order = torch.tensor([3, 6, 0, 5])
    for ours, theirs in zip(kept.batch(order), plain.batch(order), strict=True):
        assert torch.equal(ours, theirs)
    assert len(halve.seen) == (7 if shrinks else 0)


def test_a_split_without_labels_is_refused(dataset: PackedDataset) -> None:
    part = Part("test", np.arange(3))
    message = "the split 'test' has no labels; use one of train, val"
    with pytest.raises(DataError, match=message):
        Loader(dataset, part, CPU)
    with pytest.raises(DataError, match=message):
        labels_of(dataset, part)


def test_labels_of_a_part(dataset: PackedDataset) -> None:
    labels = labels_of(dataset, PART)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert labels.dtype == np.int64


@pytest.mark.parametrize(
    ("num", "size", "expected"),
    [(0, 3, []), (3, 3, [(0, 3)]), (7, 3, [(0, 3), (3, 6), (6, 7)]), (2, 9, [(0, 2)])],
)
def test_batches_cover_everything(num: int, size: int, expected: list[tuple[int, int]]) -> None:
    assert [(part.start, part.stop) for part in batches(num, size)] == expected


def test_the_packed_file_is_never_written(dataset: PackedDataset) -> None:
    file = Path(dataset.path) / "train_images.npy"
    before = file.read_bytes()
    loader = Loader(dataset, PART, CPU)
    loader._images[1] = 0  # memory-mapped copy-on-write
    assert file.read_bytes() == before
