"""Keep tests apart from the user's cache and data, and their thread count the same throughout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.driver import QUICK_ENGINE, Said, Thumbnet

if TYPE_CHECKING:
    from thumbnet.data.packed import PackedDataset
    from thumbnet.runs import RunFolder

# Read here, before any test module is collected: torch looks at it when it is first imported, and
# the commands that tests start inherit it. Beside another worker's, a second thread only waits; a
# worker inherits what the process that starts it has set.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
else:
    os.environ.setdefault("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1)))

REAL_DATA = os.environ.get("THUMBNET_DATA")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Point THUMBNET_CACHE at a temporary folder, and hide the user's data and terminal width."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("THUMBNET_CACHE", str(cache))
        environment.delenv("THUMBNET_DATA", raising=False)
        environment.delenv("COLUMNS", raising=False)  # libreadline sets it where no terminal is
        yield cache


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the path of the real Tiny ImageNet archive, or skip the test."""
    if not REAL_DATA:
        pytest.skip("THUMBNET_DATA is not set: needs the real Tiny ImageNet archive")
    return Path(REAL_DATA).resolve()


@pytest.fixture
def thumbnet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Thumbnet:
    """Run a command in an empty working folder."""
    from thumbnet.cli.main import main

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
    from thumbnet.data.synthetic import synthesize

    folder = tmp_path_factory.mktemp("data") / "tiny"
    return synthesize(folder, num_classes=4, train_per_class=20, val_per_class=4)


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Six classes, two of which the tiny set has not."""
    from thumbnet.data.synthetic import synthesize

    folder = tmp_path_factory.mktemp("data") / "other"
    return synthesize(folder, num_classes=6, train_per_class=8, val_per_class=4)


@pytest.fixture(scope="session")
def trained(tiny: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of thumbnet/quick on the tiny set."""
    from thumbnet.recipes.registry import load_recipe
    from thumbnet.training.session import train

    recipe = load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.3)
    return train(recipe, tiny, out=tmp_path_factory.mktemp("runs") / "quick").run
