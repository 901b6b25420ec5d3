"""Networks of different inputs made one: a model folder like any other, judged honestly."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.cli.driver import QUICK_ENGINE, Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.ensembles import make_ensemble
from thumbnet.errors import CheckpointError, DataError, RecipeError
from thumbnet.evaluation.ensemble import combine, select
from thumbnet.inference import evaluate
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.session import train


@pytest.fixture(scope="module")
def grey(tiny: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A network that sees 28x28 grey images."""
    recipe = load_recipe("thumbnet/lenet5-tuned", QUICK_ENGINE).scaled(0.01)
    return train(recipe, tiny, out=tmp_path_factory.mktemp("runs") / "grey").run


@pytest.mark.parametrize("how", ["logits", "probs"])
def test_members_of_different_inputs(
    how: str, thumbnet: Thumbnet, trained: RunFolder, grey: RunFolder
) -> None:
    said = thumbnet(
        "ensemble", trained.path, grey.path, "-o", "both", "--combine", how, "--share", "3",
        "--share", "1",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert "0.75" in said.out
    assert "best member" in said.out
    logits = [evaluate(run.path, "val").logits for run in (trained, grey)]
    expected = combine(logits, how, [3, 1])
    found = evaluate("both", "val", data=trained.recipe().data.path)
    assert np.allclose(found.logits, expected, atol=1e-4)
    assert found.num_parameters == sum(
        evaluate(run.path, "val").num_parameters for run in (trained, grey)
    )
    data = ("--data", trained.recipe().data.path)
    assert thumbnet("predict", "both", "--split", "test", *data, "-o", "l.txt").status == 0
    assert thumbnet("compare", "both", trained.path, *data).status == 0


def test_greedy_looks_at_the_watched_images_only(
    thumbnet: Thumbnet, trained: RunFolder, grey: RunFolder
) -> None:
    made = make_ensemble([str(trained.path), str(grey.path)], Path("best"), greedy=True)
    assert sum(made.shares) == pytest.approx(1)
    config = json.loads(Path("best/config.json").read_text())
    kept = [share for share in made.shares if share]
    assert len(config["thumbnet"]["members"]) == len(kept)


def test_selection_takes_what_raises_accuracy_and_stops() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2])
    right = np.eye(3, dtype=np.float32)[labels]
    wrong = np.eye(3, dtype=np.float32)[(labels + 1) % 3]
    assert select([wrong, right], labels) == [0, 1]
    half = right.copy()
    half[:3] = 0.6 * wrong[:3]
    other = right.copy()
    other[3:] = 0.6 * wrong[3:]
    counts = select([half, other, wrong], labels)
    assert counts[0] == counts[1] == 1
    assert counts[2] == 0


def test_what_cannot_be_one(
    thumbnet: Thumbnet, trained: RunFolder, grey: RunFolder, other: PackedDataset
) -> None:
    both = [str(trained.path), str(grey.path)]
    with pytest.raises(DataError, match="takes at least two different ones"):
        make_ensemble(both[:1] * 2, Path("out"))
    with pytest.raises(RecipeError, match="a share above 0"):
        make_ensemble(both, Path("out"), shares=[1, 0])
    with pytest.raises(RecipeError, match="a share above 0"):
        make_ensemble(both, Path("out"), shares=[1])
    foreign = train(load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.1), other, out="foreign")
    with pytest.raises(DataError, match="trained on other data"):
        make_ensemble([both[0], "foreign"], Path("out"))
    assert foreign.run.path.exists()
    assert not Path("out").exists()
    make_ensemble(both, Path("out"))
    with pytest.raises(CheckpointError, match="is there already"):
        make_ensemble(both, Path("out"))
    with pytest.raises(RecipeError, match="ensemble of ensembles"):
        make_ensemble([both[0], "out"], Path("more"), trained.recipe().data.path)
    shutil.rmtree("out")
    said = thumbnet("ensemble", *both, "-o", "out", "--greedy", "--share", "1", "--share", "2")
    assert said.status == 2
