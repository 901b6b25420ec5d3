"""Image folders: which class an image gets, what is ignored, and what is refused."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from thumbnet.data import prepare as subject
from thumbnet.data.image_folder import heic_advice, ignored_text
from thumbnet.data.layout import natural_key
from thumbnet.data.packed import PackedDataset
from thumbnet.data.packed_writer import PackedWriter
from thumbnet.data.prepare import prepare
from thumbnet.data.sources import load_dataset
from thumbnet.data.summary import summarize
from thumbnet.errors import DataError

Files = dict[str, bytes]
Write = Callable[..., Path]


def classes_of(data: PackedDataset, split: str) -> dict[str, str]:
    """Return the class of each image by its name."""
    found = data.splits[split]
    assert found.labels is not None
    names = [name.decode() for name in found.names]
    return {
        name: data.wnids[label] for name, label in zip(names, found.labels.tolist(), strict=True)
    }


def own_classes(names: list[str]) -> dict[str, str]:
    return {name: name.partition("/")[0] for name in names}


@pytest.fixture
def photo(image_bytes: Callable[..., bytes]) -> bytes:
    return image_bytes(0)


# --- labels


def test_labels_of_val_are_those_of_train_where_val_lacks_a_class(
    photo: bytes, write_folder: Write
) -> None:
    names = [f"{name}/{n}.jpg" for name in ("ant", "bee", "cow", "dog") for n in range(2)]
    val = ["bee/9.jpg", "dog/8.jpg", "dog/9.jpg"]
    files = {f"train/{name}": photo for name in names} | {f"val/{name}": photo for name in val}
    data = prepare(write_folder(files))
    assert data.wnids == ("ant", "bee", "cow", "dog")
    assert classes_of(data, "train") == own_classes(names)
    assert classes_of(data, "val") == own_classes(val)


def test_names_are_in_natural_order_and_classes_sorted(photo: bytes, write_folder: Write) -> None:
    names = ["b10/2.jpg", "b10/10.jpg", "b10/a/1.jpg", "b9/img 2.jpg", "b9/img 10.jpg"]
    val = ["b10/3.jpg", "b10/20.jpg", "b9/1.jpg"]
    files = {f"train/{n}": photo for n in reversed(names)} | {f"val/{n}": photo for n in val}
    data = prepare(write_folder(files))
    assert data.wnids == ("b10", "b9")  # as Python sorts text, so that every version agrees
    assert [name.decode() for name in data.splits["train"].names] == names
    assert [name.decode() for name in data.splits["val"].names] == val


@pytest.mark.parametrize(("count", "val"), [(2, 1), (14, 1), (16, 2), (24, 2), (26, 3), (36, 4)])
def test_a_tenth_of_each_class_rounded_goes_to_val(
    count: int, val: int, photo: bytes, write_folder: Write
) -> None:
    names = [f"a/{n}.jpg" for n in range(count)] + ["b/0.jpg", "b/1.jpg"]
    data = prepare(write_folder(dict.fromkeys(names, photo)), size=8)
    assert summarize(data)["classes"] == [
        {"wnid": "a", "name": "a", "images": {"train": count - val, "val": val}},
        {"wnid": "b", "name": "b", "images": {"train": 1, "val": 1}},
    ]
    parts = classes_of(data, "train") | classes_of(data, "val")
    assert parts == own_classes(names)


def test_a_labelled_test_keeps_its_labels(folder_files: Files, write_zip: Write) -> None:
    photo = folder_files["test/0.jpg"]
    names = ["dog/1.jpg", "dog/2.jpg", "dog/day 1/3.jpg"]
    files = {k: v for k, v in folder_files.items() if not k.startswith("test")}
    data = prepare(write_zip(files | {f"test/{name}": photo for name in names}))
    assert classes_of(data, "test") == own_classes(names)
    assert data.splits["test"].labels is not None
    assert data.splits["test"].labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize("folder", ["", "images/", "Unknown/"])
def test_a_test_without_classes_has_no_labels(
    folder: str, folder_files: Files, write_zip: Write
) -> None:
    files = {k.replace("test/", f"test/{folder}"): v for k, v in folder_files.items()}
    test = prepare(write_zip(files)).splits["test"]
    assert [name.decode() for name in test.names] == [f"{folder}{n}.jpg" for n in range(3)]
    assert test.labels is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Cat/1.jpg", r"test/ holds classes that train/ lacks: Cat; did you mean 'cat'\?; remove"),
        ("emu/1.jpg", r"lacks: emu; remove or rename them\. Images without labels go into test/ "),
        ("1.jpg", r"1 image lies in test/ itself, such as 1\.jpg.*Images without labels"),
    ],
)
def test_classes_of_test_that_train_lacks(
    name: str, message: str, folder_files: Files, write_folder: Write
) -> None:
    photo = folder_files["test/0.jpg"]
    files = {k: v for k, v in folder_files.items() if not k.startswith("test")}
    with pytest.raises(DataError, match=message):
        prepare(write_folder(files | {"test/dog/1.jpg": photo, f"test/{name}": photo}))


# --- layouts


def test_split_folders_in_any_case(
    folder_files: Files, write_folder: Write, write_zip: Write
) -> None:
    plain = prepare(write_folder(folder_files))
    named = {"train": "Training", "val": "VAL", "test": "Testing"}
    files = {
        f"{named[name.partition('/')[0]]}/{name.partition('/')[2]}": data
        for name, data in folder_files.items()
    }
    assert prepare(write_folder(files, "Named")).fingerprint == plain.fingerprint
    assert prepare(write_zip(files)).fingerprint == plain.fingerprint


def test_a_class_may_be_called_train(photo: bytes, write_folder: Write) -> None:
    names = [f"{name}/{n}.jpg" for name in ("car", "plane", "train") for n in range(2)]
    data = prepare(write_folder(dict.fromkeys(names, photo)))
    assert data.wnids == ("car", "plane", "train")


def test_an_empty_val_folder_is_refused(folder_files: Files, write_folder: Write) -> None:
    source = write_folder({k: v for k, v in folder_files.items() if not k.startswith("val")})
    (source / "val").mkdir()
    with pytest.raises(DataError, match="val/ holds no images; remove it, and val is taken from"):
        prepare(source)


# --- what is ignored


def test_what_is_ignored_is_counted_by_kind(folder_files: Files, write_folder: Write) -> None:
    photo = folder_files["test/0.jpg"]
    other = {f"train/cat/IMG_{n}.HEIC": b"x" for n in range(3)}
    other |= {"train/cat/notes.txt": b"x", "Makefile": b"x", "stray.jpg": photo, "x/1.png": photo}
    data = prepare(write_folder(folder_files | other))
    ignored = {".heic": 3, ".txt": 1, "": 1, "images outside the class folders": 2}
    assert data.meta["ignored"] == ignored
    assert ignored_text(ignored) == (
        "3 .heic files, 2 images outside the class folders, 1 file without a suffix, 1 .txt file"
    )
    assert "convert to JPEG" in heic_advice(ignored)
    assert heic_advice({".txt": 1}) == ""


def test_nothing_is_ignored_where_all_is_used(folder_files: Files, write_folder: Write) -> None:
    assert prepare(write_folder(folder_files)).meta["ignored"] == {}


def test_what_systems_leave_behind_is_not_seen(folder_files: Files, write_folder: Write) -> None:
    junk = ["@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "thumbs.db", "Icon\r", ".AppleDouble/1.jpg"]
    files = folder_files | {f"train/cat/{name}": b"x" for name in junk}
    assert prepare(write_folder(files)).meta["ignored"] == {}


def test_suffixes_of_images(photo: bytes, image_bytes: Callable[..., bytes], write_zip: Write):
    kinds = {"JPG": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "tif": "TIFF", "TIFF": "TIFF",
             "gif": "GIF", "webp": "WEBP"}  # fmt: skip
    files = {f"train/a/1.{suffix}": image_bytes(1, kind=kind) for suffix, kind in kinds.items()}
    files |= {"train/b/1.jpg": photo, "val/a/1.jpg": photo}
    data = prepare(write_zip(files))
    assert len(data.splits["train"]) == 8
    assert data.meta["ignored"] == {}


def test_classes_of_heic_photos_only(folder_files: Files, write_folder: Write) -> None:
    files = folder_files | {f"train/emu/{n}.heic": b"x" for n in range(2)}
    message = r"class folders without images: train/emu \(only 2 \.heic files\).*convert to JPEG"
    with pytest.raises(DataError, match=message):
        prepare(write_folder(files))
    only = {f"{name}/{n}.heic": b"x" for name in "ab" for n in range(4)}
    with pytest.raises(DataError, match=r"but 8 \.heic files.*HEIC photos are not read; convert"):
        prepare(write_folder(only, "only"))


# --- names and paths


def test_errors_name_files_as_they_lie(
    folder_files: Files, write_folder: Write, write_zip: Write
) -> None:
    photo = folder_files["test/0.jpg"]
    files = {f"{name}/{n}.jpg": photo for name in ("lion", "zebra") for n in range(4)}
    source = write_folder(files | {"zebra/corrupt.jpg": b"x"}, "my photos")
    with pytest.raises(DataError, match="--skip-broken -o 'my photos-packed'") as caught:
        prepare(source)
    assert f"\n  {source}/zebra/corrupt.jpg: not an image" in str(caught.value)
    assert (source / "zebra" / "corrupt.jpg").is_file()
    data = prepare(source, skip_broken=True)
    assert list(data.meta["skipped"]) == ["zebra/corrupt.jpg"]
    renamed = {k.replace("val/", "valid/"): v for k, v in folder_files.items()}
    with pytest.raises(DataError, match=r"\n  top/valid/dog/1\.jpg: the file is empty"):
        prepare(write_zip(renamed | {"valid/dog/1.jpg": b""}))


def test_load_dataset_can_skip_broken_files(folder_files: Files, write_folder: Write) -> None:
    source = write_folder(folder_files | {"train/cat/bad.jpg": b"x"})
    with pytest.raises(DataError, match=r"load_dataset\(\.\.\., skip_broken=True\)"):
        load_dataset(source)
    data = load_dataset(source, skip_broken=True)
    assert list(data.meta["skipped"]) == ["train/cat/bad.jpg"]
    assert len(data.splits["train"]) == 8


def test_names_of_any_script(photo: bytes, write_folder: Write, write_zip: Write) -> None:
    names = [f"{name}/bild {n}ü.jpg" for name in ("bée mère", "漢字") for n in range(2)]
    for write in (write_folder, write_zip):
        data = prepare(write(dict.fromkeys(names, photo)))
        assert data.wnids == ("bée mère", "漢字")
        assert {*classes_of(data, "train"), *classes_of(data, "val")} == set(names)


def test_names_that_are_not_utf8(folder_files: Files, write_folder: Write) -> None:
    source = write_folder(folder_files)
    (source / os.fsdecode(b"train/cat/caf\xe9.jpg")).write_bytes(folder_files["test/0.jpg"])
    with pytest.raises(
        DataError, match=r"the name of /.*/source/train/cat/caf\\xe9\.jpg is not valid UTF-"
    ):
        prepare(source)


def test_odd_digits_in_names() -> None:
    names = ["1²2", "1²10", "٣.jpg", "9" * 5000]
    assert sorted(names, key=natural_key)[:2] == ["1²2", "1²10"]


def test_a_file_that_cannot_be_opened(
    folder_files: Files, write_folder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    source = write_folder(folder_files)
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(DataError, match=r"train/cat/0\.jpg: cannot be read \(Permission denied\)"):
        prepare(source)


def test_a_folder_that_cannot_be_opened(
    folder_files: Files, write_folder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def denied(path: str) -> object:
        if str(path).endswith("cat"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    source = write_folder(folder_files)
    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(DataError, match=r"cannot read the folder .*cat \(Permission denied\)"):
        prepare(source)


# --- targets and the cache


def test_targets_inside_the_source_and_packed_sources(
    folder_files: Files, write_folder: Write, tmp_path: Path
) -> None:
    source = write_folder(folder_files)
    with pytest.raises(DataError, match=r"lies inside .*; write to a folder outside"):
        prepare(source, source / "train" / "packed")
    prepare(source, tmp_path / "packed")
    with pytest.raises(DataError, match="is packed already; train on it with --data"):
        prepare(tmp_path / "packed")


def test_folders_packed_on_black_stay_and_are_packed_anew(
    folder_files: Files,
    tiny_files: Files,
    write_folder: Write,
    write_zip: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish = PackedWriter.finish

    def as_before(self: PackedWriter, classes: tuple, notes: dict) -> None:
        old = {key: value for key, value in notes.items() if key not in ("background", "ignored")}
        finish(self, classes, old | {"ignored_files": 2})

    source, tiny_source = write_folder(folder_files), write_zip(tiny_files)
    with monkeypatch.context() as patch:
        patch.setattr(PackedWriter, "finish", as_before)
        patch.setattr(subject, "BACKGROUND", "black")
        old, tiny = prepare(source), prepare(tiny_source)
    assert (old.background, tiny.background) == ("black", "white")
    assert summarize(old)["ignored"] == {"files": 2}
    new = prepare(source)
    assert new.background == "white"
    assert new.path != old.path
    assert new.fingerprint == old.fingerprint  # none of these photos is transparent
    assert prepare(source).path == new.path
    assert load_dataset(old.path).background == "black"
    assert prepare(tiny_source).path == tiny.path


def test_transparent_photos_are_packed_on_white(write_folder: Write) -> None:
    clear = io.BytesIO()
    Image.new("RGBA", (64, 64), (9, 9, 9, 0)).save(clear, "PNG")
    files = {f"train/{name}/{n}.png": clear.getvalue() for name in "ab" for n in range(2)}
    data = prepare(write_folder(files))
    assert data.meta["background"] == "white"
    assert (data.splits["train"].images == 255).all()
