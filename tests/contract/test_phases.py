"""What phases may do besides other sizes: begin from the best weights, fall on a plateau, mix."""

import re
from pathlib import Path

import pytest
import torch
from tests.contract.driver import assert_same_end, interrupt, rows, small

from thumbnet.checkpoint import load_tensors
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import RecipeError
from thumbnet.evaluation.evaluate import Judge, Scores
from thumbnet.runs import RunFolder
from thumbnet.training.events import Stepped
from thumbnet.training.session import resume, train

STILL = {"name": "constant", "lr": 1e-30}


def parameters(run: RunFolder, which: str) -> dict[str, torch.Tensor]:
    tensors, _ = load_tensors(run.weights(which) / "model.safetensors")
    return {key: value for key, value in tensors.items() if "running" not in key}


@pytest.mark.parametrize("start_from", ["best", "last"])
def test_a_phase_may_begin_with_the_best_weights(
    start_from: str, data: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best are those of an epoch of the first phase; the second does not move them."""
    top1 = iter([0.25, 0.75, 0.5, 0.25, 0.5])
    monkeypatch.setattr(Judge, "__call__", lambda *_: Scores(next(top1), 1.0, 1.0, 4))
    steady = {"name": "constant", "lr": 0.05}
    phases = [
        {"epochs": 4, "image_size": 32, "schedule": steady},
        {"epochs": 1, "image_size": 32, "schedule": STILL, "start_from": start_from},
    ]
    recipe = small(data, phases=phases, training__augment=[])
    result = train(recipe, data, out=tmp_path / "run")
    assert result.best_epoch == 2
    best, last = parameters(result.run, "best"), parameters(result.run, "last")
    same = all(torch.allclose(best[k], last[k], atol=1e-9) for k in best if "batches" not in k)
    assert same is (start_from == "best")


def test_a_phase_with_an_optimizer_of_its_own_goes_on_after_a_stop(
    data: PackedDataset, tmp_path: Path
) -> None:
    phases = [
        {"epochs": 1, "image_size": 16},
        {"epochs": 2, "image_size": 16, "optimizer": {"name": "adam"},
         "schedule": {"name": "constant", "lr": 1e-3}, "start_from": "best"},
        {"epochs": 1, "image_size": 16, "optimizer": {"name": "muon"},
         "schedule": {"name": "plateau", "lr": 0.01}, "mix": [{"name": "cutmix"}]},
    ]  # fmt: skip
    recipe = small(data, phases=phases, training__ema_decay=0.9)
    whole = train(recipe, data, out=tmp_path / "whole")
    for step in range(1, 8):
        stop = [interrupt(Stepped, step)]
        stopped = train(recipe, data, out=tmp_path / str(step), observers=stop)
        assert_same_end(resume(stopped.run, data).run, whole.run)


def test_what_a_phase_freezes_rests_until_it_ends(data: PackedDataset, tmp_path: Path) -> None:
    decay = {"name": "muon", "num_iterations": 1, "weight_decay": 0.1}
    phases = [
        {"epochs": 1, "image_size": 16},
        {"epochs": 2, "image_size": 16, "freeze": ["stem", "group1.conv1"], "optimizer": decay},
        {"epochs": 1, "image_size": 16, "freeze": ["group1"], "optimizer": {"name": "adam"}},
    ]
    recipe = small(data, phases=phases, training__snapshots="phase", training__ema_decay=None)
    whole = train(recipe, data, out=tmp_path / "whole")
    first, second, third = (
        load_tensors(folder / "model.safetensors")[0] for folder in whole.run.snapshots()
    )

    def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
        return {key for key in before if not torch.equal(before[key], after[key])}

    learning = {name for name in first if name.endswith(("weight", "bias"))}
    rests = {"stem.0.weight", "stem.1.weight", "stem.1.bias", "group1.conv1.weight"}
    assert moved(first, second) & learning == learning - rests
    assert "stem.1.running_mean" in moved(first, second)
    rests = {name for name in learning if name.startswith("group1.")}
    assert moved(second, third) & learning == learning - rests
    for step in (2, 3, 5, 6, 7):
        stop = [interrupt(Stepped, step)]
        stopped = train(recipe, data, out=tmp_path / str(step), observers=stop)
        assert_same_end(resume(stopped.run, data).run, whole.run)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["stam"], "no part 'stam' that learns; did you mean 'stem'?"),
        ([""], "no part '' that learns"),
        (["stem.2"], "no part 'stem.2' that learns"),
        (["stem", "group1", "group2", "group3", "head"], "leaves nothing that learns"),
    ],
)
def test_what_cannot_be_frozen_is_refused_before_a_run_begins(
    names: list[str], said: str, data: PackedDataset, tmp_path: Path
) -> None:
    phases = [{"epochs": 1, "image_size": 16, "freeze": names}]
    with pytest.raises(RecipeError, match=re.escape(said)):
        train(small(data, phases=phases), data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_plateau_falls_and_goes_on_falling_after_a_stop(
    data: PackedDataset, tmp_path: Path
) -> None:
    schedule = {"name": "plateau", "lr": 1e-6, "factor": 0.5, "patience": 2, "min_delta": 100}
    phases = [{"epochs": 6, "image_size": 16}]
    recipe = small(data, phases=phases, training__schedule=schedule)
    whole = train(recipe, data, out=tmp_path / "whole")
    lrs = [float(row["lr"]) for row in rows(whole.run)]
    # The first epoch is the best; then two without a better one, twice.
    assert lrs == pytest.approx([1e-6, 1e-6, 1e-6, 5e-7, 5e-7, 2.5e-7])
    stop = [interrupt(Stepped, 7)]
    stopped = train(recipe, data, out=tmp_path / "run", observers=stop)
    assert_same_end(resume(stopped.run, data).run, whole.run)


def test_a_seed_of_its_own_keeps_the_augmentation_whatever_the_seed(
    data: PackedDataset, tmp_path: Path
) -> None:
    still = {"training__schedule": STILL, "optimizer__weight_decay": 0.0}
    losses = {
        (seed, own): rows(
            train(
                small(data, training__seed=seed, training__augment_seed=own, **still),
                data,
                out=tmp_path / f"{seed}-{own}",
            ).run
        )
        for seed, own in ((1, None), (1, 1), (1, 2))
    }
    one, same, other = ([row["train_loss"] for row in run] for run in losses.values())
    assert one == same != other
