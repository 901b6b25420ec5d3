"""What the command says where TensorBoard is not installed, or another tracker is asked for."""

import sys
from pathlib import Path

import pytest
from tests.cli.driver import Thumbnet

from thumbnet.data.packed import PackedDataset


def test_without_tensorboard_it_names_the_extra(
    thumbnet: Thumbnet, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    said = thumbnet("train", "thumbnet/quick", "--data", tiny.path, "--track", "tensorboard")
    assert said.status == 2
    assert "pip install 'thumbnet[track]'" in said.err
    assert not Path("runs").exists()


def test_an_unknown_tracker_is_refused(thumbnet: Thumbnet) -> None:
    said = thumbnet("train", "thumbnet/quick", "--track", "wandb")
    assert said.status == 2
    assert "tensorboard" in said.err
