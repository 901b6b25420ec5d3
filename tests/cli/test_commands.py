"""The commands of the main job, end to end on a tiny data set."""

import csv
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.driver import Thumbnet, settings

from thumbnet.data.packed import PackedDataset
from thumbnet.inference import evaluate, load_predictor
from thumbnet.runs import RunFolder
from thumbnet.scoring import ranked
from thumbnet.training import foretell, trainer
from thumbnet.training.engine import Picks
from thumbnet.training.measure import Measured


def test_train_evaluate_predict(
    thumbnet: Thumbnet, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "thumbnet/quick", "--data", tiny.path, "--epochs", 0.5, *settings())
    said = thumbnet(*command)
    assert said.status == 0
    assert "run folder: runs/thumbnet-quick" in said.out
    assert "in all, peak memory about" in said.err
    assert "epoch 1  phase 1" in said.err
    assert thumbnet(*command).out.count("runs/thumbnet-quick.2") == 2

    said = thumbnet("evaluate", "thumbnet-quick")
    assert said.status == 0
    assert "16" in said.out
    assert "validation set" in said.out
    exact = evaluate("thumbnet-quick").scores
    assert f"{100 * exact.top1:.2f} %" in said.out

    said = thumbnet("predict", "thumbnet-quick", "--split", "test", "-o", "labels.txt")
    assert said.status == 0
    lines = Path("labels.txt").read_text().splitlines()
    assert len(lines) == len(tiny.splits["test"].names)
    predictor = load_predictor("thumbnet-quick")
    best = ranked(predictor.split_logits(tiny, "test"), 1)[:, 0]
    for line, name, index in zip(lines, tiny.splits["test"].names, best, strict=True):
        assert line == f"{name.decode()} {tiny.wnids[index]}"

    said = thumbnet("runs", "list")
    assert "thumbnet-quick.2" in said.out
    assert thumbnet("runs", "remove", "thumbnet-quick.2", "--yes").status == 0
    assert not Path("runs/thumbnet-quick.2").exists()


def test_files_are_predicted_as_the_split_is(
    thumbnet: Thumbnet, tiny: PackedDataset, trained: RunFolder
) -> None:
    val = tiny.splits["val"]
    Path("photos").mkdir()
    for name, pixels in zip(val.names, val.images, strict=True):
        Image.fromarray(np.asarray(pixels)).save(Path("photos", name.decode()).with_suffix(".png"))
    Image.new("RGB", (300, 200), "red").save("wide.png")
    said = thumbnet("predict", trained.path, "photos", "wide.png", "phot*/*", "-o", "out.csv")
    assert said.status == 0
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert len(rows) == len(val.names) + 1
    predictor = load_predictor(trained.path)
    best = ranked(predictor.split_logits(tiny, "val"), 1)[:, 0]
    by_file = {Path(row["file"]).stem: row for row in rows}
    for name, index in zip(val.names, best, strict=True):
        row = by_file[Path(name.decode()).stem]
        assert row["wnid1"] == tiny.wnids[index]
        assert row["class1"] == tiny.class_names[index]
        assert float(row["prob1"]) >= float(row["prob2"])
    assert "prob4" in rows[0]


def test_interrupt_and_resume(
    thumbnet: Thumbnet, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "thumbnet/quick", "--data", tiny.path, "--epochs", 1, *settings())
    assert thumbnet(*command, "--out", "whole").status == 0
    whole = Path("whole/weights/last/model.safetensors").read_bytes()

    step = trainer.train_step
    calls = iter(range(1000))

    def raising_step(*arguments: object) -> object:
        if next(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return step(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train_step", raising_step)
        said = thumbnet(*command, "--out", "parts")
    assert said.status == 130
    assert "go on with: thumbnet resume parts" in said.out
    assert thumbnet("resume", "parts").status == 0
    assert Path("parts/weights/last/model.safetensors").read_bytes() == whole
    assert "finished" not in thumbnet("resume", "parts").err  # nothing left to do, and no fault


def test_a_slow_machine_keeps_to_its_time_budget(
    thumbnet: Thumbnet, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = trainer.train_step

    def slow_step(*arguments: object) -> object:
        time.sleep(0.4)
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer, "train_step", slow_step)
    picks = Picks("cpu", "fp32", "channels_last", 1)
    estimate = Measured(picks, (0.01, 0.01, 0.01), 1e-4, 1000)
    monkeypatch.setattr(foretell, "measured_picks", lambda *_: estimate)
    command = ("train", "thumbnet/quick", "--data", tiny.path, "--epochs", 7, *settings())
    said = thumbnet(*command, "--time-budget", "10s")  # 63 steps, which would take 25 s
    assert said.status == 0
    assert "of the 63 planned steps will be trained. Close other programs" in said.err
    assert "of 63 planned steps were trained: the machine was slower" in said.err
    assert "best watched top-1" in said.out
    assert "phase 3" in said.err


def test_fine_tune_on_other_classes(thumbnet: Thumbnet, trained: RunFolder, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label, name in enumerate(("ant", "bee", "cat", "dog", "elk")):
        for number in range(12):
            height, width = random.integers(40, 200, 2)
            pixels = random.integers(0, 80, (height, width, 3)) + 40 * label
            folder = tmp_path / "photos" / "train" / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.jpg")
    assert thumbnet("data", "prepare", tmp_path / "photos", "-o", "packed").status == 0
    said = thumbnet(
        "train", "thumbnet/quick", "--data", "packed", "--init", trained.path, "--epochs", 0.3,
        *settings(), "--out", "tuned",
    )  # fmt: skip
    assert said.status == 0
    said = thumbnet("predict", "tuned", tmp_path / "photos" / "train" / "ant" / "0.jpg")
    assert said.status == 0
    assert said.out.splitlines()[0].startswith("file,wnid1,class1,prob1")
    first = load_predictor("tuned").trained
    assert first.wnids == ("ant", "bee", "cat", "dog", "elk")


def test_recipes_models_doctor(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    assert "22 %" in thumbnet("recipe", "list").out
    shown = thumbnet("recipe", "show", "thumbnet/quick", "--set", "training.seed=7").out
    Path("mine.yaml").write_text(shown)
    assert "seed: 7" in thumbnet("recipe", "show", "mine.yaml").out
    changed = thumbnet("recipe", "diff", "thumbnet/quick", "mine.yaml").out
    assert "-  seed: 0" in changed
    assert "+  seed: 7" in changed
    assert "101,972" in thumbnet("model", "list").out
    assert "conv1.weight" in thumbnet("model", "show", "resnet18").out
    said = thumbnet("doctor", "--data", tiny.path, "--size", 64)
    assert said.status == 0
    assert "GFLOP/s" in said.out
    assert "4 classes" in said.out
    assert thumbnet("--version").out.startswith("thumbnet ")


def test_a_run_folder_can_be_moved(
    thumbnet: Thumbnet, tiny: PackedDataset, trained: RunFolder
) -> None:
    shutil.copytree(trained.path, "elsewhere")
    assert evaluate("elsewhere").scores == evaluate(trained.path).scores
    shutil.copytree(trained.weights("best"), "model")
    assert evaluate("model", data=tiny).scores.top1 == evaluate("elsewhere", "val").scores.top1
