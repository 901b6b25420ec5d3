"""A state read back trains on as if nothing had happened, bit by bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from thumbnet.checkpoint import load_tensors, save_tensors
from thumbnet.errors import CheckpointError
from thumbnet.optim.optimizers import make_optimizer
from thumbnet.recipe import AdamSpec, SgdSpec
from thumbnet.training.engine import Engine, Picks
from thumbnet.training.phases import StepPlan
from thumbnet.training.state import TrainState, fill_state, save_state
from thumbnet.training.step import train_step

EMA_DECAY = 0.9


def network(width: int = 4) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(width * 36, 5),
    )


def new_state(
    seed: int = 0, *, ema: bool = True, momentum: float = 0.9, memory_format: str = "channels_last"
) -> tuple[TrainState, Engine]:
    torch.manual_seed(seed)
    engine = Engine(Picks("cpu", "fp32", memory_format, torch.get_num_threads()))
    model = engine.place(network())
    spec = SgdSpec(momentum=momentum, nesterov=True, weight_decay=0.01)
    state = TrainState(model, make_optimizer(model, spec), loss_sum=torch.zeros(()), clip_norm=1.0)
    if ema:
        state.start_ema(EMA_DECAY)
    return state, engine


def load_state(state: TrainState, path: Path) -> dict[str, Any]:
    tensors, meta = load_tensors(path)
    fill_state(state, tensors, meta, path)
    return meta


def train(state: TrainState, engine: Engine, first: int, last: int) -> list[float]:
    losses = []
    for step in range(first, last):
        generator = torch.Generator().manual_seed(step)
        images = torch.randn(6, 3, 8, 8, generator=generator)
        labels = torch.randint(0, 5, (6,), generator=generator)
        plan = StepPlan(step, 0, 0, 8, 0.1 / (step + 1), 0, 6, False, 0.1, False)
        loss = train_step(state, images, labels, plan, engine)
        state.loss_sum += loss * 6
        losses.append(float(loss))
    return losses


def everything(state: TrainState) -> dict[str, Tensor]:
    found = {f"model.{k}": v for k, v in state.model.state_dict().items()}
    if state.ema is not None:
        found |= {f"ema.{k}": v for k, v in state.ema.state_dict().items()}
    for i, parameter in enumerate(state.model.parameters()):
        held = state.optimizer.state[parameter]
        found |= {f"{i}.{k}": v for k, v in held.items() if isinstance(v, Tensor)}
    return {**found, "loss_sum": state.loss_sum}


@pytest.mark.parametrize("memory_format", ["channels_last", "contiguous"])
@pytest.mark.parametrize(("ema", "momentum"), [(True, 0.9), (False, 0.9), (True, 0.0)])
@pytest.mark.parametrize("saved_at", [0, 3])
def test_training_on_from_a_file_equals_training_on(
    tmp_path: Path, ema: bool, momentum: float, memory_format: str, saved_at: int
) -> None:
    options = {"ema": ema, "momentum": momentum, "memory_format": memory_format}
    unbroken, engine = new_state(**options)
    train(unbroken, engine, 0, saved_at)
    save_state(unbroken, tmp_path / "state", {})
    losses = train(unbroken, engine, saved_at, 6)

    resumed, engine = new_state(seed=1, **options)  # other weights until the file is read
    load_state(resumed, tmp_path / "state")
    assert train(resumed, engine, saved_at, 6) == losses
    assert resumed.step == 6
    expected, found = everything(unbroken), everything(resumed)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value), key
        assert found[key].stride() == value.stride(), key
    assert any("momentum" in key for key in found) is (momentum > 0)


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
@pytest.mark.parametrize("fused", [True, False])
def test_a_fused_optimizer_finds_its_count_of_steps_on_the_device(
    tmp_path: Path, fused: bool
) -> None:
    state, engine = new_state(ema=False)
    state.optimizer = make_optimizer(state.model, AdamSpec())
    train(state, engine, 0, 2)
    save_state(state, tmp_path / "state", {})
    resumed, _ = new_state(ema=False)
    resumed.model.to("meta")
    resumed.optimizer = make_optimizer(resumed.model, AdamSpec())
    for group in resumed.optimizer.param_groups:
        group["fused"] = fused
    load_state(resumed, tmp_path / "state")
    for parameter in resumed.model.parameters():
        held = resumed.optimizer.state[parameter]
        assert held["exp_avg"].device.type == "meta"
        assert held["step"].device.type == ("meta" if fused else "cpu")


@pytest.mark.parametrize("saved_at", [None, 1, 3, 5])
def test_equal_top1_goes_to_the_lower_loss_then_to_the_later_epoch(
    tmp_path: Path, saved_at: int | None
) -> None:
    seen = [(0.5, 0.9), (0.75, 0.8), (0.75, 0.7), (0.75, 0.7), (0.5, 0.1), (0.75, 0.71)]
    best = [(0.5, 1, 0), (0.75, 2, 0), (0.75, 3, 1), (0.75, 4, 2), (0.75, 4, 3), (0.75, 4, 4)]
    state, _ = new_state()
    for number, (top1, loss) in enumerate(seen):
        if number == saved_at:  # a resume knows as much
            save_state(state, tmp_path / "state", {})
            state, _ = new_state()
            load_state(state, tmp_path / "state")
        is_best = state.note({"epoch": number + 1, "watch_top1": top1, "watch_loss": loss})
        assert (state.best_top1, state.best_epoch, state.epochs_since_best) == best[number]
        assert is_best is (state.best_epoch == number + 1)


def test_progress_comes_back(tmp_path: Path) -> None:
    state, _ = new_state()
    rows = [{"epoch": 1, "lr": 0.1, "watch_top1": 0.25}]
    progress = {"step": 7, "wall_s": 1.5, "images_seen": 12, "best_top1": 0.25, "best_epoch": 1,
                "epochs_since_best": 3, "rows": rows}  # fmt: skip
    for name, value in progress.items():
        setattr(state, name, value)
    state.loss_sum.fill_(2.5)
    save_state(state, tmp_path / "state", {"recipe_sha256": "abc"})
    other, _ = new_state()
    meta = load_state(other, tmp_path / "state")
    assert meta["recipe_sha256"] == "abc"
    assert {name: getattr(other, name) for name in progress} == progress
    assert float(other.loss_sum) == 2.5


def test_the_average_follows_its_formula() -> None:
    state, engine = new_state()
    assert state.ema is not None
    averages = [value.double().clone() for value in state.ema.state_dict().values()]
    for step in range(30):
        train(state, engine, step, step + 1)
        decay = min(EMA_DECAY, (step + 2) / (step + 11))  # counted after the update
        for i, current in enumerate(state.model.state_dict().values()):
            if current.is_floating_point():
                averages[i] = decay * averages[i] + (1 - decay) * current.double()
            else:
                averages[i] = current.double().clone()  # the counter of batch norm
    names = list(state.ema.state_dict())
    for name, value, average in zip(names, state.ema.state_dict().values(), averages, strict=True):
        assert torch.allclose(value.double(), average, rtol=1e-4, atol=1e-6), name
    assert int(state.ema.state_dict()["1.num_batches_tracked"]) == 30


def test_the_average_is_judged_where_there_is_one() -> None:
    with_ema, _ = new_state()
    without, engine = new_state(ema=False)
    assert with_ema.judged() is with_ema.ema
    assert without.judged() is without.model
    without.update_ema()
    assert without.ema is None
    assert with_ema.ema is not None
    assert not with_ema.ema.training
    assert not any(p.requires_grad for p in with_ema.ema.parameters())
    before = with_ema.ema[0].weight.clone()
    train(with_ema, engine, 0, 1)
    assert not torch.equal(with_ema.ema[0].weight, before)  # a copy of its own, that moves
    assert not torch.equal(with_ema.ema[0].weight, with_ema.model[0].weight)


@pytest.mark.parametrize("name", ["0.weight", "4.bias", "1.running_var"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_is_finite_finds_one_broken_number(name: str, value: float) -> None:
    state, _ = new_state()
    assert state.is_finite()
    with torch.no_grad():
        broken = state.model.state_dict()[name]
        broken[(-1,) * broken.ndim] = value
    assert not state.is_finite()


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    state, _ = new_state()
    save_state(state, tmp_path / "state", {})
    other = TrainState(model := network(width=8), make_optimizer(model, SgdSpec()), torch.zeros(()))
    with pytest.raises(CheckpointError, match="does not fit this run's network"):
        load_state(other, tmp_path / "state")


def test_a_state_without_the_average_that_is_wanted_is_refused(tmp_path: Path) -> None:
    without, _ = new_state(ema=False)
    save_state(without, tmp_path / "state", {})
    with_ema, _ = new_state()
    with pytest.raises(CheckpointError, match="does not fit this run's network"):
        load_state(with_ema, tmp_path / "state")


@pytest.mark.parametrize("lost", ["loss_sum", "progress"])
def test_a_state_that_lacks_something_is_refused(tmp_path: Path, lost: str) -> None:
    state, _ = new_state()
    save_state(state, tmp_path / "state", {})
    tensors, meta = load_tensors(tmp_path / "state")
    tensors.pop(lost, None)
    meta.pop(lost, None)
    save_tensors(tmp_path / "state", tensors, meta)
    with pytest.raises(CheckpointError, match="does not fit"):
        load_state(new_state()[0], tmp_path / "state")
