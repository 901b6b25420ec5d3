"""Networks of different inputs made one: a model folder like any other, judged honestly."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.cli.driver import QUICK_ENGINE, Thumbnet

from thumbnet.data.loader import labels_of
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.ensembles import make_ensemble
from thumbnet.errors import CheckpointError, DataError, RecipeError
from thumbnet.evaluation.ensemble import combine, fit_shares, select
from thumbnet.evaluation.evaluate import score
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


@pytest.mark.parametrize("how", ["logits", "probs"])
def test_fitted_shares_are_the_best_there_are(how: str) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(4, size=300)
    sure = np.eye(4, dtype=np.float32)[labels]
    good, weak, noise = (
        (size * sure + rng.normal(size=(300, 4))).astype(np.float32) for size in (2.0, 1.0, 0.0)
    )
    members = [good, weak, noise]
    shares = fit_shares(members, labels, how)
    assert sum(shares) == pytest.approx(1)
    assert shares[0] > shares[1] >= shares[2]
    least = score(combine(members, how, shares), labels).loss
    grid = [(a, b, 10 - a - b) for a in range(11) for b in range(11 - a)]
    tried = [score(combine(members, how, one), labels).loss for one in grid]
    assert least <= min(tried) + 1e-4


def test_shares_are_fitted_on_the_watched_images_only(
    thumbnet: Thumbnet, trained: RunFolder, grey: RunFolder
) -> None:
    both = [trained.path, grey.path]
    said = thumbnet("ensemble", *both, "-o", "fitted", "--fit")
    assert said.status == 0, said.err
    recipe = trained.recipe()
    dataset = evaluate(trained.path).dataset
    watch = apply_protocol(dataset, recipe.data.protocol).watch
    logits = [evaluate(path, watch.split).logits[watch.indices] for path in both]
    expected = fit_shares(logits, labels_of(dataset, watch))
    config = json.loads(Path("fitted/config.json").read_text())
    found = [member["weight"] for member in config["thumbnet"]["members"]]
    assert found == pytest.approx([share for share in expected if share])
    said = thumbnet("ensemble", *both, "-o", "more", "--fit", "--greedy")
    assert said.status == 2
    assert "one of --share, --greedy and --fit" in said.err
    assert not Path("more").exists()


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
