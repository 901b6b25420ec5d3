"""Own photo folders from the command line: a labelled test split, transparency, broken files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.driver import Thumbnet, settings

from thumbnet.data.packed import PackedDataset
from thumbnet.data.prepare import prepare
from thumbnet.errors import DataError
from thumbnet.inference import evaluate, load_predictor, read_pixels
from thumbnet.runs import RunFolder


@pytest.fixture
def photos(tiny: PackedDataset, tmp_path: Path) -> Path:
    """Images of val as photos of the classes of `tiny`, in train, val and test."""
    val = tiny.splits["val"]
    assert val.labels is not None
    folder = tmp_path / "photos"
    for number, (image, label) in enumerate(zip(val.images, val.labels, strict=True)):
        for split in ("train", "val", "test")[: 3 if number % 3 == 0 else 2]:
            path = folder / split / tiny.wnids[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return folder


def test_a_labelled_test_split_is_evaluated(
    thumbnet: Thumbnet, photos: Path, trained: RunFolder, tiny: PackedDataset
) -> None:
    said = thumbnet("evaluate", trained.path, "--split", "test", "--data", photos)
    assert said.status == 0, said.err
    right = evaluate(trained.path, "val", tiny).right[::3]
    assert f"{100 * right.mean():.2f} %" in said.out
    assert "test set" in said.out
    refused = thumbnet("evaluate", trained.path, "--split", "test")
    assert refused.status == 2
    assert "the split 'test' has no labels; use one of train, val" in refused.err


def test_files_are_decoded_as_they_were_packed(
    trained: RunFolder, photos: Path, tiny: PackedDataset
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 70, 4), dtype=np.uint8)
    path = photos / "train" / tiny.wnids[0] / "a.png"
    Image.fromarray(pixels).save(path)
    data = prepare(photos)
    (at,) = np.flatnonzero(data.splits["train"].names == f"{tiny.wnids[0]}/a.png".encode())
    packed = data.splits["train"].images[at]
    preprocess = load_predictor(trained.path).trained.preprocess
    assert preprocess.background == "white"
    assert np.array_equal(read_pixels(path, preprocess), packed)
    assert np.array_equal(read_pixels(path.read_bytes(), preprocess), packed)


def test_networks_of_before_see_transparent_images_on_black(
    trained: RunFolder, tmp_path: Path
) -> None:
    old = shutil.copytree(trained.weights("best"), tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    del config["thumbnet"]["preprocess"]["background"]
    (old / "config.json").write_text(json.dumps(config))
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (64, 64), (9, 9, 9, 0)).save(clear)
    for folder, level in ((old, 0), (trained.path, 255)):
        preprocess = load_predictor(folder).trained.preprocess
        assert (read_pixels(clear, preprocess) == level).all()


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_prediction_names_a_broken_file(
    thumbnet: Thumbnet, trained: RunFolder, tmp_path: Path, content: bytes | None
) -> None:
    broken, good = tmp_path / "my cat.jpg", tmp_path / "good.png"
    Image.new("RGB", (64, 64)).save(good)
    why = {b"": "the file is empty", b"no image": "not an image of", None: "cannot be read (No suc"}
    if content is not None:
        broken.write_bytes(content)
        said = thumbnet("predict", trained.path, good, broken)
        assert said.status == 2
        assert "1 of 2 files are not images that can be read and were left out" in said.err
        assert said.err.count("my cat.jpg") == 1
        assert f"{broken}: {why[content]}" in said.err
        assert said.out.count("\n") == 2  # the head and the good one
    with pytest.raises(DataError) as caught:
        load_predictor(trained.path).predict([good, broken])
    assert str(caught.value).startswith(f"{broken}: {why[content]}")


def test_prediction_says_what_it_ignores(
    thumbnet: Thumbnet, trained: RunFolder, photos: Path
) -> None:
    for name in ("a.HEIC", "b.heic", "notes.txt", ".DS_Store", "__MACOSX/1.png"):
        path = photos / "test" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    said = thumbnet("predict", trained.path, photos / "test")
    assert said.status == 0, said.err
    assert said.out.count("\n") == 1 + 6
    assert "ignored 2 .heic files, 1 .txt file\nHEIC photos are not read; convert to" in said.err
    (photos / "only").mkdir()
    (photos / "only" / "1.heic").write_bytes(b"x")
    said = thumbnet("predict", trained.path, photos / "only")
    assert said.status == 2
    assert "only', only 1 .heic file; HEIC photos are not read; convert to JPEG" in said.err


@pytest.mark.parametrize("balance", ["none", "loss"])
def test_training_says_what_is_ignored_and_warns_of_unequal_classes(
    thumbnet: Thumbnet, tmp_path: Path, balance: str
) -> None:
    for name, count in (("ant", 12), ("bee", 2)):
        for number in range(count):
            path = tmp_path / "photos" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    (tmp_path / "photos" / "bee" / "2.heic").touch()
    options = ("--set", f"training.balance={balance}", "--set", "training.schedule.lr=0.01")
    epochs = ("--epochs", 0.3, "--set", "data.protocol=official")
    said = thumbnet(
        "train", "thumbnet/quick", "--data", tmp_path / "photos", *epochs, *settings(), *options
    )
    assert said.status == 0, said.err
    assert "ignored 1 .heic file\nHEIC photos are not read; convert to JPEG" in said.err
    warned = "WARNING: the largest class (ant, 11 train images) has 11.0 times" in said.err
    assert warned == (balance == "none")
