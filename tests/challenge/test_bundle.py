"""What participants get holds all they need, and nothing that tells of labels."""

import csv
import hashlib
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thumbnet.challenge import bundle as module
from thumbnet.challenge.bundle import read_bundle, write_bundle
from thumbnet.challenge.entities import Rules
from thumbnet.challenge.parse import parse_submission
from thumbnet.errors import DataError, SubmissionError

WNIDS = ["n01", "n02", "n03", "n04", "n05"]
CLASSES = ["goldfish", "toad, common", "ox", "cat", "dog"]
RULES = Rules(
    "Small images", datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 2, 1, 9, tzinfo=UTC)
)
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 6, 3), dtype=np.uint8)


def write(path: Path, seed: int = 3, rules: Rules = RULES) -> list[str]:
    return write_bundle(path, IMAGES, WNIDS, CLASSES, rules, seed)


def member(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as file:
        return file.read(name)


def test_the_returned_names_follow_the_hidden_labels(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    names = write(path)
    assert len(set(names)) == len(IMAGES)
    for name, pixels in zip(names, IMAGES, strict=True):
        with Image.open(io.BytesIO(member(path, f"images/{name}"))) as image:
            assert image.format == "PNG"
            assert np.array_equal(np.asarray(image), pixels)
            assert not image.info


def test_names_and_order_tell_nothing(tmp_path: Path) -> None:
    names = write(tmp_path / "bundle.zip")
    assert sorted(names) == [f"image_{place:05d}.png" for place in range(1, 41)]
    assert names != sorted(names)
    places = np.array([int(name[6:11]) for name in names])
    assert abs(np.corrcoef(places, np.arange(40))[0, 1]) < 0.4
    with zipfile.ZipFile(tmp_path / "bundle.zip") as file:
        infos = file.infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert len({(info.external_attr, info.create_system, info.extra) for info in infos}) == 1
    images = [info.filename for info in infos if info.filename.startswith("images/")]
    assert images == sorted(images)


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("a.zip", "b.zip", "c.zip"))
    assert write(first) == write(again)
    assert write(other, seed=4) != write(again)
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_what_stands_in_it(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    names = write(path)
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        others = {name for name in file.namelist() if not name.startswith("images/")}
    assert others == {"classes.csv", "manifest.csv", "sample_submission.csv", "README.txt"}
    classes = list(csv.reader(io.StringIO(member(path, "classes.csv").decode())))
    assert classes[0] == ["class_index", "wnid", "class_name"]
    assert classes[2] == ["1", "n02", "toad, common"]
    for row in csv.DictReader(io.StringIO(member(path, "manifest.csv").decode())):
        content = member(path, f"images/{row['image']}")
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert (row["width"], row["height"]) == ("6", "8")
    sample = member(path, "sample_submission.csv")
    assert parse_submission(sample, names, WNIDS, CLASSES).tolist() == [[0]] * 40


def test_five_labels_where_top5_counts(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    names = write(path, rules=replace(RULES, metric="top5"))
    sample = member(path, "sample_submission.csv")
    assert parse_submission(sample, names, WNIDS, CLASSES, 5).shape == (40, 5)
    assert read_bundle(path).num_labels == 5
    assert "five different classes" in member(path, "README.txt").decode()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (RULES, ["Small images\n============", "0.5 points", "2 hours after its last", "scores 30%",
                 "2026-01-01 09:00 UTC"]),
        (replace(RULES, ladder=False, rounding=0.01), ["rounded to 1 points"]),
        (replace(RULES, ladder=False, rounding=0.0), ["not rounded"]),
        (replace(RULES, max_entries=50), ["has 50 entries"]),
        (replace(RULES, quota=timedelta(0)), ["submit at any time"]),
        (replace(RULES, description="Be kind."), ["Be kind."]),
    ],
)  # fmt: skip
def test_the_readme_tells_the_rules(tmp_path: Path, rules: Rules, said: list[str]) -> None:
    write(tmp_path / "bundle.zip", rules=rules)
    text = member(tmp_path / "bundle.zip", "README.txt").decode()
    assert all(words in text for words in said)
    assert max(map(len, text.splitlines())) <= 100


def test_it_is_read_as_a_zip_and_as_a_folder(tmp_path: Path) -> None:
    path, folder = tmp_path / "bundle.zip", tmp_path / "unpacked"
    names = write(path)
    with zipfile.ZipFile(path) as file:
        file.extractall(folder)
    for place in (path, folder):
        found = read_bundle(place)
        assert found.names == tuple(sorted(names))
        assert (found.wnids, found.class_names) == (tuple(WNIDS), tuple(CLASSES))
        assert found.num_labels == 1
        images = list(found.images())
        assert [hashlib.sha256(image).digest() for image in images] == [
            hashlib.sha256(member(path, f"images/{name}")).digest() for name in found.names
        ]


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    write(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as file:
        file.extractall(folder)
    (folder / "images" / "image_00007.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"image_00007.png .* damaged"):
        list(read_bundle(folder).images())
    (folder / "images" / "image_00002.png").unlink()
    with pytest.raises(DataError, match=r"image_00002.png is missing"):
        list(read_bundle(folder).images())


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 and no more"])
def test_what_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.zip").write_bytes(content)
    (tmp_path / "folder").mkdir()
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("readme", "hello")
    for name in ("file.zip", "folder", "other.zip", "nothing.zip"):
        with pytest.raises(DataError, match=r"no bundle|is missing"):
            read_bundle(tmp_path / name)


def test_tables_without_their_columns(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as file:
        for name in ("classes.csv", "manifest.csv", "sample_submission.csv"):
            file.writestr(name, "a,b\n1,2\n")
    with pytest.raises(DataError, match="no bundle"):
        read_bundle(tmp_path / "bundle.zip")


def test_a_writer_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(b"the bundle of last year")

    def fails(*arguments: object) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr(module, "readme", fails)
    with pytest.raises(SubmissionError, match="no space left"):
        write(path)
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.zip"]
    assert path.read_bytes() == b"the bundle of last year"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SubmissionError, match="cannot write"):
        write(tmp_path / "file" / "bundle.zip")
