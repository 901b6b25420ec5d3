"""A file of labels is whole or as it was."""

from pathlib import Path
from typing import TextIO

import pytest

from thumbnet.errors import SubmissionError
from thumbnet.predictions import replaced, write_labels


def test_one_line_an_image(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("old")
    write_labels(file, ["test_0.JPEG", "tést 1.JPEG"], ["n01", "n02"])
    assert file.read_bytes() == "test_0.JPEG n01\ntést 1.JPEG n02\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["labels.txt"]


def test_names_and_labels_must_be_as_many(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("old")
    with pytest.raises(ValueError, match="zip"):
        write_labels(file, ["a", "b"], ["n01"])
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_breaks_in_between_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("old")
    expected = SubmissionError if isinstance(error, OSError) else KeyboardInterrupt

    def break_off(new: TextIO) -> None:
        new.write("half")
        new.flush()
        assert file.read_text() == "old"
        raise error

    with pytest.raises(expected), replaced(file) as new:
        break_off(new)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("place", ["missing/labels.txt", "file/labels.txt", "folder"])
def test_a_place_that_takes_no_file_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SubmissionError, match=f"cannot write {tmp_path / place}: "):
        write_labels(tmp_path / place, ["a"], ["n01"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
