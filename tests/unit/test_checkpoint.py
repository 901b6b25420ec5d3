"""Files that come back equal, or are refused; a failed write leaves the old one."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from thumbnet import checkpoint
from thumbnet.checkpoint import SCHEMA_VERSION, load_tensors, save_tensors, write_atomic
from thumbnet.errors import CheckpointError

META = {"epoch": 3, "who": "né", "nested": {"lr": [0.1, None, True]}}
SPECIAL = [0.0, -0.0, 1e-42, float("inf"), float("-inf")]


def tensors() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last),
        "scalar": torch.tensor(2.5),
        "counter": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "half": torch.randn(5).half(),
        "brain": torch.randn(5).bfloat16(),
        "double": torch.randn(2, 2).double(),
        "bytes": torch.tensor([0, 255, 3], dtype=torch.uint8),
        "flags": torch.tensor([True, False]),
        "special": torch.tensor(SPECIAL),
        "sliced": torch.arange(20.0).view(4, 5)[::2, 1:3],
    }


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "a" / "state.safetensors"
    save_tensors(file, tensors(), META)
    return file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_everything_comes_back_bit_by_bit(saved: Path) -> None:
    found, meta = load_tensors(saved)
    assert meta == {**META, "schema_version": SCHEMA_VERSION}
    assert found.keys() == tensors().keys()
    for key, value in tensors().items():
        assert found[key].dtype == value.dtype, key
        assert found[key].shape == value.shape, key
        assert torch.equal(found[key], value), key
    assert found["special"].signbit().tolist() == [False, True, False, False, True]
    assert names(saved.parent) == ["state.safetensors"]


def test_parameters_with_gradients_come_back_as_plain_tensors(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    save_tensors(tmp_path / "a", {"w": weight}, {})
    found = load_tensors(tmp_path / "a")[0]["w"]
    assert torch.equal(found, weight)
    assert not found.requires_grad


def test_equal_content_makes_equal_files(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a", tensors(), META)
    save_tensors(tmp_path / "b", dict(reversed(tensors().items())), dict(reversed(META.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_flipped_byte_is_found_wherever_it_is(saved: Path) -> None:
    whole = saved.read_bytes()
    library_part = whole.index(b'"format":"pt"')  # says nothing that is read
    spared = range(library_part, library_part + len(b'"format":"pt"'))
    places = set(range(0, len(whole), 7)) | set(range(8)) | {len(whole) - 1}
    for place in sorted(places - set(spared)):
        for mask in (0xFF, 0x01):
            damaged = bytearray(whole)
            damaged[place] ^= mask
            saved.write_bytes(damaged)
            with pytest.raises(CheckpointError, match=str(saved)):
                load_tensors(saved)
    saved.write_bytes(whole)
    load_tensors(saved)


@pytest.mark.parametrize("part", ["nothing", "length", "header", "data", "last byte"])
def test_a_truncated_file_is_refused(saved: Path, part: str) -> None:
    whole = saved.read_bytes()
    keep = {"nothing": 0, "length": 5, "header": 60, "data": len(whole) - 100}
    saved.write_bytes(whole[: keep.get(part, -1)])
    with pytest.raises(CheckpointError, match="damaged or not a safetensors file"):
        load_tensors(saved)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CheckpointError, match=f"{path} does not exist"):
            load_tensors(path)


def write_header(path: Path, **header: str) -> None:
    save_file({"w": torch.ones(2)}, path, metadata=header or None)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "foreign"
    for header in ({}, {"format": "pt"}, {"thumbnet": "[]"}, {"thumbnet": "3"}):
        write_header(file, **header)
        with pytest.raises(CheckpointError, match="was not written by thumbnet"):
            load_tensors(file)
    write_header(file, thumbnet="{")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_tensors(file)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, None, "1"])
def test_another_schema_is_refused_before_its_checksum(tmp_path: Path, version: object) -> None:
    text = json.dumps({} if version is None else {"schema_version": version})
    write_header(tmp_path / "other", thumbnet=text, sha256="of another kind")
    with pytest.raises(CheckpointError, match=r"schema version .* use the version that wrote it"):
        load_tensors(tmp_path / "other")


def test_a_checksum_that_is_not_there_is_missed(tmp_path: Path) -> None:
    write_header(tmp_path / "bare", thumbnet=json.dumps({"schema_version": SCHEMA_VERSION}))
    with pytest.raises(CheckpointError, match="its checksum does not match"):
        load_tensors(tmp_path / "bare")


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (os.mkdir, (str(self.target),))


@pytest.mark.parametrize("how", ["pickle", "torch.save"])
def test_a_pickle_is_refused_and_never_run(tmp_path: Path, how: str) -> None:
    file, target = tmp_path / "model.safetensors", tmp_path / "went off"
    if how == "pickle":
        file.write_bytes(pickle.dumps(Bomb(target)))
    else:
        torch.save({"w": Bomb(target)}, file)
    with pytest.raises(CheckpointError, match="damaged or not a safetensors file"):
        load_tensors(file)
    assert not target.exists()
    pickle.loads(pickle.dumps(Bomb(target)))
    assert target.exists()  # the bomb was real


def no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("failing", ["save_file", "os.fsync", "os.replace", "_sort_header"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    saved: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    before = saved.read_bytes()
    monkeypatch.setattr(f"thumbnet.checkpoint.{failing}", no_space)
    with pytest.raises(CheckpointError, match=r"No space left on device.*free some space"):
        save_tensors(saved, {"w": torch.ones(1)}, {})
    assert saved.read_bytes() == before
    assert names(saved.parent) == ["state.safetensors"]


def test_a_write_that_stops_half_way_leaves_the_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"half")
        no_space()

    monkeypatch.setattr(checkpoint, "save_file", half)
    before = saved.read_bytes()
    with pytest.raises(CheckpointError):
        save_tensors(saved, {}, {})
    assert saved.read_bytes() == before
    assert names(saved.parent) == ["state.safetensors"]


@pytest.mark.parametrize("what", ["text", "tensors"])
def test_renames_only_what_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    calls: list[tuple[str, str]] = []
    opened: dict[int, str] = {}
    real_open, real_fsync, real_replace = os.open, os.fsync, os.replace

    def open_(path: Any, *args: Any, **kwargs: Any) -> int:
        descriptor = real_open(path, *args, **kwargs)
        opened[descriptor] = os.fspath(path)
        return descriptor

    def fsync(descriptor: int) -> None:
        calls.append(("fsync", opened[descriptor]))
        real_fsync(descriptor)

    def replace(old: Any, new: Any) -> None:
        calls.append((f"replace {Path(new).name}", os.fspath(old)))
        real_replace(old, new)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    file = tmp_path / "new"
    if what == "text":
        write_atomic(file, "text")
    else:
        save_tensors(file, tensors(), META)
    monkeypatch.undo()
    temporary = calls[0][1]
    assert Path(temporary).parent == tmp_path  # or the rename would copy between disks
    assert Path(temporary) != file
    assert calls == [("fsync", temporary), ("replace new", temporary), ("fsync", str(tmp_path))]
    assert names(tmp_path) == ["new"]


def test_text_is_written_as_utf8_over_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "er" / "file.json"
    write_atomic(file, "first, and longer")
    write_atomic(file, "é\n")
    assert file.read_bytes() == b"\xc3\xa9\n"
    assert names(file.parent) == ["file.json"]


def test_a_folder_that_is_a_file_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match=f"cannot write {tmp_path}/file/new"):
        write_atomic(tmp_path / "file" / "new", "text")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_target_that_is_a_folder_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match="cannot write"):
        write_atomic(tmp_path / "folder", "text")
    assert names(tmp_path) == ["folder"]
