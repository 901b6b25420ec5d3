"""`thumbnet model`: every network listed with its size, and one looked into."""

import pytest
from typer.testing import CliRunner

from thumbnet.cli.models import app
from thumbnet.errors import RecipeError
from thumbnet.models.registry import model_entry, model_names


def run(*words: str) -> list[str]:
    return CliRunner().invoke(app, words, catch_exceptions=False).output.splitlines()


def test_list_shows_every_network_whole() -> None:
    lines = run("list", "--num-classes", "200")
    for name in model_names():
        (line,) = [line for line in lines if name in line.split()[:1]]
        assert model_entry(name).summary in line
    (line,) = [line for line in lines if "lenet5" in line.split()]
    assert "101,972" in line
    assert " 28 px" in line
    assert "from" not in line
    (line,) = [line for line in lines if "thumbnet_quick" in line.split()]
    assert "from 16 px" in line


def test_show_adds_up_the_layers() -> None:
    lines = [line.split() for line in run("show", "lenet5", "--classes", "10")]
    assert ["conv1", "Conv2d", "16", "x", "24", "x", "24", "416", "0.46"] in lines
    assert ["fc", "Linear", "10", "850", "0.00"] in lines
    (total,) = [words[1:] for words in lines if words[:1] == ["all"]]
    assert total == ["85,822", "2.24"]


def test_show_tells_what_training_costs() -> None:
    text = "\n".join(run("show", "resnet18", "--image-size", "224", "--batch-size", "4"))
    lines = [line.split() for line in text.splitlines()]
    costs = {words[0]: words[1:] for words in lines if words}
    assert costs["image"][1:3] == ["224", "px"]
    assert costs["receptive"][1:3] == ["224", "px"]
    assert "the whole image" in text
    assert costs["computation"][:2] == ["3,627.3", "MFLOP"]
    assert costs["parameters"] == ["11,279,112", "from", "conv1.weight", "to", "fc.bias"]
    assert "at a batch of 4" in text
    state, activations, training = (
        int(costs[key][0].replace(",", "")) for key in ("state", "activations", "training")
    )
    assert state + activations == pytest.approx(training, abs=1)


def test_a_size_out_of_range_is_the_librarys_error() -> None:
    with pytest.raises(RecipeError, match="takes images of 28 px, not 64"):
        run("show", "lenet5", "--image-size", "64")


def test_an_unknown_network_is_the_librarys_error() -> None:
    with pytest.raises(RecipeError, match=r"unknown model 'lenet'; did you mean 'lenet5'\?"):
        run("show", "lenet")
