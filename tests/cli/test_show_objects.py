"""The study of objects from the command line."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.driver import Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.inference import judge
from thumbnet.runs import RunFolder


def test_picture_table_and_figures(thumbnet: Thumbnet, trained: RunFolder) -> None:
    said = thumbnet("show", "objects", trained.path, "--split", "val", "-o", "a.png")
    assert said.status == 0, said.err
    with Image.open("a.png") as image:
        assert image.width > 1000
    with Path("a.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["network"] for line in lines} == {"quick"}
    for feature in ("area", "sides", "elongation", "detail", "contrast"):
        assert feature in said.out
        here = [line for line in lines if line["feature"] == feature and line["what"] == "top1"]
        assert sum(int(line["images"]) for line in here) == 16
        for line in here:
            assert float(line["low"]) <= float(line["value"]) <= float(line["high"])
    assert "distinctive background" in said.out


def test_two_networks_side_by_side(thumbnet: Thumbnet, trained: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(trained.path)
    said = thumbnet("show", "objects", trained.path, tmp_path / "other", "-o", "a.svg")
    assert said.status == 0, said.err
    assert "other" in Path("a.svg").read_text()
    networks = {line.split(",")[0] for line in Path("a.csv").read_text().splitlines()[1:]}
    assert networks == {"quick", "other"}


def test_data_without_boxes_is_refused(
    thumbnet: Thumbnet, trained: RunFolder, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = {name: replace(split, boxes=None) for name, split in tiny.splits.items()}
    plain = replace(tiny, splits=splits)
    monkeypatch.setattr(judge, "load_dataset", lambda *_args, **_options: plain)
    said = thumbnet("show", "objects", trained.path, "-o", "a.png")
    assert said.status == 2
    assert "no bounding boxes" in said.err
    assert not Path("a.png").exists()


def test_data_of_other_classes_is_refused(
    thumbnet: Thumbnet, trained: RunFolder, other: PackedDataset
) -> None:
    said = thumbnet("show", "objects", trained.path, "--data", other.path, "-o", "a.png")
    assert said.status == 2
    assert "only the network knows" in said.err
    assert not list(Path().iterdir())


def test_missing_predictions_are_made_and_missing_weights_are_named(
    thumbnet: Thumbnet, trained: RunFolder, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(trained.path, tmp_path / "run")))
    shutil.rmtree(run.path / "predictions", ignore_errors=True)
    said = thumbnet("show", "objects", run.path, "-o", "a.png")
    assert said.status == 0, said.err
    assert list(run.path.glob("predictions/*/logits.npy"))
    Path("a.png").unlink()
    shutil.rmtree(run.weights("best"))
    said = thumbnet("show", "objects", run.path, "-o", "a.png")
    assert said.status == 2
    assert "has no best weights" in said.err
    assert not Path("a.png").exists()
