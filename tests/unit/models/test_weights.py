"""Weights from elsewhere are checked, read without running them, and loaded by name."""

import hashlib
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from thumbnet.errors import CheckpointError
from thumbnet.models.registry import create_model, model_entry, model_names
from thumbnet.models.weights import (
    PUBLIC_WEIGHTS,
    PublicWeights,
    check_digest,
    load_pretrained,
    read_state_dict,
)


def test_the_table_names_networks_and_official_files() -> None:
    assert set(PUBLIC_WEIGHTS) <= set(model_names())
    assert {name: entry.file_name for name, entry in PUBLIC_WEIGHTS.items()} == {
        "alexnet": "alexnet-owt-7be5be79.pth",
        "resnet18": "resnet18-f37072fd.pth",
        "resnet34": "resnet34-b627a593.pth",
        "squeezenet1_0": "squeezenet1_0-b66bff10.pth",
        "squeezenet1_1": "squeezenet1_1-b8a52dc0.pth",
    }
    for entry in PUBLIC_WEIGHTS.values():
        assert entry.url.startswith("https://download.pytorch.org/models/")
        assert entry.file_name.endswith(f"-{entry.digest}.pth")
        assert entry.num_outputs == 1000


def test_digest(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    entry = PublicWeights("https://example.org/w.pth", hashlib.sha256(b"weights").hexdigest()[:8])
    check_digest(path, entry)
    path.write_bytes(b"other")
    with pytest.raises(CheckpointError, match=r"is not w.pth: its sha256 .*https://example.org/w"):
        check_digest(path, entry)
    with pytest.raises(CheckpointError, match="cannot be read"):
        check_digest(tmp_path / "none", entry)


@pytest.mark.parametrize("legacy", [False, True])
def test_reads_what_torch_saved(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "weights.pth"
    tensors = OrderedDict(a=torch.randn(2, 3), b=torch.tensor(4))
    torch.save(tensors, path, _use_new_zipfile_serialization=not legacy)
    read = read_state_dict(path)
    assert list(read) == ["a", "b"]
    assert all(torch.equal(read[key], tensors[key]) for key in tensors)


def test_reads_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.ones(2)}, path)
    assert torch.equal(read_state_dict(path)["a"], torch.ones(2))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="damaged or not a safetensors file"):
        read_state_dict(path)


class Attack:
    """Touches a file where it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.witness,))


@pytest.mark.parametrize("by_torch", [False, True])
def test_code_in_a_pickle_is_never_run(tmp_path: Path, by_torch: bool) -> None:
    path, witness = tmp_path / "weights.pth", tmp_path / "witness"
    content = {"a": torch.ones(1), "b": Attack(witness)}
    if by_torch:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps({"b": Attack(witness)}))
    with pytest.raises(CheckpointError, match=r"never run.*save model\.state_dict\(\)"):
        read_state_dict(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "holds a list; only plain tensors by name"),
        (torch.ones(1), "holds a Tensor; only plain tensors by name"),
        ({"a": torch.ones(1), "epoch": 3}, "holds a int under 'epoch'"),
        ({"state_dict": {"a": torch.ones(1)}}, "holds a dict under 'state_dict'"),
        ({1: torch.ones(1)}, "under 1"),
        ({}, "holds nothing"),
        ({"a": torch.eye(2).to_sparse()}, "holds a sparse or quantized 'a'"),
    ],
)
def test_anything_but_tensors_by_name_is_refused(
    tmp_path: Path, content: object, message: str
) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        read_state_dict(path)


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(nn.Linear(1, 1), path)
    with pytest.raises(CheckpointError, match="a pickle of something else"):
        read_state_dict(path)


def test_a_missing_empty_or_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with pytest.raises(CheckpointError, match="does not exist"):
        read_state_dict(path)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be read as tensors"):
        read_state_dict(path)
    torch.save({"a": torch.randn(100)}, path)
    whole = path.read_bytes()
    for length in (1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="cannot be read as tensors"):
            read_state_dict(path)


def tensors_of(name: str, num_classes: int) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return create_model(name, num_classes).state_dict()


@pytest.mark.parametrize("name", ["resnet18_3x3", "squeezenet1_1"])
@pytest.mark.parametrize("num_classes", [5, 7])
def test_the_head_stays_as_drawn_where_the_classes_differ(name: str, num_classes: int) -> None:
    head, given = model_entry(name).head, tensors_of(name, 5)
    model = create_model(name, num_classes)
    drawn = {key: value.clone() for key, value in model.state_dict().items()}
    left = load_pretrained(model, given, head)
    assert len(left) == (0 if num_classes == 5 else 2)
    assert all(key.startswith(f"{head}.") for key in left)
    for key, value in model.state_dict().items():
        assert torch.equal(value, drawn[key] if key in left else given[key]), key


def test_alexnets_hidden_layers_are_no_head() -> None:
    with torch.device("meta"):
        given = create_model("alexnet", 1000).state_dict()
        model = create_model("alexnet", 200)
        left = load_pretrained(model, given, model_entry("alexnet").head)
        assert left == ["classifier.6.weight", "classifier.6.bias"]
        given["classifier.4.weight"] = torch.empty(1000, 4096)
        with pytest.raises(CheckpointError, match=r"'classifier.4.weight' is 1000x4096 of float32"):
            load_pretrained(model, given, model_entry("alexnet").head)


def test_counters_of_batches_may_be_missing() -> None:
    given = tensors_of("resnet18_3x3", 5)
    older = {key: value for key, value in given.items() if "num_batches_tracked" not in key}
    model = create_model("resnet18_3x3", 5)
    assert load_pretrained(model, older, "fc") == []
    assert torch.equal(model.fc.weight, given["fc.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv9.weight": torch.ones(1)}, r"'conv9.weight' is unknown to it; only"),
        ({"conv1.weight": None}, r"'conv1.weight' is missing; only"),
        ({"conv1.weight": torch.ones(16, 3, 5, 5)}, r"is 16x3x5x5 of float32, not 16x1x5x5"),
        ({"fc.weight": torch.ones(9, 3)}, r"'fc.weight' is 9x3 of float32, not 5x84"),
        ({"fc.weight": torch.ones(5, 84).int()}, r"is 5x84 of int32, not 5x84 of float32"),
        ({f"new{i}": torch.ones(1) for i in range(5)}, r"'new2' is unknown to it, and 2 more;"),
    ],
)
def test_weights_that_do_not_fit_are_refused_whole(
    change: dict[str, Tensor | None], message: str
) -> None:
    merged = tensors_of("lenet5", 5) | change
    given = {key: value for key, value in merged.items() if value is not None}
    model = create_model("lenet5", 5)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load_pretrained(model, given, "fc")
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
