"""Judging from the command line: sizes, views, figures by class, and predictions made once."""

import csv
from pathlib import Path

import numpy as np
import pytest
from tests.cli.driver import QUICK_ENGINE, Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.inference import Predictor, evaluate
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.session import train


def test_sizes_views_and_tables(
    thumbnet: Thumbnet, tiny: PackedDataset, trained: RunFolder
) -> None:
    said = thumbnet(
        "evaluate", trained.path, "--split", "val", "--views", "flip", "--image-size", "48",
        "--image-size", "64", "--by-class", "classes.csv", "--confusion", "confusion.csv",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert "validation set, 48 px, flip" in said.out
    assert "validation set, 64 px, flip" in said.out
    assert "exact 95 %" in said.out
    assert "bootstrap 95 %" in said.out
    assert "figures of 4 classes at 64 px written" in said.out
    result = evaluate(trained.path, "val", views="flip", image_size=64)
    assert f"{100 * result.scores.top1:.2f} %" in said.out
    with Path("classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["wnid"] for row in rows] == list(tiny.wnids)
    recall = [float((result.logits[result.labels == c].argmax(1) == c).mean()) for c in range(4)]
    assert [float(row["recall"]) for row in rows] == pytest.approx(recall, abs=1e-4)
    assert f"recall {100 * np.mean(recall):.2f} %" in said.out
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


def test_compare_on_the_same_images(
    thumbnet: Thumbnet, tiny: PackedDataset, trained: RunFolder
) -> None:
    recipe = load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.2)
    train(recipe, tiny, out="runs/short", seed=5)
    said = thumbnet("compare", trained.path, "short", "--split", "val")
    assert said.status == 0, said.err
    one, other = (evaluate(path, "val").scores.top1 for path in (trained.path, "short"))
    assert f"{100 * (one - other):+.2f}" in said.out
    assert "may be chance" in said.out or "is better" in said.out
    assert said.out.count("wins most in") == 2
    assert "1,1" in said.out  # parameters of thumbnet_quick with four classes


def test_compare_refuses_one_network_and_other_data(
    thumbnet: Thumbnet, other: PackedDataset, trained: RunFolder
) -> None:
    said = thumbnet("compare", trained.path)
    assert said.status == 2
    assert "at least two" in said.err
    recipe = load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.2)
    train(recipe, other, out="runs/other")
    said = thumbnet("compare", trained.path, "other")
    assert said.status == 2
    assert "other was trained on other data than" in said.err
