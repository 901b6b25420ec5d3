"""Files that are whole or not there: written beside, flushed, renamed; read with a checksum."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from thumbnet.errors import CheckpointError

SCHEMA_VERSION = 1


def write_atomic(path: Path, content: str) -> None:
    """Replace a text file as a whole; after a crash it is the old one or the new one."""
    _replace(path, lambda temporary: temporary.write_text(content, encoding="utf-8"))


def save_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and plain meta data as one safetensors file, whole or not at all.

    Raises: CheckpointError where it cannot be written; the old file is then untouched
    """
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    text = json.dumps({"schema_version": SCHEMA_VERSION, **meta}, sort_keys=True)
    header = {"format": "pt", "thumbnet": text, "sha256": _digest(plain, text)}

    def write(temporary: Path) -> None:
        save_file(plain, temporary, metadata=header)
        _sort_header(temporary)

    _replace(path, write)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Returns: tensors by name, and the meta data
    Raises: CheckpointError for a file that is missing, damaged, foreign or of another schema
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file: {error}") from None
    text = header.get("thumbnet")
    if text is None:
        raise CheckpointError(f"{path} was not written by thumbnet")
    try:
        meta = json.loads(text)
    except ValueError:
        raise CheckpointError(f"{path} is damaged: its header is not valid JSON") from None
    if not isinstance(meta, dict):
        raise CheckpointError(f"{path} was not written by thumbnet")
    if meta.get("schema_version") != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path} has schema version {meta.get('schema_version')}; this thumbnet reads "
            f"{SCHEMA_VERSION}; use the version that wrote it, or train anew"
        )
    if _digest(tensors, text) != header.get("sha256"):
        raise CheckpointError(f"{path} is damaged: its checksum does not match its content")
    return tensors, meta


def _sort_header(path: Path) -> None:
    """Put the keys of a safetensors header in order, which the library leaves to chance.

    Equal weights then make equal files, byte by byte.
    """
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        file.seek(8)
        file.write(text.encode().ljust(length))


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for key in sorted(tensors):
        digest.update(f"{key} {tensors[key].dtype} {tuple(tensors[key].shape)}".encode())
        digest.update(tensors[key].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a temporary file, flush it to disk, rename it over `path`, flush the folder."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _fsync(temporary)
        os.replace(temporary, path)
        _fsync(path.parent)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):  # where the folder is a file, say
            temporary.unlink(missing_ok=True)
        raise CheckpointError(
            f"cannot write {path}: {error}; what was saved before is untouched; "
            "free some space or choose another folder, then resume"
        ) from None


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
