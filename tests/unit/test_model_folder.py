"""A network comes back as it was, or the folder is refused with a reason."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from thumbnet.augment.views import Preprocess
from thumbnet.errors import CheckpointError
from thumbnet.model_folder import (
    CONFIG,
    SCHEMA_VERSION,
    WEIGHTS,
    TrainedModel,
    read_model,
    write_config,
    write_weights,
)
from thumbnet.models.registry import create_model


def trained(num_outputs: int = 5) -> TrainedModel:
    torch.manual_seed(0)
    return TrainedModel(
        model=create_model("thumbnet_quick", num_outputs, in_channels=1, width=2),
        architecture="thumbnet_quick",
        model_args={"width": 2},
        num_outputs=num_outputs,
        preprocess=Preprocess(32, "grey", (0.5,), (0.25,), source_size=48, resize="pad"),
        wnids=("n01", "n02", "n03"),
        class_names=("goldfish, carp", "frög", "newt"),
        fingerprint="abc",
        recipe="thumbnet/quick",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one = trained()
    write_config(tmp_path / "best", one)
    write_weights(tmp_path / "best", one.model, {"epoch": 2})
    return tmp_path / "best"


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / CONFIG).read_text())
    edit(config)
    (folder / CONFIG).write_text(json.dumps(config))


def test_comes_back_as_it_was(folder: Path) -> None:
    torch.manual_seed(1)
    found, one = read_model(folder), trained()
    assert replace(found, model=one.model) == one
    assert found.num_classes == 3
    assert not found.model.training
    for key, value in one.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[key], value), key
    images = torch.randn(2, 1, 32, 32)
    assert torch.equal(found.model(images), one.model.eval()(images))


def test_the_configuration_carries_the_keys_of_timm(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    ours = config.pop("thumbnet")
    assert config == {
        "architecture": "thumbnet_quick",
        "num_classes": 3,
        "label_names": ["n01", "n02", "n03"],
        "label_descriptions": {"n01": "goldfish, carp", "n02": "frög", "n03": "newt"},
        "model_args": {"width": 2},
        "pretrained_cfg": {
            "input_size": [1, 32, 32],
            "mean": [0.5],
            "std": [0.25],
            "interpolation": "bilinear",
            "crop_pct": 1.0,
        },
    }
    assert ours["schema_version"] == SCHEMA_VERSION


def test_writing_again_replaces_only_the_weights(folder: Path) -> None:
    config = (folder / CONFIG).read_bytes()
    torch.manual_seed(2)
    other = create_model("thumbnet_quick", 5, in_channels=1, width=2)
    write_weights(folder, other, {})
    assert torch.equal(read_model(folder).model.head.weight, other.head.weight)
    assert (folder / CONFIG).read_bytes() == config
    assert sorted(path.name for path in folder.iterdir()) == sorted([CONFIG, WEIGHTS])


@pytest.mark.parametrize(
    "lost",
    [
        "architecture",
        "label_names",
        "label_descriptions",
        "label_descriptions.n02",
        "model_args",
        "pretrained_cfg",
        "pretrained_cfg.input_size",
        "thumbnet",
        "thumbnet.schema_version",
        "thumbnet.num_outputs",
        "thumbnet.preprocess",
        "thumbnet.preprocess.image_size",
        "thumbnet.preprocess.color",
        "thumbnet.preprocess.mean",
        "thumbnet.preprocess.std",
        "thumbnet.fingerprint",
        "thumbnet.recipe",
    ],
)
def test_a_configuration_that_lacks_a_key_is_refused(folder: Path, lost: str) -> None:
    def remove(config: dict[str, Any]) -> None:
        *parents, last = lost.split(".")
        for parent in parents:
            config = config[parent]
        del config[last]

    change(folder, remove)
    with pytest.raises(CheckpointError, match=lost.rpartition(".")[2]):
        read_model(folder)


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c.update(architecture=3),
        lambda c: c.update(model_args={"widht": 2}),
        lambda c: c.update(model_args=[2]),
        lambda c: c.update(label_names=None),
        lambda c: c.update(label_descriptions=["goldfish"]),
        lambda c: c["pretrained_cfg"].update(input_size=[]),
        lambda c: c["thumbnet"].update(num_outputs=0),
        lambda c: c["thumbnet"].update(num_outputs="5"),
        lambda c: c["thumbnet"].update(preprocess={"mean": 1, "std": 2}),
        lambda c: c["thumbnet"]["preprocess"].update(crp=3),
    ],
)
def test_a_configuration_of_wrong_values_is_refused(
    folder: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    change(folder, edit)
    with pytest.raises(CheckpointError, match=r"config\.json is damaged"):
        read_model(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\udcff\udcfe"])
def test_a_configuration_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / CONFIG).write_text(text, errors="surrogateescape")
    with pytest.raises(CheckpointError, match="is not a model folder of thumbnet"):
        read_model(folder)


def test_a_network_of_the_users_own_is_said_to_be_unknown_here(folder: Path) -> None:
    change(folder, lambda c: c.update(architecture="mynet"))
    with pytest.raises(CheckpointError, match="made by a network not known here: 'mynet'; in P"):
        read_model(folder)


def test_missing_files_are_named(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=f"{folder / WEIGHTS} does not exist"):
        read_model(folder)
    (folder / CONFIG).unlink()
    with pytest.raises(CheckpointError, match=f"{folder} is not a model folder .* it is missing"):
        read_model(folder)


def test_another_schema_is_refused(folder: Path) -> None:
    change(folder, lambda c: c["thumbnet"].update(schema_version=SCHEMA_VERSION + 1))
    with pytest.raises(CheckpointError, match=f"model schema version {SCHEMA_VERSION + 1}"):
        read_model(folder)


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c["thumbnet"].update(num_outputs=6),
        lambda c: c.update(model_args={"width": 4}),
        lambda c: c.update(model_args={}, architecture="resnet18"),
        lambda c: c["pretrained_cfg"].update(input_size=[3, 32, 32]),
    ],
)
def test_weights_of_another_network_are_refused(
    folder: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    change(folder, edit)
    with pytest.raises(CheckpointError, match=r"model\.safetensors does not fit"):
        read_model(folder)


def test_damaged_weights_are_refused(folder: Path) -> None:
    whole = bytearray((folder / WEIGHTS).read_bytes())
    whole[-5] ^= 1
    (folder / WEIGHTS).write_bytes(whole)
    with pytest.raises(CheckpointError, match="its checksum does not match"):
        read_model(folder)


def test_each_class_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_config(tmp_path, replace(trained(), class_names=("one",)))
    assert list(tmp_path.iterdir()) == []
