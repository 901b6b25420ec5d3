"""Every mistake a user may make: one clear message, exit status 2, and nothing left behind."""

import errno
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.cli.driver import Thumbnet, settings

from thumbnet.data.packed import PackedDataset
from thumbnet.recipes.registry import dump_recipe, load_recipe
from thumbnet.runs import RunFolder


def picture(path: Path, side: int = 70) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "thumbnet/quik"), ["unknown recipe 'thumbnet/quik'", "'thumbnet/quick'"]),
        (("recipe", "show", "nobody"), ["unknown recipe 'nobody'", "thumbnet recipe list"]),
        (("train", "absent.yaml"), ["absent.yaml", "No such file"]),
        (("model", "show", "lenet"), ["unknown model 'lenet'", "did you mean 'lenet5'"]),
        (("train", "thumbnet/quick", "--set", "model.name=lenet"), ["unknown model", "lenet5"]),
        (("train", "thumbnet/quick", "--set", "model.args.depth=3"), ["depth", "width"]),
        (("train", "thumbnet/quick", "--set", "training.batchsize=3"), ["batch_size"]),
        (("train", "thumbnet/quick", "--set", "training.batch_size=many"), ["batch_size", "many"]),
        (("train", "thumbnet/quick", "--set", "training.batch_size"), ["key=value"]),
        (("train", "thumbnet/quick", "--set", "phases.9.epochs=1"), ["phases.9.epochs", "0 to 2"]),
        (("train", "thumbnet/quick", "--set", "data.protocol=mine"), ["protocol", "holdout"]),
        (("train", "thumbnet/quick", "--set", "phases.0.image_size=8"), ["at least 16 pixels"]),
        (("train", "vonmartens2019/lenet5", "--set", "preprocess.image_size=64"), ["28 pixels"]),
        (("train", "thumbnet/quick", "--set", "training.augment=[{name: pad_crop, pad: 99}]"),
         ["pad=99"]),
        (("train", "thumbnet/quick", "--set", "training.augment=[{name: hue, turn: [0, 9]}]"),
         ["turn", "from -0.5 to 0.5"]),
        (("train", "thumbnet/quick", "--set", "training.augment=[{name: blur, sigma: [2, 1]}]"),
         ["sigma", "first number of a range"]),
        (("train", "thumbnet/quick", "--set", "training.augment=[{name: random_crop, size: 60}]"),
         ["random_crop", "crop"]),
        (("train", "thumbnet/quick", "--set", "training.augment=[{name: sometimes, ops: []}]"),
         ["ops", "at least 1"]),
        (("train", "thumbnet/quick", "--set", "training.mix=[{name: mixup, alpha: 0}]"),
         ["alpha", "must be above 0"]),
        (("train", "hansen2015/alexnet-prelu", "--set", "phases.0.image_size=32"),
         ["preprocess.crop=60", "64 pixels"]),
        (("train", "zheng2018/alchnet19", "--set", "phases.0.image_size=32"), ["64 pixels"]),
        (("control", "nowhere", "stop"), ["no run 'nowhere'"]),
        (("replay", "nowhere"), ["no run 'nowhere'"]),
        (("reproduce", "nobody"), ["neither a source nor a recipe"]),
        (("train", "thumbnet/quick", "--epochs", "0"), ["epochs=0.0", "above 0"]),
        (("train", "thumbnet/quick", "--epochs", "inf"), ["epochs=inf"]),
        (("train", "thumbnet/quick", "--epochs", "many"), ["--epochs", "number"]),
        (("train", "thumbnet/quick", "--seed", "-1"), ["seed", "-1"]),
        (("train", "thumbnet/quick", "--time-budget", "soon"), ["'soon' is not a duration", "5m"]),
        (("train", "thumbnet/quick", "--device", "cuda:7"), ["cuda:7", "cpu"]),
        (("train", "thumbnet/quick", "--init", "nowhere"), ["no run 'nowhere'"]),
        (("resume", "nowhere"), ["no run 'nowhere'"]),
        (("evaluate", "nowhere"), ["no run 'nowhere'"]),
        (("predict", "nowhere", "--split", "val"), ["no run 'nowhere'"]),
        (("trian", "thumbnet/quick"), ["No such command"]),
    ],
)  # fmt: skip
def test_wrong_words(
    thumbnet: Thumbnet, tiny: PackedDataset, arguments: tuple[str, ...], said: list[str]
) -> None:
    data = ("--data", str(tiny.path)) if arguments[0] == "train" else ()
    status, _, err = thumbnet(*arguments, *data)
    assert status == 2
    for words in said:
        assert words in err
    assert not any(Path().iterdir())  # no run folder was begun


def test_wrong_yaml_lists_every_fault(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    data = yaml.safe_load(dump_recipe(load_recipe("thumbnet/quick")))
    data["training"]["lable_smoothing"] = 0.1
    data["phases"][1]["epochs"] = -2
    Path("mine.yaml").write_text(yaml.safe_dump(data))
    status, _, err = thumbnet("train", "mine.yaml", "--data", tiny.path)
    assert status == 2
    assert "did you mean 'label_smoothing'" in err
    assert "phases.1.epochs" in err
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["prepare", "train"])
@pytest.mark.parametrize("kind", ["missing", "empty", "truncated", "foreign", "no archive"])
def test_broken_archives(
    thumbnet: Thumbnet, tmp_path: Path, own_cache: Path, command: str, kind: str
) -> None:
    archive = tmp_path / "data.tar.xz"
    if kind == "empty":
        archive.touch()
    elif kind == "no archive":
        archive.write_bytes(b"plain words, again and again" * 100)
    elif kind != "missing":
        for name in ("one", "two"):
            for number in range(3):
                layout = f"train/{name}/{number}.png" if kind == "truncated" else f"{number}.txt"
                picture(tmp_path / "tree" / layout.replace(".txt", ".png"))
        if kind == "foreign":
            shutil.rmtree(tmp_path / "tree")
            (tmp_path / "tree").mkdir()
            (tmp_path / "tree" / "letter.txt").write_text("dear reader")
        with tarfile.open(archive, "w:xz") as tar:
            tar.add(tmp_path / "tree", "top")
        if kind == "truncated":
            archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    before = sorted(own_cache.rglob("*"))
    arguments = ["data", "prepare", archive] if command == "prepare" else [
        "train", "thumbnet/quick", "--data", archive]  # fmt: skip
    status, _, err = thumbnet(*arguments)
    assert status == 2
    assert "data.tar.xz" in err
    assert sorted(own_cache.rglob("*")) == before
    assert not any(Path().iterdir())


def test_folders_with_too_little(thumbnet: Thumbnet, tmp_path: Path) -> None:
    picture(tmp_path / "one" / "train" / "cat" / "0.png")
    status, _, err = thumbnet("data", "prepare", tmp_path / "one", "-o", "packed")
    assert status == 2
    assert "cat" in err

    picture(tmp_path / "two" / "train" / "cat" / "0.png")
    (tmp_path / "two" / "train" / "dog").mkdir()
    status, _, err = thumbnet("data", "prepare", tmp_path / "two", "-o", "packed")
    assert status == 2
    assert "dog" in err
    assert not any(Path().iterdir())


def test_an_image_that_is_none(thumbnet: Thumbnet, tmp_path: Path, trained: RunFolder) -> None:
    for name in ("cat", "dog"):
        for number in range(4):
            picture(tmp_path / "pets" / "train" / name / f"{number}.png", 64 + number)
    broken = tmp_path / "pets" / "train" / "dog" / "9.jpg"
    broken.write_text("woof")
    (tmp_path / "pets" / "train" / "dog" / ".hidden.jpg").write_text("not seen")
    (tmp_path / "pets" / "train" / ".DS_Store").write_text("not seen")
    (tmp_path / "pets" / "train" / "dog" / "Thumbs.db").write_text("not seen")
    status, _, err = thumbnet("data", "prepare", tmp_path / "pets", "-o", "packed")
    assert status == 2
    assert "9.jpg" in err
    assert ".hidden" not in err
    assert "--skip-broken" in err
    assert not Path("packed").exists()
    assert thumbnet("data", "prepare", tmp_path / "pets", "-o", "p", "--skip-broken").status == 0

    status, _, err = thumbnet("predict", trained.path, broken, "-o", "out.csv")
    assert status == 2
    assert "9.jpg" in err
    assert thumbnet("predict", trained.path, "*.webp").status == 2
    assert thumbnet("predict", trained.path).status == 2


def test_a_disk_that_is_full(
    thumbnet: Thumbnet,
    tiny: PackedDataset,
    trained: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("thumbnet.checkpoint.save_file", full)
        arguments = ("train", "thumbnet/quick", "--data", tiny.path, "--epochs", 0.2, "--out", "r")
        status, _, err = thumbnet(*arguments, *settings())
    assert status == 2
    assert "No space left on device" in err
    assert "resume" in err
    assert not list(Path("r").rglob("*.tmp"))

    with monkeypatch.context() as patch:
        patch.setattr("thumbnet.data.packed_writer.os.fsync", full)
        for name in ("cat", "dog"):
            for number in range(4):
                picture(tmp_path / "pets" / name / f"{number}.png")
        status, _, err = thumbnet("data", "prepare", tmp_path / "pets", "-o", "packed")
    assert status == 2
    assert "is full" in err
    assert not list(Path().glob("packed*"))


def test_runs_that_do_not_fit(
    thumbnet: Thumbnet, tiny: PackedDataset, other: PackedDataset, trained: RunFolder
) -> None:
    shutil.copytree(trained.path, "run")
    status, _, err = thumbnet("resume", "run", "--data", other.path)
    assert status == 2
    assert "fingerprint" in err

    status, _, err = thumbnet("evaluate", "run", "--data", other.path)
    assert status == 2
    assert "6 classes" in err
    assert "4" in err

    status, _, err = thumbnet("evaluate", "run", "--split", "vall")
    assert status == 2
    assert "val" in err
    status, _, err = thumbnet("predict", "run", "--split", "tset", "-o", "labels.txt")
    assert status == 2
    assert "test" in err
    assert not Path("labels.txt").exists()

    arguments = ("train", "vonmartens2019/resnet18", "--data", tiny.path, "--init", "run")
    status, _, err = thumbnet(*arguments)
    assert status == 2
    assert "thumbnet_quick" in err

    status, _, err = thumbnet("train", "thumbnet/quick", "--data", tiny.path, "--out", "run")
    assert status == 2
    assert "run is there already" in err

    recipe = Path("run/recipe.yaml")
    right = recipe.read_text()
    recipe.write_text(right.replace("label_smoothing: 0.1", "label_smoothing: 0.2"))
    status, _, err = thumbnet("resume", "run")
    assert status == 2
    assert "was changed since" in err
    recipe.write_text(right)

    env = json.loads(Path("run/env.json").read_text())
    Path("run/env.json").write_text(json.dumps({**env, "schema_version": 99}))
    status, _, err = thumbnet("resume", "run")
    assert status == 2
    assert "99" in err

    config = Path("run/weights/best/config.json")
    config.write_text(config.read_text().replace('"schema_version": 1', '"schema_version": 7'))
    status, _, err = thumbnet("evaluate", "run")
    assert status == 2
    assert "7" in err

    weights = Path("run/weights/last/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-5])
    status, _, err = thumbnet("evaluate", "run", "--weights", "last")
    assert status == 2
    assert "damaged" in err


def test_no_data_and_no_network(thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "thumbnet.data.sources.TINY_IMAGENET",
        __import__("thumbnet.data.download", fromlist=["Remote"]).Remote(
            url="http://127.0.0.1:9/tiny-imagenet-200.zip", size_bytes=10, digest="0" * 32
        ),
    )
    status, _, err = thumbnet("train", "thumbnet/quick")
    assert status == 2
    for words in ("no data found", "THUMBNET_DATA", "thumbnet data fetch", "thumbnet data synth"):
        assert words in err
