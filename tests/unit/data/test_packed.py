import errno
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from thumbnet.data import packed_writer
from thumbnet.data.packed import (
    ClassInfo,
    PackedDataset,
    is_packed,
    open_packed,
    seal_meta,
    verify_packed,
)
from thumbnet.data.packed_writer import PackedWriter
from thumbnet.errors import DataError

CLASSES = (ClassInfo("a", "ant"), ClassInfo("b", "bee"))
NOTES = {"name": "x", "source": {"name": "x", "kind": "test"}, "resize": "crop", "skipped": {}}


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


def write(target: Path, seed: int = 0) -> PackedDataset:
    labels, boxes = np.array([0, 1, 1, 0, 1]), np.arange(20, dtype=np.int16).reshape(5, 4)
    with PackedWriter(target, image_size=8) as writer:
        writer.append("train", images(3, seed))
        writer.append("train", images(5, seed)[3:])
        writer.describe("train", ["a", "b", "cé", "d", "e"], labels, boxes)
        writer.append("val", images(2, seed + 1))
        writer.describe("val", ["v0", "v1"], labels[:2])
        writer.append("test", images(4, seed + 2))
        writer.describe("test", ["t0", "t1", "t2", "t3"])
        writer.finish(CLASSES, NOTES)
    return open_packed(target)


def test_round_trip(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    train, val, test = (data.splits[name] for name in ("train", "val", "test"))
    both = np.concatenate([images(3), images(5)[3:]])
    assert np.array_equal(train.images, both)
    assert train.labels is not None
    assert train.labels.tolist() == [0, 1, 1, 0, 1]
    assert train.labels.dtype == np.int64
    assert train.boxes is not None
    assert train.boxes[4].tolist() == [16, 17, 18, 19]
    assert [name.decode() for name in train.names] == ["a", "b", "cé", "d", "e"]
    assert (val.boxes, test.labels, test.boxes) == (None, None, None)
    assert [len(split) for split in (train, val, test)] == [5, 2, 4]
    assert (data.num_classes, data.class_names, data.wnids) == (2, ("ant", "bee"), ("a", "b"))
    assert (data.image_size, data.resize) == (8, "crop")
    assert is_packed(data.path)
    assert verify_packed(data.path) == []


def test_statistics_equal_the_plain_formula(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    pixels = data.splits["train"].images.astype(np.float64) / 255
    assert data.mean == pytest.approx(pixels.mean((0, 1, 2)), rel=1e-12)
    assert data.std == pytest.approx(pixels.std((0, 1, 2)), rel=1e-12)
    assert data.overall_mean == pytest.approx(pixels.mean(), rel=1e-12)
    assert data.overall_std == pytest.approx(pixels.std(), rel=1e-12)
    assert data.mean_image().dtype == np.float32
    assert np.allclose(data.mean_image(), pixels.mean(0), atol=1e-7)


def test_statistics_do_not_depend_on_the_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write(tmp_path / "p")
    monkeypatch.setattr(packed_writer, "_STATS_CHUNK", 2)
    assert write(tmp_path / "q").std == whole.std


def test_images_are_mapped_and_writable_copies(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.splits["train"].images[0] = 0  # copy on write: the file stays
    assert verify_packed(data.path) == []
    assert isinstance(data.splits["train"].images, np.memmap)


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    first, again, other = (
        write(tmp_path / "p"),
        write(tmp_path / "q"),
        write(tmp_path / "r", seed=1),
    )
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint


def test_verify_finds_one_flipped_byte_in_every_file(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    files = sorted(data.path.iterdir())
    assert len(files) == 11
    for file in files:
        raw = file.read_bytes()
        for at in (0, 10, len(raw) // 2, len(raw) - 1):
            file.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
            problems = verify_packed(data.path)
            assert len(problems) == 1, (file.name, at)
            assert file.name in problems[0]
        file.write_bytes(raw)
    assert verify_packed(data.path) == []


def test_verify_finds_every_flipped_byte_of_meta(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    raw = (data.path / "meta.json").read_bytes()
    for at in range(0, len(raw), 7):
        (data.path / "meta.json").write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        assert verify_packed(data.path), at


def test_verify_names_what_is_missing_or_short(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    (data.path / "val_names.npy").unlink()
    os.truncate(data.path / "test_images.npy", 200)
    assert verify_packed(data.path) == [
        "test_images.npy has 200 bytes, not 896",
        "val_names.npy is missing",
    ]


def test_open_refuses_a_truncated_file(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    os.truncate(data.path / "train_images.npy", 300)
    with pytest.raises(DataError, match=r"train_images\.npy has 300 bytes.*prepare it again"):
        open_packed(data.path)


def test_open_refuses_a_missing_file(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    (data.path / "val_labels.npy").unlink()
    with pytest.raises(DataError, match=r"val_labels\.npy is missing"):
        open_packed(data.path)


def test_open_refuses_a_broken_header(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    with (data.path / "val_labels.npy").open("r+b") as file:
        file.write(b"garbage")
    with pytest.raises(DataError, match=r"val_labels\.npy cannot be read"):
        open_packed(data.path)


def test_open_refuses_another_schema_version(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    (data.path / "meta.json").write_bytes(seal_meta({**data.meta, "schema_version": 99}))
    with pytest.raises(DataError, match="schema version 99"):
        open_packed(data.path)


@pytest.mark.parametrize("change", [{"counts": {"train": 4}}, {"classes": [{"wnid": "a"}]}])
def test_open_refuses_a_meta_that_does_not_fit(tmp_path: Path, change: dict[str, object]) -> None:
    data = write(tmp_path / "p")
    (data.path / "meta.json").write_bytes(seal_meta({**data.meta, **change}))
    with pytest.raises(DataError, match="damaged"):
        open_packed(data.path)


def test_open_refuses_a_label_without_class(tmp_path: Path) -> None:
    data = write(tmp_path / "p")
    meta = {**data.meta, "classes": data.meta["classes"][:1]}
    (data.path / "meta.json").write_bytes(seal_meta(meta))
    with pytest.raises(DataError, match="do not fit"):
        open_packed(data.path)


def test_open_says_what_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; give a folder made by"):
        open_packed(tmp_path / "nothing")
    with pytest.raises(DataError, match="is no packed data set"):
        open_packed(tmp_path)
    with pytest.raises(DataError, match="is no packed data set"):
        verify_packed(tmp_path)


def test_meta_is_plain_json(tmp_path: Path) -> None:
    meta = json.loads((write(tmp_path / "p").path / "meta.json").read_text())
    assert meta["counts"] == {"train": 5, "val": 2, "test": 4}
    assert meta["decoder"].startswith("Pillow ")
    assert set(meta["files"]["train_images.npy"]) == {"sha256", "size_bytes"}


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(error: type[BaseException]) -> None:
        with PackedWriter(tmp_path / "p", image_size=8) as writer:
            writer.append("train", images(2))
            assert len(list(tmp_path.iterdir())) == 1
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            interrupted(error)
        assert list(tmp_path.iterdir()) == []


def test_without_finish_nothing_is_left(tmp_path: Path) -> None:
    with PackedWriter(tmp_path / "p", image_size=8) as writer:
        writer.append("train", images(2))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: PackedWriter, file: object, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill() -> None:
        with PackedWriter(tmp_path / "p", image_size=8, need_bytes=12_000_000) as writer:
            writer.append("train", images(2))

    monkeypatch.setattr(PackedWriter, "_write", full)
    with pytest.raises(DataError, match=r"is full: about 12 MB needed") as caught:
        fill()
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_seen_at_the_start(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="is full: about"),
        PackedWriter(tmp_path / "p", image_size=8, need_bytes=1 << 60),
    ):
        pytest.fail("entered")


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "letter.txt").write_text("keep")
    with pytest.raises(DataError, match="exists already"):
        write(tmp_path / "p")
    assert (tmp_path / "p" / "letter.txt").read_text() == "keep"


def test_targets_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("keep")
    with pytest.raises(DataError, match=r"cannot write .*file/p \(File exists\); give another"):
        write(tmp_path / "file" / "p")
    monkeypatch.chdir(tmp_path)
    for here in (Path(), tmp_path):
        with pytest.raises(DataError, match="is the folder you are in; name a new folder"):
            write(here)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    assert len(write(tmp_path / "p").splits) == 3


def test_leftovers_of_dead_processes_are_removed(tmp_path: Path) -> None:
    dead, alive = tmp_path / f"p.tmp-{2**22 + 5}", tmp_path / f"p.tmp-{os.getppid()}"
    other = tmp_path / f"q.tmp-{2**22 + 5}"
    for folder in (dead, alive, other):
        folder.mkdir()
    write(tmp_path / "p")
    assert [folder.exists() for folder in (dead, alive, other)] == [False, True, True]


def test_two_writers_of_the_same_data_agree(tmp_path: Path) -> None:
    with PackedWriter(tmp_path / "p", image_size=8) as writer:
        writer.append("train", images(2))
        writer.describe("train", ["a", "b"], np.array([0, 1]))
        writer.folder.rename(tmp_path / "late")
        writer.folder = tmp_path / "late"
        with PackedWriter(tmp_path / "p", image_size=8) as first:
            first.append("train", images(2))
            first.describe("train", ["a", "b"], np.array([0, 1]))
            first.finish(CLASSES, NOTES)
        writer.finish(CLASSES, NOTES)
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    assert verify_packed(tmp_path / "p") == []


def test_writer_refuses_other_shapes_and_counts(tmp_path: Path) -> None:
    with PackedWriter(tmp_path / "p", image_size=8) as writer:
        with pytest.raises(ValueError, match="not uint8"):
            writer.append("train", np.zeros((1, 8, 9, 3), np.uint8))
        writer.append("train", images(2))
        with pytest.raises(ValueError, match="3 rows for 2 images"):
            writer.describe("train", ["a", "b", "c"])


def test_a_data_set_prints_as_one_line(tiny: PackedDataset) -> None:
    assert str(tiny) == (
        f"PackedDataset('{tiny.path}': 4 classes, 80 train, 16 val, 200 test images of 64 px)"
    )
