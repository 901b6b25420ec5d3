import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thumbnet.data import prepare as subject
from thumbnet.data.decode import decode
from thumbnet.data.packed import PackedDataset, PackedSplit, open_packed, verify_packed
from thumbnet.data.prepare import prepare
from thumbnet.data.splits import apply_protocol
from thumbnet.errors import DataError

Files = dict[str, bytes]
Write = Callable[..., Path]


def names(split: PackedSplit) -> list[str]:
    return [name.decode() for name in split.names]


def same(one: PackedDataset, two: PackedDataset) -> None:
    assert one.fingerprint == two.fingerprint
    for name, split in one.splits.items():
        assert np.array_equal(split.images, two.splits[name].images)


# --- Tiny ImageNet


def test_tiny_imagenet_is_ordered_and_labelled(tiny_files: Files, write_tar: Write) -> None:
    data = prepare(write_tar(tiny_files))
    assert data.wnids == ("n01", "n02", "n03")
    assert data.class_names == ("goldfish, carp", "salamander", "bullfrog")
    train, val, test = (data.splits[name] for name in ("train", "val", "test"))
    numbers = ("0", "2", "10")
    assert names(train) == [f"{w}_{n}.JPEG" for w in ("n01", "n02", "n03") for n in numbers]
    assert train.labels is not None
    assert train.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert train.boxes is not None
    assert train.boxes[:3].tolist() == [[1, 0, 40, 63], [1, 2, 40, 63], [1, 10, 40, 63]]
    assert names(val) == [f"val_{n}.JPEG" for n in (4, 0, 5, 1, 3, 2)]
    assert val.labels is not None
    assert val.labels.tolist() == [0, 2, 1, 0, 2, 1]
    assert val.boxes is not None
    assert val.boxes[:, 3].tolist() == [4, 0, 5, 1, 3, 2]
    assert names(test) == [f"test_{n}.JPEG" for n in range(11)]
    assert test.labels is None
    for at, name in enumerate(names(train)):
        source = tiny_files[f"train/{name[:3]}/images/{name}"]
        assert np.array_equal(train.images[at], decode(source, 64)), name
    assert np.array_equal(val.images[0], decode(tiny_files["val/images/val_4.JPEG"], 64))
    assert verify_packed(data.path) == []


def test_tar_zip_and_folder_give_the_same(
    tiny_files: Files, write_tar: Write, write_zip: Write, write_folder: Write
) -> None:
    tar = prepare(write_tar(tiny_files))
    backwards = dict(reversed(tiny_files.items()))
    same(tar, prepare(write_zip(backwards)))
    same(tar, prepare(write_zip(tiny_files, "flat.zip", top="")))
    same(tar, prepare(write_zip(tiny_files, "deep.zip", top="a/b/c/")))
    same(tar, prepare(write_folder(tiny_files)))
    same(tar, prepare(write_folder({f"one/{k}": v for k, v in tiny_files.items()}, "nested")))


def test_workers_and_chunks_do_not_matter(
    tiny_files: Files, write_zip: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_zip(tiny_files)
    one = prepare(source, tmp_path / "one", workers=1)
    monkeypatch.setattr(subject, "_CHUNK", 2)
    same(one, prepare(source, tmp_path / "many", workers=5))


def test_boxes_are_scaled_with_the_images(tiny_files: Files, write_tar: Write) -> None:
    boxes = prepare(write_tar(tiny_files), size=32).splits["train"].boxes
    assert boxes is not None
    assert boxes[2].tolist() == [0, 5, 20, 32]


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("words.txt", r"lacks words\.txt"),
        ("val/val_annotations.txt", r"lacks val/val_annotations\.txt"),
        ("train/n01/n01_boxes.txt", r"lacks train/n01/n01_boxes\.txt"),
        ("train/n01/images/n01_2.JPEG", r"lacks images that .*n01_boxes\.txt names: n01_2\.JPEG"),
        ("val/images/val_3.JPEG", r"lacks images that .* names: val_3\.JPEG \(1 in all\)"),
    ],
)
def test_tiny_imagenet_that_is_not_whole(
    lost: str, message: str, tiny_files: Files, write_zip: Write
) -> None:
    files = {name: data for name, data in tiny_files.items() if name != lost}
    with pytest.raises(DataError, match=message):
        prepare(write_zip(files))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("wnids.txt", b"n01\nn02\n", r"classes that wnids\.txt lacks: n03"),
        ("wnids.txt", b"n01\nn02\nn03\nn04", r"train/n04/images holds no images"),
        ("train/n01/n01_boxes.txt", b"n01_0.JPEG\t1\t2\t3", "line 1 has 4 columns instead of 5"),
        ("train/n01/n01_boxes.txt", b"n01_0.JPEG 0 0 1 1", r"holds images .* lacks: n01_2\.JPEG"),
        (
            "train/n01/n01_boxes.txt",
            b"".join(b"n01_%d.JPEG 0 0 1 x\n" % n for n in (0, 2, 10)),
            "gives the box '0 0 1 x'",
        ),
        (
            "val/val_annotations.txt",
            b"".join(b"val_%d.JPEG n99 0 0 1 1\n" % n for n in range(6)),
            "classes wnids.txt lacks: n99",
        ),
        (
            "val/val_annotations.txt",
            b"".join(b"val_%d.JPEG n01 0 0 1 1\n" % n for n in (0, 0, 1, 2, 3, 4, 5)),
            "names an image twice",
        ),
    ],
)
def test_annotations_that_contradict(
    name: str, text: bytes, message: str, tiny_files: Files, write_zip: Write
) -> None:
    with pytest.raises(DataError, match=message):
        prepare(write_zip({**tiny_files, name: text}))


# --- image folders


def test_image_folder(folder_files: Files, write_folder: Write, write_tar: Write) -> None:
    data = prepare(write_folder(folder_files))
    assert data.wnids == data.class_names == ("cat", "dog")
    train, val, test = (data.splits[name] for name in ("train", "val", "test"))
    assert names(train) == [f"{c}/{n}.jpg" for c in ("cat", "dog") for n in range(4)]
    assert train.labels is not None
    assert train.labels.tolist() == [0] * 4 + [1] * 4
    assert train.boxes is None
    assert names(val) == ["cat/v0.png", "cat/v1.png", "dog/v0.png", "dog/v1.png"]
    assert names(test) == ["0.jpg", "1.jpg", "2.jpg"]
    assert test.labels is None
    assert np.array_equal(train.images[4], decode(folder_files["train/dog/0.jpg"], 64))
    assert data.meta["val_rule"] == "folder val/"
    same(data, prepare(write_tar(folder_files)))


@pytest.mark.parametrize("alias", ["valid", "validation"])
def test_aliases_of_val(alias: str, folder_files: Files, write_zip: Write) -> None:
    files = {
        name.replace("val/", f"{alias}/") if name.startswith("val/") else name: data
        for name, data in folder_files.items()
    }
    same(prepare(write_zip(files)), prepare(write_zip(folder_files, "val.zip")))


def test_two_vals_are_one_too_many(folder_files: Files, write_zip: Write) -> None:
    files = {**folder_files, "valid/cat/1.jpg": b"x"}
    with pytest.raises(DataError, match="found top/val/ and top/valid/; keep one"):
        prepare(write_zip(files))


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_a_missing_val_is_split_off(
    prefix: str, image_bytes: Callable[..., bytes], write_folder: Write
) -> None:
    files = {f"{prefix}{c}/{n}.jpg": image_bytes(n) for c in ("b", "a") for n in range(23)}
    files[f"{prefix}c/x.jpg"] = files[f"{prefix}c/y.jpg"] = image_bytes(1)
    data = prepare(write_folder(files))
    train, val = data.splits["train"], data.splits["val"]
    assert (len(train), len(val)) == (21 + 21 + 1, 2 + 2 + 1)
    assert set(names(train)).isdisjoint(names(val))
    for name in ("a", "b"):
        all_names = [f"{name}/{n}.jpg" for n in range(23)]
        chosen = sorted(all_names, key=lambda x: hashlib.sha256(x.encode()).hexdigest())[:2]
        assert {n for n in names(val) if n.startswith(name)} == set(chosen)
    assert "10 % of each class" in data.meta["val_rule"]


def test_files_of_systems_are_ignored_and_others_counted(
    folder_files: Files, write_folder: Write, write_zip: Write
) -> None:
    plain = prepare(write_folder(folder_files, "plain"))
    junk = {
        "train/cat/._1.jpg": b"x",
        ".hidden/cat/1.jpg": b"x",
        "train/.ipynb_checkpoints/1.jpg": b"x",
        "train/cat/Thumbs.db": b"x",
        "train/desktop.ini": b"x",
        "__MACOSX/train/cat/1.jpg": b"x",
    }
    other = {"train/cat/notes.txt": b"x", "README.md": b"x"}
    data = prepare(write_folder({**folder_files, **junk, **other}))
    same(plain, data)
    assert data.meta["ignored"] == {".txt": 1, ".md": 1}
    same(plain, prepare(write_zip({**folder_files, **junk})))


def test_an_empty_class_is_named(folder_files: Files, write_folder: Write) -> None:
    source = write_folder(folder_files)
    (source / "train" / "emu").mkdir()
    with pytest.raises(DataError, match="class folders without images: train/emu"):
        prepare(source)
    (source / "train" / "emu").rmdir()
    (source / "val" / "cat" / "v0.png").unlink()
    (source / "val" / "cat" / "v1.png").unlink()
    with pytest.raises(DataError, match="class folders without images: val/cat"):
        prepare(source)


def test_one_class_only(image_bytes: Callable[..., bytes], write_folder: Write) -> None:
    for at, root in enumerate(("", "train/", "top/train/")):
        files = {f"{root}cat/{n}.jpg": image_bytes(n) for n in range(3)}
        with pytest.raises(DataError, match=r"one class only \(cat\); at least 2"):
            prepare(write_folder(files, f"source{at}"))


def test_images_beside_the_class_folders(folder_files: Files, write_zip: Write) -> None:
    files = {**folder_files, "train/stray.jpg": folder_files["test/0.jpg"]}
    with pytest.raises(DataError, match=r"1 image lies in top/train/ itself, such as stray\.jpg"):
        prepare(write_zip(files))


def test_a_class_that_train_lacks(folder_files: Files, write_zip: Write) -> None:
    files = {**folder_files, "val/emu/1.jpg": folder_files["test/0.jpg"]}
    with pytest.raises(DataError, match="top/val/ holds classes that top/train/ lacks: emu"):
        prepare(write_zip(files))


def test_a_class_of_one_cannot_give_to_val(
    image_bytes: Callable[..., bytes], write_zip: Write
) -> None:
    files = {"a/1.jpg": image_bytes(0), "b/1.jpg": image_bytes(1), "b/2.jpg": image_bytes(2)}
    with pytest.raises(DataError, match="class a has one image"):
        prepare(write_zip(files))


def test_images_of_many_sizes(image_bytes: Callable[..., bytes], write_zip: Write) -> None:
    sizes = [(64, 64), (30, 90), (200, 100), (5, 5), (640, 480)]
    files = {f"{c}/{n}.jpg": image_bytes(n, size) for c in "ab" for n, size in enumerate(sizes)}
    source = write_zip(files)
    crop, box = prepare(source, size=32), prepare(source, size=32, resize="letterbox")
    assert crop.path != box.path
    assert box.path.name.endswith("-32-letterbox")
    assert (crop.resize, box.resize, crop.image_size) == ("crop", "letterbox", 32)
    assert len(crop.splits["train"]) == 8
    assert crop.fingerprint != box.fingerprint


def broken_files(folder_files: Files) -> Files:
    broken = {f"train/cat/bad{n:02d}.jpg": b"no image" for n in range(12)}
    cut = folder_files["val/dog/v1.png"][:60]
    return {**folder_files, **broken, "val/dog/v1.png": cut, "test/1.jpg": b""}


def test_broken_images_are_listed(folder_files: Files, write_zip: Write, cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepare(write_zip(broken_files(folder_files)))
    message = str(caught.value)
    assert "source.zip cannot be read as images" in message
    assert message.startswith("14 files of ")
    assert "  top/train/cat/bad08.jpg: not an image of the kinds" in message
    assert "bad10" not in message
    assert "and 4 more" in message
    assert list((cache / "packed").iterdir()) == []


def test_broken_images_are_left_out(folder_files: Files, write_zip: Write) -> None:
    source = write_zip(broken_files(folder_files))
    data = prepare(source, skip_broken=True)
    whole = prepare(write_zip(folder_files, "whole.zip"))
    same_train, good = data.splits["train"], whole.splits["train"]
    assert np.array_equal(same_train.images, good.images)
    assert np.array_equal(same_train.names, good.names)
    assert names(data.splits["val"]) == ["cat/v0.png", "cat/v1.png", "dog/v0.png"]
    assert names(data.splits["test"]) == ["0.jpg", "2.jpg"]
    assert len(data.meta["skipped"]) == 14
    assert data.meta["skipped"]["top/test/1.jpg"] == "the file is empty"
    assert verify_packed(data.path) == []
    with pytest.raises(DataError, match="14 files"):
        prepare(source)


def test_a_class_all_broken_is_refused(folder_files: Files, write_zip: Write) -> None:
    files = {k: b"x" if k.startswith("train/cat") else v for k, v in folder_files.items()}
    with pytest.raises(
        DataError, match=r"no train image can be read of the classes cat \(1 in all\)"
    ):
        prepare(write_zip(files), skip_broken=True)


def test_a_split_all_broken_is_refused(folder_files: Files, write_zip: Write) -> None:
    files = {k: b"x" if k.startswith("test/") else v for k, v in folder_files.items()}
    with pytest.raises(DataError, match="no image of test can be read"):
        prepare(write_zip(files), skip_broken=True)


def test_a_huge_file_in_a_folder_is_refused(
    folder_files: Files, write_folder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MAX_MEMBER_BYTES", 100)
    with pytest.raises(DataError, match="bytes; allowed are 100"):
        prepare(write_folder(folder_files))


def test_links(folder_files: Files, write_folder: Write) -> None:
    source = write_folder(folder_files)
    plain = prepare(source)
    (source / "train" / "cat" / "loop").symlink_to(source / "train")
    (source / "away").mkdir()
    (source / "train" / "dog").rename(source / "away" / "dog")
    (source / "train" / "dog").symlink_to(source / "away" / "dog")
    same(plain, prepare(source))
    (source / "train" / "cat" / "gone.jpg").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"gone\.jpg is a broken link"):
        prepare(source)


# --- sources and targets


def test_sources_that_are_none(tmp_path: Path, write_zip: Write) -> None:
    with pytest.raises(DataError, match="does not exist; give an archive"):
        prepare(tmp_path / "nothing.zip")
    (tmp_path / "void").mkdir()
    with pytest.raises(DataError, match="no images in a layout that is known"):
        prepare(tmp_path / "void")
    with pytest.raises(DataError, match="no images in a layout that is known"):
        prepare(write_zip({"src/main.c": b"int main;", "README": b"x"}))


def test_flat_images_are_no_layout(folder_files: Files, write_zip: Write) -> None:
    with pytest.raises(DataError, match="no class folders with images"):
        prepare(write_zip({"1.jpg": folder_files["test/0.jpg"]}, top=""))


def test_splits_without_train(folder_files: Files, write_zip: Write) -> None:
    files = {k: v for k, v in folder_files.items() if not k.startswith("train")}
    with pytest.raises(DataError, match="found test, val but no train/"):
        prepare(write_zip(files))


def test_a_truncated_archive_leaves_nothing(
    tiny_files: Files, write_tar: Write, tmp_path: Path
) -> None:
    source = write_tar(tiny_files)
    os.truncate(source, source.stat().st_size * 2 // 3)
    with pytest.raises(DataError, match="truncated or damaged"):
        prepare(source, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"size": 4}, "size 4 is out of range; allowed: 8 to 512"),
        ({"resize": "stretch"}, "unknown resize 'stretch'; allowed: crop, letterbox"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_options_out_of_range(option: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, **option)


def test_the_cache_is_reused_by_content(
    folder_files: Files, write_zip: Write, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_zip(folder_files)
    first = prepare(source)
    assert first.path.parent == cache / "packed"
    assert first.path.name.startswith("source-")
    assert first.path.name.endswith("-64")
    with monkeypatch.context() as patch:
        patch.setattr(subject, "read_archive", lambda *_: pytest.fail("read again"))
        assert prepare(source).path == first.path
    more = {**folder_files, "train/cat/more.jpg": folder_files["test/0.jpg"]}
    assert prepare(write_zip(more)).path != first.path


def test_a_changed_folder_is_packed_anew(folder_files: Files, write_folder: Write) -> None:
    source = write_folder(folder_files)
    first = prepare(source)
    assert prepare(source).path == first.path
    os.utime(source / "train" / "cat" / "0.jpg", ns=(1, 1))
    assert prepare(source).path != first.path


def test_progress_reaches_the_end(folder_files: Files, write_zip: Write) -> None:
    told: dict[str, tuple[int, int]] = {}
    source = write_zip(folder_files)
    prepare(source, progress=lambda done, total, what: told.__setitem__(what, (done, total)))
    assert told["decoding images"] == (15, 15)
    assert set(told) == {f"checking {source.name}", f"reading {source.name}", "decoding images"}


def test_meta_tells_the_origin(folder_files: Files, write_zip: Write) -> None:
    source = write_zip(folder_files, "pets.v2.zip")
    meta = prepare(source).meta
    sha = hashlib.sha256(source.read_bytes()).hexdigest()
    assert meta["source"] == {"name": "pets.v2.zip", "sha256": sha, "kind": "archive"}
    assert (meta["name"], meta["layout"]) == ("pets.v2", "image-folder")


# --- the real thing

REAL_HOLDOUT = "cd2f0d7968e01860510d189d822d594eb1d3a662ac9738f84a0272c4d3c55d59"


@pytest.mark.timeout(300)
def test_the_real_tiny_imagenet(real_data: Path, tmp_path: Path) -> None:
    if real_data.is_dir():
        pytest.skip("THUMBNET_DATA is a folder: this test prepares the archive")
    data = prepare(real_data, tmp_path / "packed")
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 100_000,
        "val": 10_000,
        "test": 10_000,
    }
    assert data.num_classes == 200
    assert data.class_names[0] == "goldfish, Carassius auratus"
    train, val = data.splits["train"], data.splits["val"]
    assert train.labels is not None
    assert val.labels is not None
    assert np.bincount(train.labels).tolist() == [500] * 200
    assert np.bincount(val.labels).tolist() == [50] * 200
    assert names(val)[0] == "val_0.JPEG"
    assert data.wnids[val.labels[0]] == "n03444034"
    assert val.boxes is not None
    assert val.boxes[0].tolist() == [0, 32, 44, 62]
    assert data.mean == pytest.approx((0.4802, 0.4481, 0.3975), abs=1e-4)
    assert data.std == pytest.approx((0.2764, 0.2689, 0.2816), abs=1e-4)
    watch = apply_protocol(data, "holdout").watch.indices
    assert hashlib.sha256(watch.astype("<i8").tobytes()).hexdigest() == REAL_HOLDOUT
    start = time.perf_counter()
    open_packed(data.path)
    assert time.perf_counter() - start < 0.2
    # Decoders differ by a unit here and there, so the sum is looked at, not each byte.
    assert int(val.images[0].sum(dtype=np.int64)) == pytest.approx(1_482_781, rel=1e-3)
    assert verify_packed(data.path) == []
