"""Networks that do not belong together, and broken ones: refused, nothing silently remapped."""

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.driver import QUICK_ENGINE, Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.session import train

TWO = ["compare RUN OTHER", "ensemble RUN OTHER -o out", "show pareto RUN OTHER",
       "show wins RUN OTHER"]  # fmt: skip


@pytest.fixture(scope="module")
def foreign(other: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run on a set of other classes."""
    recipe = load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.05)
    return train(recipe, other, out=tmp_path_factory.mktemp("runs") / "foreign").run


@pytest.mark.parametrize("command", TWO)
def test_runs_of_other_data_or_classes(
    thumbnet: Thumbnet, trained: RunFolder, foreign: RunFolder, tiny: PackedDataset, command: str
) -> None:
    places = {"RUN": trained.path, "OTHER": foreign.path}
    words = [places.get(word, word) for word in command.split()]
    said = thumbnet(*words)
    assert said.status == 2
    assert "trained on other data" in said.err
    if words[0] != "ensemble":
        said = thumbnet(*words, "--data", tiny.path)  # the same images, but not the same classes
        assert said.status == 2
        assert "only the network knows" in said.err
    assert not any(Path().iterdir())


@pytest.mark.parametrize("command", ["evaluate RUN", "show gallery RUN", "predict RUN --split val"])
@pytest.mark.parametrize("kind", ["renamed", "cut", "no config", "no weights"])
def test_a_corrupted_model_folder(
    thumbnet: Thumbnet, trained: RunFolder, tiny: PackedDataset, command: str, kind: str
) -> None:
    shutil.copytree(trained.weights("best"), "model")
    config, weights = Path("model/config.json"), Path("model/model.safetensors")
    if kind == "renamed":
        held = json.loads(config.read_text())
        held["label_names"][0] = "n99999999"
        config.write_text(json.dumps(held))
    elif kind == "cut":
        weights.write_bytes(weights.read_bytes()[:-9])
    else:
        (config if kind == "no config" else weights).unlink()
    words = ["model" if word == "RUN" else word for word in command.split()]
    said = thumbnet(*words, "--data", tiny.path)
    assert said.status == 2
    assert "model" in said.err
    assert not list(Path().glob("*.txt"))
