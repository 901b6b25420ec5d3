"""What is compared does the same work: the peers pack the same pixels and name the same classes."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from thumbnet.data.packed import PackedDataset, open_packed
from thumbnet.data.prepare import prepare
from thumbnet.recipes.registry import load_recipe

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PER_CLASS, CLASSES = 20, ("n01", "n02")

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import a benchmark, and forget it and what it imports afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for path in BENCHMARKS.glob("*.py"):
        if path.stem not in before:
            sys.modules.pop(path.stem, None)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for name in CLASSES:
        (folder / "train" / name).mkdir(parents=True)
        for number in range(PER_CLASS):
            pixels = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "train" / name / f"{number:03}.JPEG")
    return folder


@pytest.mark.parametrize("how", ["loop", pytest.param("pool", marks=pytest.mark.soak)])
def test_the_peers_pack_the_same_pixels(load: Load, photos: Path, tmp_path: Path, how: str) -> None:
    archive, out = tmp_path / "images.tar", tmp_path / "images.npy"
    files = load("bench_prepare").write_archive(photos, PER_CLASS, archive)
    assert len(files) == PER_CLASS
    peer = BENCHMARKS / "peer_prepare.py"
    subprocess.run([sys.executable, peer, how, archive, out], check=True)
    packed = prepare(archive, tmp_path / "packed").splits
    ours = np.concatenate([split.images for split in packed.values()])
    theirs = np.load(out)
    assert theirs.shape == ours.shape
    assert {image.tobytes() for image in theirs} == {image.tobytes() for image in ours}


@pytest.fixture
def sides(load: Load, tiny: PackedDataset, tmp_path: Path) -> object:
    recipe = load_recipe("thumbnet/quick")
    evaluate = load("bench_evaluate")
    (tmp_path / "images").mkdir()
    evaluate.write_network(tmp_path / "network", recipe, tiny, 0)
    evaluate.write_images(tiny, 6, tmp_path / "images")
    return tmp_path


def test_a_plain_loop_names_what_the_predictor_does(
    load: Load, sides: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = load("bench_predict")
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    made = bench.Sides(sides / "network", sides / "images")
    assert "onnx 64" not in made.names(bench.SAID)
    wnids, part = made.predictor.trained.wnids, range(len(made.files))
    assert len(part) == 6
    plain = [[wnids[i] for i in row] for row in made._plain(part).indices]
    ours = [[guess.wnid for guess in top] for top in made._predictor(part)]
    assert plain == ours
    assert made.run("plain 64", 6) > 0
    assert made.single("predictor", 2) > 0


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "short", "shown"),
    [
        ("prepare", ("--images", "40", "--rounds", "1"), "decoding alone"),
        ("predict", ("--images", "8", "--rounds", "1", "--singles", "2"), "Predictor over it"),
        ("evaluate", ("--networks", "quick", "--rounds", "1", "--parts", "rate"), "fp32 product"),
        ("augment", ("--sets", "flip_crop", "--rounds", "1", "--batches", "2"), "over the copy"),
    ],
)
def test_the_short_mode_ends_with_a_table(
    photos: Path, tiny: PackedDataset, name: str, short: tuple[str, ...], shown: str
) -> None:
    data = {"prepare": ["--data", str(photos)], "augment": []}.get(name, ["--data", str(tiny.path)])
    command = [sys.executable, BENCHMARKS / f"bench_{name}.py", *data, *short]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| --- |" in done.stdout
    assert shown in done.stdout


def test_prepare_refuses_what_is_packed(
    load: Load, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_packed(tiny.path).num_classes == 4
    monkeypatch.setattr(sys, "argv", ["bench_prepare.py", "--data", str(tiny.path)])
    with pytest.raises(SystemExit, match="the sides decode image files"):
        load("bench_prepare").main()
