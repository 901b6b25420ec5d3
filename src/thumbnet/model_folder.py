"""A trained network on disk: weights, and a configuration in the keys timm uses."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from thumbnet.augment.views import Preprocess
from thumbnet.checkpoint import load_tensors, save_tensors, write_atomic
from thumbnet.ensemble_model import ARCHITECTURE, EnsembleNet, Member
from thumbnet.errors import CheckpointError, RecipeError, reason_of
from thumbnet.models.registry import create_model, model_names

SCHEMA_VERSION = 1
WEIGHTS, CONFIG = "model.safetensors", "config.json"


@dataclass(frozen=True)
class TrainedModel:
    """A network with all that is needed to use it; class index = position in `wnids`.

    An ensemble has `members`, and they are all that its `model` is made of.
    """

    model: nn.Module
    architecture: str
    model_args: dict[str, Any]
    num_outputs: int
    preprocess: Preprocess
    wnids: tuple[str, ...]
    class_names: tuple[str, ...]
    fingerprint: str
    recipe: str
    members: tuple[Member, ...] = ()

    @property
    def num_classes(self) -> int:
        """Number of classes; `num_outputs` may be more."""
        return len(self.wnids)


def write_config(folder: Path, trained: TrainedModel) -> None:
    """Write the configuration beside which `write_weights` puts the weights."""
    preprocess = trained.preprocess
    size, channels = preprocess.input_size, preprocess.in_channels
    config = {
        "architecture": trained.architecture,
        "num_classes": trained.num_classes,
        "label_names": list(trained.wnids),
        "label_descriptions": dict(zip(trained.wnids, trained.class_names, strict=True)),
        "model_args": trained.model_args,
        "pretrained_cfg": {
            "input_size": [channels, size, size],
            "mean": list(preprocess.mean),
            "std": list(preprocess.std),
            "interpolation": "bilinear",
            "crop_pct": size / preprocess.image_size,
        },
        "thumbnet": {
            "schema_version": SCHEMA_VERSION,
            "num_outputs": trained.num_outputs,
            "preprocess": preprocess.to_dict(),
            "fingerprint": trained.fingerprint,
            "recipe": trained.recipe,
            **_ensemble_config(trained),
        },
    }
    write_atomic(folder / CONFIG, json.dumps(config, indent=1))


def _ensemble_config(trained: TrainedModel) -> dict[str, Any]:
    if not trained.members:
        return {}
    assert isinstance(trained.model, EnsembleNet)
    members = [
        {
            "architecture": member.architecture,
            "model_args": member.model_args,
            "num_outputs": member.num_outputs,
            "preprocess": member.preprocess.to_dict(),
            "weight": member.weight,
        }
        for member in trained.members
    ]
    return {"combine": trained.model.combine, "members": members}


def _read_members(ours: dict[str, Any]) -> tuple[Member, ...]:
    members = []
    for data in ours["members"]:
        preprocess = Preprocess.from_dict(data["preprocess"])
        model = create_model(
            data["architecture"],
            data["num_outputs"],
            in_channels=preprocess.in_channels,
            **data["model_args"],
        )
        members.append(
            Member(
                model=model,
                architecture=data["architecture"],
                model_args=data["model_args"],
                num_outputs=data["num_outputs"],
                preprocess=preprocess,
                weight=float(data["weight"]),
            )
        )
    return tuple(members)


def _read_network(
    config: dict[str, Any], ours: dict[str, Any]
) -> tuple[nn.Module, tuple[Member, ...]]:
    if config["architecture"] == ARCHITECTURE:
        members = _read_members(ours)
        return EnsembleNet(members, config["num_classes"], ours["combine"]), members
    model = create_model(
        config["architecture"],
        ours["num_outputs"],
        in_channels=config["pretrained_cfg"]["input_size"][0],
        **config["model_args"],
    )
    return model, ()


def write_weights(folder: Path, model: nn.Module, meta: dict[str, Any]) -> None:
    """Replace the folder's weights as a whole.

    Raises: CheckpointError where the disk does not take them
    """
    save_tensors(folder / WEIGHTS, model.state_dict(), meta)


def read_model(folder: Path) -> TrainedModel:
    """Read a model folder; nothing in it is ever executed.

    Raises: CheckpointError for one that is missing, damaged, or of another schema version
    """
    config = _read_config(folder)
    try:
        ours = config["thumbnet"]
        wnids = tuple(config["label_names"])
        if not config["num_classes"] == len(wnids) <= ours["num_outputs"]:
            raise ValueError(f"num_classes is {config['num_classes']}, label_names {len(wnids)}")
        _check_known(folder, config, ours)
        model, members = _read_network(config, ours)
        trained = TrainedModel(
            model=model,
            architecture=config["architecture"],
            model_args=config["model_args"],
            num_outputs=ours["num_outputs"],
            preprocess=Preprocess.from_dict(ours["preprocess"]),
            wnids=wnids,
            class_names=tuple(config["label_descriptions"][wnid] for wnid in wnids),
            fingerprint=ours["fingerprint"],
            recipe=ours["recipe"],
            members=members,
        )
    except (KeyError, TypeError, ValueError, IndexError, RecipeError) as error:
        raise CheckpointError(f"{folder / CONFIG} is damaged: {reason_of(error)}") from None
    tensors, _ = load_tensors(folder / WEIGHTS)
    try:
        trained.model.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder / WEIGHTS} does not fit {trained.architecture}: {error}"
        ) from None
    trained.model.eval()
    return trained


def _check_known(folder: Path, config: dict[str, Any], ours: dict[str, Any]) -> None:
    """Refuse a network that is not registered, such as one of the user's own."""
    names = {config["architecture"]} - {ARCHITECTURE}
    names |= {member["architecture"] for member in ours.get("members", ())}
    known = set(model_names())
    if unknown := sorted(n for n in names - known if isinstance(n, str)):
        raise CheckpointError(
            f"{folder} was made by a network not known here: '{unknown[0]}'; in Python, import the "
            "module that registers it (`@thumbnet.register_model`), then load this; commands know "
            "only the networks of `thumbnet model list`"
        )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        version = config["thumbnet"]["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder} is not a model folder of thumbnet: {CONFIG}: {reason_of(error)}"
        ) from None
    if version != SCHEMA_VERSION:
        raise CheckpointError(
            f"{folder} has model schema version {version}; this thumbnet reads {SCHEMA_VERSION}; "
            "use the version that wrote it"
        )
    return dict(config)
