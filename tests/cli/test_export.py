"""Export from the command line: a folder others can use, and a graph that is proven or refused."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import numpy_helper
from PIL import Image
from tests.cli.driver import Said, Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, DataError
from thumbnet.export import folder as export_folder
from thumbnet.export.folder import export_run
from thumbnet.export.predictor import load_onnx_predictor
from thumbnet.inference import evaluate, load_predictor
from thumbnet.runs import RunFolder
from thumbnet.significance import exact_interval


@pytest.fixture(scope="module")
def exported(trained: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its graph."""
    folder = tmp_path_factory.mktemp("exports") / "quick"
    made = export_run(trained.path, folder, onnx=True)
    assert made.parity is not None
    assert made.parity.holds
    assert made.parity.num_images == 16
    return folder


@pytest.fixture
def photos(tiny: PackedDataset, tmp_path: Path) -> Path:
    """Nine files: pixels of val as they are, and others of any shape."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image in enumerate(tiny.splits["val"].images[:6]):
        Image.fromarray(image).save(folder / f"val{number}.png")
    rng = np.random.default_rng(0)
    for number, (height, width) in enumerate([(200, 150), (40, 90), (64, 64)]):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"odd{number}.jpg")
    return folder


def card_of(folder: Path) -> tuple[dict[str, object], str]:
    _, head, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), text


def test_the_folder_is_judged_as_the_run(
    exported: Path, trained: RunFolder, tiny: PackedDataset
) -> None:
    files = {"README.md", "config.json", "model.onnx", "model.safetensors"}
    assert {path.name for path in exported.iterdir()} - {"predictions"} == files
    assert list(exported.parent.iterdir()) == [exported]
    ours, theirs = evaluate(trained.path, "val"), evaluate(exported, "val", tiny)
    assert np.array_equal(ours.logits, theirs.logits)
    assert ours.scores == theirs.scores


def test_the_graph_labels_a_split_and_files_as_pytorch_does(
    thumbnet: Thumbnet, exported: Path, tiny: PackedDataset, photos: Path
) -> None:
    graph, network = load_onnx_predictor(exported), load_predictor(exported)
    found, expected = (one.split_logits(tiny, "val") for one in (graph, network))
    assert np.array_equal(found.argmax(1), expected.argmax(1))
    assert np.allclose(found, expected, atol=1e-5)
    data = ("--split", "test", "--data", tiny.path)
    assert thumbnet("predict", exported, *data, "-o", "torch.txt").status == 0
    assert thumbnet("predict", exported, *data, "--onnx", "-o", "onnx.txt").status == 0
    assert Path("onnx.txt").read_text() == Path("torch.txt").read_text()
    said: list[Said] = [thumbnet("predict", exported, photos, *more) for more in ((), ("--onnx",))]
    assert said[0].out.count("\n") == 10
    labels = [[line.split(",")[:3] for line in one.out.splitlines()] for one in said]
    assert labels[0] == labels[1]


def test_the_card_gives_the_run_s_own_figures(exported: Path, trained: RunFolder) -> None:
    head, text = card_of(exported)
    scores, recipe = evaluate(trained.path).scores, trained.recipe()
    assert "license" not in head
    assert head["library_name"] == "thumbnet"
    assert head["pipeline_tag"] == "image-classification"
    (entry,) = head["model-index"]
    (result,) = entry["results"]
    assert result["dataset"] == {"type": "synthetic", "name": "synthetic", "split": "val"}
    values = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert values["top-1"] == pytest.approx(scores.top1)
    assert values["top-5"] == pytest.approx(scores.top5)
    assert values["cross-entropy"] == pytest.approx(scores.loss, abs=1e-5)
    ends = exact_interval(round(scores.top1 * 16), 16)
    assert f"| top-1 | {100 * scores.top1:.2f} % | {100 * ends.low:.2f} to " in text
    for words in (
        recipe.sha256(),
        "protocol `holdout`",
        "fingerprint `" + str(recipe.data.fingerprint),
        "uint8 (batch, 64, 64, 3)",
        f"thumbnet {trained.env()['thumbnet']}",
        "No licence is given",
        "precision fp32",
    ):
        assert words in text
    assert str(recipe.data.path) not in text
    shown = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    kept = yaml.safe_load(shown.group(1))
    assert kept["name"] == recipe.name
    assert kept["data"]["path"] is None


def test_the_card_s_python_runs(exported: Path, photos: Path, tiny: PackedDataset) -> None:
    _, text = card_of(exported)
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    (photos / "val0.png").rename(exported.parent / "image.jpg")
    try:
        outputs = [
            subprocess.run(
                [sys.executable, "-c", block],
                cwd=exported.parent,
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            ).stdout
            for block in blocks
        ]
    finally:
        (exported.parent / "image.jpg").unlink()
    wnid = outputs[0].split()[0]
    assert wnid in tiny.wnids
    assert outputs[1].strip() == wnid


def test_the_card_s_commands_judge_on_the_data_of_the_card(
    thumbnet: Thumbnet, exported: Path, tiny: PackedDataset, photos: Path
) -> None:
    _, text = card_of(exported)
    (block, graph) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    predict, judge = block.splitlines()
    assert judge == "thumbnet evaluate quick --split val --data synthetic"
    assert "`synthetic` stands for the data described above" in text
    Path("quick").symlink_to(exported)
    Path("synthetic").symlink_to(tiny.path)
    Path("image.jpg").symlink_to(photos / "odd0.jpg")
    said = [thumbnet(*shlex.split(line)[1:]) for line in (predict, judge, graph.strip())]
    assert [one.status for one in said] == [0, 0, 0]
    assert f"{100 * evaluate(exported, 'val', tiny).scores.top1:.2f} %" in said[1].out


def test_a_broken_graph_is_refused_and_nothing_is_left(
    thumbnet: Thumbnet, exported: Path, trained: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_perturbed(path: Path, _: object) -> None:
        model = onnx.load(exported / "model.onnx")
        for one in model.graph.initializer:
            if one.data_type == onnx.TensorProto.FLOAT and len(one.dims) > 1:
                weights = numpy_helper.to_array(one) * np.float32(1.01)
                one.CopyFrom(numpy_helper.from_array(weights, one.name))
        onnx.save(model, path)

    monkeypatch.setattr(export_folder, "write_onnx", write_perturbed)
    said = thumbnet("export", trained.path, "-o", "broken", "--onnx")
    assert said.status == 1
    assert "the ONNX graph is not the network" in said.err
    assert "1e-04 is allowed" in said.err or "0.0001 is allowed" in said.err
    assert list(Path().iterdir()) == []


def test_the_command_shows_what_was_proven(
    thumbnet: Thumbnet, exported: Path, trained: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(path: Path, _: object) -> None:
        path.write_bytes((exported / "model.onnx").read_bytes())

    monkeypatch.setattr(export_folder, "write_onnx", copy)
    said = thumbnet("export", trained.path, "-o", "out", "--onnx")
    assert said.status == 0, said.err
    assert "images compared" in said.out
    assert "relative to the image's largest logit" in said.out
    assert "model folder: out" in said.out
    again = thumbnet("export", trained.path, "-o", "out")
    assert again.status == 2
    assert "out is there already" in again.err


def test_without_onnx_and_of_the_last_weights(
    thumbnet: Thumbnet, trained: RunFolder, tiny: PackedDataset
) -> None:
    said = thumbnet("export", trained.path, "-o", "plain", "--weights", "last")
    assert said.status == 0, said.err
    assert not Path("plain/model.onnx").exists()
    assert "## ONNX" not in Path("plain/README.md").read_text()
    expected = evaluate(trained.path, "val", weights="last").logits
    assert np.array_equal(evaluate("plain", "val", tiny).logits, expected)
    again = export_run("plain", Path("again"), tiny)
    assert np.array_equal(again.evaluation.logits, expected)
    assert "not a run" in Path("again/README.md").read_text()
    said = thumbnet("predict", "plain", "--onnx", "--split", "test", "--data", tiny.path)
    assert said.status == 2
    assert "export RUN --onnx" in said.err


def test_what_cannot_be_exported(
    thumbnet: Thumbnet, trained: RunFolder, other: PackedDataset
) -> None:
    with pytest.raises(DataError, match="only the network knows"):
        export_run(trained.path, Path("out"), other)
    Path("file").write_text("here")
    with pytest.raises(CheckpointError, match="is there already"):
        export_run(trained.path, Path("file"))
    with pytest.raises(CheckpointError, match="cannot write file/out"):
        export_run(trained.path, Path("file/out"))
    said = thumbnet("predict", trained.path, "--onnx", "file")
    assert said.status == 2
    assert "is not an exported folder" in said.err
    assert [path.name for path in Path().iterdir()] == ["file"]
