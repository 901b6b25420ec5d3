"""`thumbnet predict`: a table on a terminal, CSV elsewhere, and names that hold spaces."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.driver import Thumbnet

from thumbnet import inference
from thumbnet.cli.output import out
from thumbnet.data.packed import PackedDataset
from thumbnet.inference import load_predictor
from thumbnet.runs import RunFolder
from thumbnet.scoring import ranked

NAMES = ('my "best" cat.png', "b, c.png")


@pytest.fixture
def photos(thumbnet: Thumbnet, tiny: PackedDataset) -> list[str]:
    """Write images with names that plain lines cannot hold."""
    for name, pixels in zip(NAMES, tiny.splits["val"].images, strict=False):
        Image.fromarray(np.asarray(pixels)).save(name)
    return list(NAMES)


def test_a_table_on_a_terminal_and_csv_in_a_pipe(
    thumbnet: Thumbnet, photos: list[str], trained: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = list(csv.DictReader(thumbnet("predict", trained.path, *photos).out.splitlines()))
    assert [row["file"] for row in rows] == photos
    monkeypatch.setattr(out, "_force_terminal", True)
    said = thumbnet("predict", trained.path, *photos)
    for row in rows:
        (line,) = [line for line in said.out.splitlines() if row["file"] in line]
        assert f"{row['class1']}  " in line
        assert row["class2"] in line
        assert f"{100 * float(row['prob1']):.1f} %" in line
    assert "probability" in said.out


def test_views_are_averaged(
    thumbnet: Thumbnet, photos: list[str], tiny: PackedDataset, trained: RunFolder
) -> None:
    said = thumbnet("predict", trained.path, *photos, "--views", "ten-crop", "-o", "out.csv")
    assert said.status == 0
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    predictor = load_predictor(trained.path)
    files = [Path(name) for name in photos]
    seen = predictor.guesses(predictor.logits(files, views="ten-crop"))
    plain = predictor.guesses(predictor.logits(files))
    assert [row["prob1"] for row in rows] == [f"{top[0].prob:.4f}" for top in seen]
    assert [top[0].prob for top in seen] != [top[0].prob for top in plain]

    said = thumbnet("predict", trained.path, "--split", "val", "--views", "flip", "-o", "v.txt")
    assert said.status == 0
    best = ranked(predictor.split_logits(tiny, "val", views="flip"), 1)[:, 0]
    assert [line.split()[1] for line in Path("v.txt").read_text().splitlines()] == [
        tiny.wnids[index] for index in best
    ]
    said = thumbnet("predict", trained.path, *photos, "--views", "flop")
    assert said.status == 2
    assert "did you mean 'flip'?" in said.err


def test_a_split_whose_names_hold_spaces_is_written_as_csv(
    thumbnet: Thumbnet, tiny: PackedDataset, trained: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    val = tiny.splits["val"]
    names = [f'my "cat", {number}.png' for number in range(len(val))]
    encoded = np.array([name.encode() for name in names])
    spaced = replace(tiny, splits={**tiny.splits, "val": replace(val, names=encoded)})
    monkeypatch.setattr(inference, "data_of", lambda *_: spaced)
    said = thumbnet("predict", trained.path, "--split", "val")
    assert said.status == 0
    assert "val-labels.csv as CSV (image, wnid), since names hold spaces" in said.out
    rows = list(csv.DictReader(Path("val-labels.csv").read_text().splitlines()))
    assert [row["image"] for row in rows] == names
    best = ranked(load_predictor(trained.path).split_logits(tiny, "val"), 1)[:, 0]
    assert [row["wnid"] for row in rows] == [tiny.wnids[index] for index in best]


def test_csv_of_a_split_can_be_asked_for(
    thumbnet: Thumbnet, tiny: PackedDataset, trained: RunFolder
) -> None:
    assert thumbnet("predict", trained.path, "--split", "val", "-o", "v.csv").status == 0
    assert Path("v.csv").read_text().startswith("image,wnid\n")
