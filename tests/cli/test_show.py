"""Every kind of picture from the command line, and what is refused."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.driver import Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.inference.costs import costs_of
from thumbnet.model_folder import read_model, write_weights
from thumbnet.models.describe import count_flops
from thumbnet.runs import RunFolder


@pytest.fixture(scope="module")
def run(trained: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A copy, so that pictures lie in no other test's run; one act of a hand is in it."""
    path = tmp_path_factory.mktemp("show") / "quick"
    shutil.copytree(trained.path, path)
    with (path / "events.jsonl").open("a") as file:
        file.write('{"event": "hand", "step": 3, "kind": "lr", "value": 0.01, "refused": null}\n')
    return RunFolder(path)


def check_png(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
        width, height = image.size
        assert 500 < width < 4000
        assert 300 < height < 4000
        assert np.asarray(image.convert("L")).std() > 5  # something is on it


@pytest.mark.parametrize(
    "kind", ["curves", "filters", "gallery", "confusions", "hardest", "hardest --classes",
             "filters --second"],
)  # fmt: skip
def test_pictures_of_a_run(thumbnet: Thumbnet, run: RunFolder, kind: str) -> None:
    word, *options = kind.split()
    said = thumbnet("show", word, run.path, *options, "-o", "a.png")
    assert said.status == 0, said.err
    assert "picture written to a.png" in said.out
    check_png(Path("a.png"))


@pytest.mark.parametrize("kind", ["activations", "saliency", "cam"])
def test_pictures_of_an_image(thumbnet: Thumbnet, run: RunFolder, tiny: PackedDataset,
                              kind: str) -> None:  # fmt: skip
    name = tiny.splits["val"].names[0].decode()
    said = thumbnet("show", kind, run.path, name, "-o", "a.png")
    assert said.status == 0, said.err
    check_png(Path("a.png"))
    Image.fromarray(tiny.splits["val"].images[0]).save("photo.png")
    said = thumbnet("show", kind, run.path, "photo.png", "-o", "b.png")
    assert said.status == 0, said.err
    option, first, second = ("--layer", "group1", "group2")
    if kind == "saliency":
        option, first, second = ("--class", *tiny.wnids[:2])
    for value, file in ((first, "c.png"), (second, "d.png")):
        said = thumbnet("show", kind, run.path, "photo.png", option, value, "-o", file)
        assert said.status == 0, said.err
    assert Path("c.png").read_bytes() != Path("d.png").read_bytes()


def test_pictures_go_to_the_run_and_svg_beside(thumbnet: Thumbnet, run: RunFolder) -> None:
    assert thumbnet("show", "curves", run.path, "--svg").status == 0
    check_png(run.path / "plots" / "curves.png")
    assert "<svg" in (run.path / "plots" / "curves.svg").read_text()


def test_no_picture_overwrites_another(thumbnet: Thumbnet, run: RunFolder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    shutil.rmtree(other / "plots", ignore_errors=True)
    for command in ("curves A", "curves A B", "curves B A", "gallery A", "gallery A --split train",
                    "gallery A --weights last"):  # fmt: skip
        places = {"A": other, "B": run.path}
        said = thumbnet("show", *(places.get(word, word) for word in command.split()))
        assert said.status == 0, said.err
    assert {file.name for file in (other / "plots").iterdir()} == {
        "curves.png", f"curves-{run.path.name}.png", "gallery.png", "gallery-train.png",
        "gallery-last.png",
    }  # fmt: skip


def test_two_learning_rates_as_two_curves(thumbnet: Thumbnet, run: RunFolder) -> None:
    shutil.copytree(run.path, "slower")
    recipe = Path("slower/recipe.yaml")
    recipe.write_text(recipe.read_text().replace("lr: 0.05", "lr: 0.4"))
    said = thumbnet("show", "curves", run.path, "slower", "--together", "--svg", "-o", "a.png")
    assert said.status == 0, said.err
    check_png(Path("a.png"))
    drawn = Path("a.svg").read_text()
    assert "quick, lr 0.05, best" in drawn
    assert "slower, lr 0.4, best" in drawn
    said = thumbnet("show", "curves", run.path, "--together")
    assert said.status == 2
    assert "2 to 6" in said.err


def test_two_networks_against_each_other(thumbnet: Thumbnet, run: RunFolder) -> None:
    last = run.weights("last")  # a model folder, of which no training time is known
    data = run.recipe().data.path
    said = thumbnet("show", "pareto", run.path, last, "--data", data, "-o", "a.png", "--svg")
    assert said.status == 0, said.err
    check_png(Path("a.png"))
    model = read_model(run.weights("best")).model
    assert f"{sum(p.numel() for p in model.parameters()) / 1e6:.4g}" in said.out
    assert f"{count_flops(model, torch.zeros(1, 3, 64, 64)) / 1e9:.4g}" in said.out
    assert "training time, minutes" in Path("a.svg").read_text()
    costs = costs_of(run.path)
    assert costs.train_s is not None
    assert costs.image_s[1] > 0 < costs.image_s[128]
    assert costs_of(last).train_s is None


def test_what_only_one_has_right(thumbnet: Thumbnet, run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    shutil.copytree(run.path, other.path)
    trained = read_model(other.weights("best"))
    with torch.no_grad():
        for parameter in trained.model.parameters():
            parameter.copy_(parameter.roll(1, 0))
    write_weights(other.weights("best"), trained.model, {})
    said = thumbnet("show", "wins", run.path, other.path, "--split", "val", "-o", "a.png")
    assert said.status == 0, said.err
    check_png(Path("a.png"))
    said = thumbnet("show", "wins", run.path, run.path)
    assert said.status == 2
    assert "two different runs" in said.err


def test_diagrams(thumbnet: Thumbnet, run: RunFolder) -> None:
    assert thumbnet("show", "diagram", run.path, "--svg").status == 0
    check_png(run.path / "plots" / "diagram.png")
    assert "<svg" in (run.path / "plots" / "diagram.svg").read_text()
    assert thumbnet("show", "diagram", "lenet5", "-o", "a.png").status == 0
    check_png(Path("a.png"))


def test_data_and_augmentations(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    assert thumbnet("show", "data", "--data", tiny.path).status == 0
    check_png(Path(f"plots/data-{tiny.path.name}.png"))
    for recipe in ("hansen2015/alexnet-prelu", "abai2019/network2"):
        said = thumbnet("show", "augment", recipe, "--data", tiny.path, "--count", 2)
        assert said.status == 0, said.err
        check_png(Path(f"plots/augment-{recipe.replace('/', '-')}.png"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("prelu RUN", "no PReLU"),
        ("filters RUN --layer steam.0", "did you mean 'stem.0'"),
        ("filters RUN --layer head", "no convolution 'head'"),
        ("filters RUN --layer stem.0 --second", "either"),
        ("cam RUN IMAGE --layer grup3", "did you mean 'group3'"),
        ("cam RUN IMAGE --layer head", "no map"),
        ("cam RUN IMAGE --class unicorn", "no class 'unicorn'"),
        ("activations RUN IMAGE --layer head", "no maps"),
        ("saliency RUN TEXT", "not an image of the kinds"),
        ("saliency RUN nowhere.png", "no image 'nowhere.png'"),
        ("curves RUN -o a.pdf", ".png or .svg"),
        ("curves norun", "no run 'norun'"),
        ("curves EMPTY", "no results yet"),
        ("diagram resnet19", "no run 'resnet19'"),
        ("gallery RUN --split test", "no labels"),
        ("augment vonmartens2019/lenet5 --data DATA", "augments nothing"),
        ("augment abai2019/network2 --phase 9 --data DATA", "no phase 9"),
        ("data --split nothing --data DATA", "no split 'nothing'"),
    ],
)
def test_bad_input_is_one_message(
    thumbnet: Thumbnet, run: RunFolder, tiny: PackedDataset, arguments: str, says: str
) -> None:
    Path("text.png").write_text("no image")
    Path("empty").mkdir()
    shutil.copy(run.recipe_file, "empty/recipe.yaml")
    places = {
        "RUN": run.path, "IMAGE": tiny.splits["val"].names[0].decode(), "TEXT": "text.png",
        "EMPTY": "empty", "DATA": tiny.path,
    }  # fmt: skip
    said = thumbnet("show", *(places.get(word, word) for word in arguments.split()))
    assert said.status == 2
    assert says in said.err


def test_the_command_line_loads_matplotlib_only_to_draw() -> None:
    code = "import sys, thumbnet.cli.main; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_lr_finder_draws_and_suggests(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    small = ("--set", "training.batch_size=16", "--set", "training.threads=1", "--steps", "20",
             "--trial-steps", "20")  # fmt: skip
    said = thumbnet("show", "lr-finder", "thumbnet/quick", "--data", tiny.path, *small)
    assert said.status == 0, said.err
    assert "suggested learning rate:" in said.out or "no rate was confirmed" in said.out
    assert re.search(r"took \d+ s", said.out)
    assert "estimated time:" in said.err
    check_png(Path("plots/lr-finder-thumbnet-quick.png"))
    said = thumbnet("show", "lr-finder", "thumbnet/quick", "--data", tiny.path, "--from", "2",
                    "--to", "1")  # fmt: skip
    assert said.status == 2
    assert "below the second" in said.err
