"""Judging from the command line: sizes, views, figures by class, and predictions made once."""

import csv
from pathlib import Path

import numpy as np
import pytest
from tests.cli.driver import Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.inference import Predictor, evaluate
from thumbnet.runs import RunFolder


def test_sizes_views_and_tables(
    thumbnet: Thumbnet, tiny: PackedDataset, trained: RunFolder
) -> None:
    said = thumbnet(
        "evaluate", trained.path, "--split", "val", "--views", "flip", "--image-size", "48",
        "--image-size", "64", "--by-class", "classes.csv", "--confusion", "confusion.csv",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert "val, all of it, 48 px, flip" in said.out
    assert "val, all of it, 64 px, flip" in said.out
    assert " to " in said.out
    result = evaluate(trained.path, "val", views="flip", image_size=64)
    assert f"{100 * result.scores.top1:.2f} %" in said.out
    with Path("classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["wnid"] for row in rows] == list(tiny.wnids)
    recall = [float((result.logits[result.labels == c].argmax(1) == c).mean()) for c in range(4)]
    assert [float(row["recall"]) for row in rows] == pytest.approx(recall, abs=1e-4)
    with Path("confusion.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    matrix = np.array([line[1:] for line in lines[1:]], dtype=int)
    assert matrix.shape == (4, 4)
    assert matrix.trace() == round(result.scores.top1 * 16)
    assert (matrix.sum(axis=1) == 4).all()


def test_predictions_are_made_once(trained: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(trained.path, "val", views="shifts")

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("predicted again")

    monkeypatch.setattr(Predictor, "split_logits", fail)
    again = evaluate(trained.path, "val", views="shifts")
    assert again.scores == first.scores
    with pytest.raises(AssertionError, match="predicted again"):
        evaluate(trained.path, "val", views="crops")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--views", "flop"), ["unknown views 'flop'", "'flip'", "ten-crop"]),
        (("--image-size", "8"), ["at least 16 pixels, not 8"]),
        (("--split", "tset"), ["tset"]),
        (("--by-class", "no/such/folder.csv"), ["cannot write"]),
    ],
)
def test_wrong_options(
    thumbnet: Thumbnet, trained: RunFolder, options: tuple[str, str], said: list[str]
) -> None:
    status, _, err = thumbnet("evaluate", trained.path, *options)
    assert status == 2
    for words in said:
        assert words in err
