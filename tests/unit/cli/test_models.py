"""`thumbnet model`: every network listed with its size, and one looked into."""

import pytest
from typer.testing import CliRunner

from thumbnet.cli.models import app
from thumbnet.errors import RecipeError
from thumbnet.models import registry
from thumbnet.models.registry import model_entry, model_names


def run(*words: str) -> list[str]:
    return CliRunner().invoke(app, words, catch_exceptions=False).output.splitlines()


def test_list_shows_every_network_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {name: model_entry(name) for name in ("lenet5", "thumbnet_quick")}
    assert set(small) < set(model_names())
    monkeypatch.setattr(registry, "_entries", small)  # the large ones take seconds to build
    lines = run("list", "--classes", "200")
    (line,) = [line for line in lines if "lenet5" in line.split()]
    assert "101,972" in line
    assert " 28 px" in line
    assert "from" not in line
    assert model_entry("lenet5").summary in line
    (line,) = [line for line in lines if "thumbnet_quick" in line.split()]
    assert "from 16 px" in line


def test_show_adds_up_the_layers() -> None:
    lines = [line.split() for line in run("show", "lenet5", "--classes", "10")]
    assert ["conv1.weight", "16", "x", "1", "x", "5", "x", "5", "400"] in lines
    assert ["fc.bias", "10", "10"] in lines
    numbers = [int(words[-1].replace(",", "")) for words in lines if words and "." in words[0]]
    assert len(numbers) == 10
    (total,) = [words[-1] for words in lines if words[:1] == ["all"]]
    assert total == f"{sum(numbers):,}" == "85,822"


def test_an_unknown_network_is_the_librarys_error() -> None:
    with pytest.raises(RecipeError, match=r"unknown model 'lenet'; did you mean 'lenet5'\?"):
        run("show", "lenet")
