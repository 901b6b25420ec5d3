"""A tiny data set, a tiny trained run, and a way to call the command line in this process."""

import sys
from pathlib import Path

import pytest
from tests.cli.driver import QUICK_ENGINE, Said, Thumbnet

from thumbnet.cli.main import main
from thumbnet.data.packed import PackedDataset
from thumbnet.data.synthetic import synthesize
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.session import train


@pytest.fixture
def thumbnet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Thumbnet:
    """Run a command in an empty working folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["thumbnet", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return Said(status, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Four classes of twenty training images."""
    folder = tmp_path_factory.mktemp("data") / "tiny"
    return synthesize(folder, num_classes=4, train_per_class=20, val_per_class=4)


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Five classes, two of which the tiny set has not."""
    folder = tmp_path_factory.mktemp("data") / "other"
    return synthesize(folder, num_classes=6, train_per_class=8, val_per_class=4)


@pytest.fixture(scope="session")
def trained(tiny: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of thumbnet/quick on the tiny set."""
    recipe = load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.3)
    return train(recipe, tiny, out=tmp_path_factory.mktemp("runs") / "quick").run
