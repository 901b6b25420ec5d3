"""Weights from elsewhere: torchvision's public ones, checked, read without running any code."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from thumbnet.errors import CheckpointError

SHOWN = 3  # names an error lists before it only counts


@dataclass(frozen=True)
class PublicWeights:
    """Where a network's public weights are, and what they are known by.

    Args:
        digest: first hex digits of the file's sha256, as they stand in its official name
        num_outputs: classes the weights were trained for
    """

    url: str
    digest: str
    num_outputs: int = 1000

    @property
    def file_name(self) -> str:
        """Name the file as its publisher does."""
        return self.url.rpartition("/")[2]


def _torchvision(stem: str, digest: str) -> PublicWeights:
    return PublicWeights(f"https://download.pytorch.org/models/{stem}-{digest}.pth", digest)


PUBLIC_WEIGHTS = {
    "alexnet": _torchvision("alexnet-owt", "7be5be79"),
    "resnet18": _torchvision("resnet18", "f37072fd"),
    "resnet34": _torchvision("resnet34", "b627a593"),
    "squeezenet1_0": _torchvision("squeezenet1_0", "b66bff10"),
    "squeezenet1_1": _torchvision("squeezenet1_1", "b8a52dc0"),
}


def check_digest(path: Path, entry: PublicWeights) -> None:
    """Refuse a file that is not the published one.

    Raises: CheckpointError
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    if not digest.startswith(entry.digest):
        raise CheckpointError(
            f"{path} is not {entry.file_name}: its sha256 starts with "
            f"{digest[: len(entry.digest)]}, not {entry.digest}; delete it and get {entry.url} anew"
        )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read tensors by name from a PyTorch file or, by its suffix, a .safetensors file.

    A PyTorch file is a pickle, which may hold code; this reads tensors only and runs nothing.

    Returns: tensors on the CPU
    Raises: CheckpointError for a file that is missing, damaged, or holds anything but tensors
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist or is not a file")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path} is damaged or not a safetensors file: {error}") from None
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged pickle raises whatever its bytes happen to lead to
        raise CheckpointError(
            f"{path} cannot be read as tensors by name: it is damaged, or a pickle of something "
            f"else, which is never run; {_WANTED}"
        ) from None
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}; {_WANTED}")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{path} holds a {type(value).__name__} under {key!r}; {_WANTED}")
        if value.layout is not torch.strided or value.is_quantized:
            raise CheckpointError(f"{path} holds a sparse or quantized '{key}'; {_WANTED}")
    if not content:
        raise CheckpointError(f"{path} holds nothing; {_WANTED}")
    return dict(content)


_WANTED = "only plain tensors by name are allowed; save model.state_dict() and use that file"


def load_pretrained(model: nn.Module, tensors: Mapping[str, Tensor], head: str) -> list[str]:
    """Copy tensors into a network by name; leave the head as drawn where the classes differ.

    Counters of batches, which older files lack, may be missing.

    Args:
        head: prefix of the classifier's parameters, as in `model_entry(name).head`
    Returns: names left as drawn
    Raises: CheckpointError for any other name that is missing or unknown, or shape that differs;
        the network is then untouched
    """
    own = model.state_dict()
    fitting = {key: value for key, value in tensors.items() if _fits(own.get(key), value)}
    left = [
        key
        for key, value in own.items()
        if key.startswith(f"{head}.")
        and key in tensors
        and value.shape[1:] == tensors[key].shape[1:]
        and value.shape[:1] != tensors[key].shape[:1]
    ]
    problems = [f"'{key}' is unknown to it" for key in tensors if key not in own]
    problems += [
        f"'{key}' is missing"
        for key in own
        if key not in tensors and not key.endswith(".num_batches_tracked")
    ]
    problems += [
        f"'{key}' is {_kind(tensors[key])}, not {_kind(value)}"
        for key, value in own.items()
        if key in tensors and key not in fitting and key not in left
    ]
    if problems:
        more = f", and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise CheckpointError(
            f"these weights do not fit the network: {'; '.join(problems[:SHOWN])}{more}; only the "
            f"number of classes of '{head}' may differ; take weights of the same network, with the "
            "same options and input channels"
        )
    model.load_state_dict(fitting, strict=False)
    return left


def _fits(own: Tensor | None, given: Tensor) -> bool:
    return (
        own is not None
        and own.shape == given.shape
        and own.is_floating_point() == given.is_floating_point()
    )


def _kind(tensor: Tensor) -> str:
    sides = "x".join(str(side) for side in tensor.shape) or "one number"
    return f"{sides} of {str(tensor.dtype).removeprefix('torch.')}"
