"""One recipe with several seeds, and one network of the mean of several weights."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cli.driver import QUICK_ENGINE, Thumbnet, settings
from torch import nn

from thumbnet.checkpoint import load_tensors
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.ensembles import make_ensemble, spread_of, train_seeds
from thumbnet.ensembles.average import average_weights, measure_norms
from thumbnet.errors import RecipeError
from thumbnet.inference import evaluate, load_predictor
from thumbnet.model_folder import WEIGHTS, read_model
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder, list_runs
from thumbnet.training.events import Event, Observer, Stepped
from thumbnet.training.session import train

SMALL = ["--set", "model.args.width=4", "--set", "phases=[{epochs: 1, image_size: 16}]",
         "--set", "preprocess.untrained_size=true"]  # fmt: skip


@pytest.fixture(scope="module")
def second(tiny: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The network of `trained` with another seed."""
    recipe = load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.3)
    return train(recipe, tiny, seed=1, out=tmp_path_factory.mktemp("runs") / "second").run


def test_seeds_are_trained_once_and_their_spread_told(
    thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    words = ["thumbnet/quick", "--data", tiny.path, *settings(), *SMALL]
    said = thumbnet("ensemble", *words, "--seeds", "2", "-o", "two")
    assert said.status == 0, said.err
    assert [run.recipe().training.seed for run in list_runs()] == [0, 1]
    top1 = [evaluate(run.path).scores.top1 for run in list_runs()]
    assert f"top-1 of the 2 seeds: mean {50 * sum(top1):.2f} %" in said.out
    assert "best member" in said.out
    assert Path("two/config.json").is_file()
    said = thumbnet("ensemble", *words, "--seeds", "3", "-o", "three")
    assert said.status == 0, said.err
    assert len(list_runs()) == 3
    assert "seed 2" in said.err
    assert "seed 1" not in said.err
    again = thumbnet("ensemble", *words, "--seeds", "3", "-o", "three")
    assert again.status == 2
    assert "three is there already" in again.err


def test_interrupted_seeds_go_on(tiny: PackedDataset, thumbnet: Thumbnet) -> None:
    changed = {"model.args": {"width": 4}, "phases": [{"epochs": 1, "image_size": 16}],
               "preprocess.untrained_size": True}  # fmt: skip
    recipe = load_recipe("thumbnet/quick", {**QUICK_ENGINE, **changed})

    def stop(one: RecipeSpec) -> list[Observer]:
        def observe(event: Event) -> None:
            if one.training.seed == 1 and isinstance(event, Stepped) and event.at.step == 3:
                signal.raise_signal(signal.SIGINT)

        return [observe]

    assert len(train_seeds(recipe, 3, tiny, observers=stop)) == 1
    begun: list[Event] = []
    assert len(train_seeds(recipe, 3, tiny, observers=lambda one: [begun.append])) == 3
    resumed = [event for event in begun if isinstance(event, Stepped)]
    assert resumed[0].at.step == 4
    assert len(list_runs()) == 3


def test_what_goes_not_with_seeds(thumbnet: Thumbnet, trained: RunFolder) -> None:
    for words, message in (
        (["thumbnet/quick", "lenet5", "--seeds", "2"], "--seeds takes one recipe, not 2"),
        (["thumbnet/quick", "--seeds", "1"], "takes at least two"),
        ([trained.path, trained.path, "--set", "training.seed=1"], "--set goes with --seeds"),
        (["thumbnet/quack", "--seeds", "2"], "did you mean"),
    ):
        said = thumbnet("ensemble", *words, "-o", "out", "--data", trained.recipe().data.path)
        assert said.status == 2
        assert message in said.err
    assert not Path("out").exists()
    assert not list_runs()


def test_spread() -> None:
    spread = spread_of([0.4, 0.5, 0.6])
    assert (spread.mean, spread.sd, spread.num) == (pytest.approx(0.5), pytest.approx(0.1), 3)


def test_averaged_weights_are_a_model_folder(
    thumbnet: Thumbnet, trained: RunFolder, second: RunFolder
) -> None:
    both = (trained.path, second.path)
    said = thumbnet("ensemble", *both, "--average-weights", "-o", "mean")
    assert said.status == 0, said.err
    assert "best member" in said.out
    tensors, _ = load_tensors(Path("mean") / WEIGHTS)
    one, other = (load_tensors(path / "weights/best" / WEIGHTS)[0] for path in both)
    parameters = dict(read_model(Path("mean")).model.named_parameters())
    for name in parameters:
        assert torch.allclose(tensors[name], (one[name] + other[name]) / 2, atol=1e-7)
    moved = [name for name in tensors if name.endswith("running_mean")]
    assert moved
    assert not any(torch.allclose(tensors[n], (one[n] + other[n]) / 2) for n in moved)
    found = evaluate("mean", "val", data=trained.recipe().data.path)
    assert found.num_parameters == evaluate(trained.path).num_parameters
    assert f"{100 * found.scores.top1:.2f} %" in said.out


def test_a_run_averaged_with_itself_stays_what_it_is(
    trained: RunFolder, tiny: PackedDataset
) -> None:
    """But for its norms, which are measured on other images than the last steps'."""
    one = load_predictor(trained.path).trained
    fit = apply_protocol(tiny, "holdout").fit
    mean = average_weights([one, one], [1, 3], tiny, fit, torch.device("cpu"))
    for (name, a), b in zip(one.model.named_parameters(), mean.model.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_norms_are_measured_as_one_batch_of_all_would(
    trained: RunFolder, tiny: PackedDataset
) -> None:
    one = load_predictor(trained.path).trained
    fit = apply_protocol(tiny, "holdout").fit
    measure_norms(one, tiny, fit, torch.device("cpu"))
    first = next(m for m in one.model.modules() if isinstance(m, nn.BatchNorm2d))
    assert first.running_mean is not None
    seen: list[torch.Tensor] = []
    handle = first.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    images = torch.from_numpy(np.asarray(tiny.splits["train"].images)[fit.indices])
    with torch.no_grad():
        one.model(one.preprocess(images))
    handle.remove()
    assert torch.allclose(first.running_mean, seen[0].mean((0, 2, 3)), atol=1e-4)
    assert not one.model.training


def test_weights_of_different_networks_have_no_mean(
    thumbnet: Thumbnet, trained: RunFolder, tiny: PackedDataset
) -> None:
    recipe = load_recipe("thumbnet/quick", {**QUICK_ENGINE, "model.args": {"width": 4}})
    other = train(recipe.scaled(0.1), tiny, out="other").run
    with pytest.raises(RecipeError, match="leave out --average-weights"):
        make_ensemble([str(trained.path), str(other.path)], Path("out"), averages=True)
    assert not Path("out").exists()
