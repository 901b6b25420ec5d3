"""Public weights of a pretrained recipe: taken as given, or refused before any training."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.cli.driver import Thumbnet, settings

from thumbnet.checkpoint import load_tensors
from thumbnet.data.packed import PackedDataset
from thumbnet.models import weights
from thumbnet.models.registry import create_model

RECIPE = "vonmartens2019/squeezenet-pretrained"
SHORT = ("--set", "preprocess.image_size=64", "--epochs", "0.5")


class Exploit:
    """Runs code where a file of it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploited",)


def drawn(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return {**create_model("squeezenet1_1", 1000).state_dict(), **changes}


def train(thumbnet: Thumbnet, data: PackedDataset, *more: object) -> tuple[int, str, str]:
    return thumbnet("train", RECIPE, "--data", data.path, *settings(), *SHORT, *more)


def test_given_weights_are_where_training_begins(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    torch.save(drawn(), "w.pth")
    still = ("--set", "training.schedule.lr=1e-30")
    status, _, err = train(thumbnet, tiny, "--weights", "w.pth", *still)
    assert status == 0, err
    kept, _ = load_tensors(
        Path("runs/vonmartens2019-squeezenet-pretrained/weights/last/model.safetensors")
    )
    given = drawn()
    for name, tensor in kept.items():
        if name.startswith("classifier"):
            assert len(tensor) == tiny.num_classes
        else:
            assert torch.allclose(tensor, given[name], atol=1e-12), name
    assert thumbnet("replay", "vonmartens2019-squeezenet-pretrained").status == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (drawn(**{"features.0.weight": torch.zeros(64, 3, 5, 5)}), ["features.0.weight", "5"]),
        ({f"module.{name}": value for name, value in drawn().items()}, ["module.features.0"]),
        ({"epoch": 3, "model": drawn()}, ["only plain tensors by name are allowed"]),
        ([1, 2], ["only plain tensors by name are allowed"]),
        (Exploit(), ["only plain tensors by name are allowed"]),
    ],
    ids=["shape", "names", "checkpoint", "list", "pickle"],
)
def test_files_that_hold_something_else(
    thumbnet: Thumbnet, tiny: PackedDataset, content: object, said: list[str]
) -> None:
    if isinstance(content, Exploit):
        Path("w.pth").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, "w.pth")
    status, _, err = train(thumbnet, tiny, "--weights", "w.pth")
    assert status == 2
    for words in ["w.pth", *said]:
        assert words in err
    assert [path.name for path in Path().iterdir()] == ["w.pth"]


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_files_that_are_damaged(thumbnet: Thumbnet, tiny: PackedDataset, content: bytes) -> None:
    Path("w.pth").write_bytes(content)
    status, _, err = train(thumbnet, tiny, "--weights", "w.pth")
    assert status == 2
    assert "w.pth" in err
    assert [path.name for path in Path().iterdir()] == ["w.pth"]


def test_a_file_that_is_not_there(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    status, _, err = train(thumbnet, tiny, "--weights", "w.pth")
    assert status == 2
    assert "w.pth does not exist" in err


def test_offline_the_address_and_the_way_out_are_told(
    thumbnet: Thumbnet, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(weights.PUBLIC_WEIGHTS["squeezenet1_1"], url="http://127.0.0.1:9/squeeze.pth")
    monkeypatch.setitem(weights.PUBLIC_WEIGHTS, "squeezenet1_1", entry)
    status, _, err = train(thumbnet, tiny)
    assert status == 2
    assert "download http://127.0.0.1:9/squeeze.pth where there is a network" in err
    assert "--weights" in err
    assert not any(Path().iterdir())
