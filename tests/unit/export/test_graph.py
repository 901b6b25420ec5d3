"""The graph from packed pixels to logits against Preprocess and PyTorch, without and with ONNX."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from thumbnet.augment.views import Preprocess, encode_mean_image
from thumbnet.build import build_model, build_preprocess, resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.ensemble_model import EnsembleNet, Member, plain_preprocess
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.export import onnx
from thumbnet.export.graph import PreprocessGraph, level_weights
from thumbnet.export.onnx import Session, write_onnx
from thumbnet.export.parity import parity
from thumbnet.inference import Predictor
from thumbnet.model_folder import TrainedModel
from thumbnet.recipes.registry import load_recipe

MEAN_IMAGE = encode_mean_image(np.random.default_rng(1).random((64, 64, 3), dtype=np.float32))

NETWORKS = {
    "28 px, grey": ("vonmartens2019/lenet5", {}),
    "a crop of 60": ("hansen2015/alexnet-prelu", {}),
    "mean image, more outputs than classes": (
        "thumbnet/quick",
        {"preprocess.normalize": "mean_image", "quirks.num_outputs": 6},
    ),
}
SHRUNK = ("thumbnet/quick", {"preprocess.image_size": 48})


def levels(count: int, size: int = 64) -> np.ndarray:
    rng = np.random.default_rng(count)
    return rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def network(dataset: PackedDataset, name: str, changes: dict[str, object]) -> TrainedModel:
    """A recipe's network as it is before training."""
    torch.manual_seed(0)
    recipe = resolve(load_recipe(name, changes), dataset)
    return TrainedModel(
        model=build_model(recipe).eval(),
        architecture=recipe.model.name,
        model_args=recipe.model.args,
        num_outputs=recipe.quirks.num_outputs or dataset.num_classes,
        preprocess=build_preprocess(recipe.preprocess, dataset),
        wnids=dataset.wnids,
        class_names=dataset.class_names,
        fingerprint=dataset.fingerprint,
        recipe=recipe.name,
    )


def ensemble(members: list[TrainedModel], combine: str) -> TrainedModel:
    parts = tuple(
        Member(one.model, one.architecture, {}, one.num_outputs, one.preprocess, weight)
        for one, weight in zip(members, (3.0, 1.0), strict=True)
    )
    first = members[0]
    return TrainedModel(
        model=EnsembleNet(parts, first.num_classes, combine),
        architecture="ensemble",
        model_args={},
        num_outputs=first.num_classes,
        preprocess=plain_preprocess(first.preprocess),
        wnids=first.wnids,
        class_names=first.class_names,
        fingerprint=first.fingerprint,
        recipe="two",
        members=parts,
    )


@pytest.mark.parametrize("source", [64, 100])
def test_levels_are_torch_s_own_at_every_size(source: int) -> None:
    images = torch.from_numpy(levels(2, source)).permute(0, 3, 1, 2)
    for size in range(8, source, 5):
        expected = F.interpolate(
            images, size=(size, size), mode="bilinear", antialias=True, align_corners=False
        )
        weights, precision = level_weights(source, size)
        rows = torch.floor(images.double() @ weights.T / 2**precision + 0.5)
        found = torch.floor(weights @ rows / 2**precision + 0.5)
        assert torch.equal(found, expected.double()), size


@pytest.mark.parametrize(
    ("size", "crop", "color", "mean_image", "allowed"),
    [
        (64, None, "rgb", None, 0),
        (28, None, "grey", None, 0),
        (32, None, "rgb", MEAN_IMAGE, 0),
        (28, None, "grey", MEAN_IMAGE, 0),
        (64, 57, "rgb", MEAN_IMAGE, 0),
        (48, 41, "rgb", None, 0),
        (48, 48, "rgb", MEAN_IMAGE, 0),
        (96, None, "rgb", MEAN_IMAGE, 1e-5),
        (224, 200, "grey", None, 1e-5),
    ],
)
def test_preprocessing_is_that_of_preprocess(
    size: int, crop: int | None, color: str, mean_image: str | None, allowed: float
) -> None:
    preprocess = Preprocess(size, color, (0.4,), (0.2,), crop=crop, mean_image=mean_image)
    images = torch.from_numpy(levels(3))
    expected, found = preprocess(images), PreprocessGraph(preprocess)(images)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= allowed


@pytest.mark.parametrize("kind", NETWORKS)
def test_onnx_is_pytorch_at_any_batch(kind: str, tiny: PackedDataset, tmp_path: Path) -> None:
    trained = network(tiny, *NETWORKS[kind])
    check(trained, tiny, tmp_path / "model.onnx")


def test_an_ensemble_of_different_inputs(tiny: PackedDataset, tmp_path: Path) -> None:
    members = [network(tiny, *kind) for kind in (NETWORKS["28 px, grey"], SHRUNK)]
    check(ensemble(members, "probs"), tiny, tmp_path / "model.onnx")


def check(trained: TrainedModel, dataset: PackedDataset, path: Path) -> None:
    write_onnx(path, trained)
    session, images = Session(path), dataset.splits["val"].images
    expected = Predictor(trained).split_logits(dataset, "val")
    for batch_size in (1, 7, 16):
        found = parity(expected, session.logits(images, batch_size=batch_size))
        assert found.holds, found
        assert found.num_images == 16
        assert found.relative < 1e-5


def test_files_that_are_no_graph(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="export RUN --onnx"):
        Session(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match="damaged or not an ONNX"):
        Session(tmp_path / "bad.onnx")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(onnx, "import_module", absent)
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(RecipeError, match=r"needs onnxruntime; .*pip install 'thumbnet\[onnx\]'"):
        Session(tmp_path / "model.onnx")
