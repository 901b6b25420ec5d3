"""Predictions are made once for what they depend on, and never taken for others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thumbnet.evaluation.stored import Key, stored_logits

KEY = Key("val", "f" * 64, "a" * 64, 64, "one", 6, 3)


class Maker:
    """Makes other logits each time."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> np.ndarray:
        self.count += 1
        return np.full((6, 3), self.count, dtype=np.float32)


def test_the_second_time_reads_what_the_first_made(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(2):
        assert stored_logits(tmp_path, KEY, make)[0, 0] == 1
    assert make.count == 1


@pytest.mark.parametrize(
    "change",
    [
        {"split": "train"},
        {"fingerprint": "f" * 8 + "e" * 56},  # the folder's name is the same
        {"weights_sha256": "b" * 64},
        {"image_size": 32},
        {"views": "flip"},
    ],
)
def test_whatever_they_depend_on_makes_them_others(
    tmp_path: Path, change: dict[str, object]
) -> None:
    make = Maker()
    stored_logits(tmp_path, KEY, make)
    other = replace(KEY, **change)  # type: ignore[arg-type]
    assert stored_logits(tmp_path, other, make)[0, 0] == 2
    assert stored_logits(tmp_path, other, make)[0, 0] == 2


@pytest.mark.parametrize("name", ["logits.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "changed", "empty"])
def test_damaged_ones_are_made_again(tmp_path: Path, name: str, damage: str) -> None:
    make = Maker()
    stored_logits(tmp_path, KEY, make)
    file = tmp_path / KEY.folder_name / name
    held = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        changed = held[:-1] + bytes([held[-1] ^ 1])
        file.write_bytes({"cut": held[:-3], "changed": changed, "empty": b""}[damage])
    for _ in range(2):
        assert stored_logits(tmp_path, KEY, make)[0, 0] == 2


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    make, file = Maker(), tmp_path / "file"
    file.write_text("")
    assert stored_logits(file, KEY, make)[0, 0] == 1
    assert stored_logits(file, KEY, make)[0, 0] == 2
