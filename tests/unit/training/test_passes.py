"""Captured and compiled passes train as plain ones do; a tape stands in for the device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from thumbnet.augment.mix import draw_mix
from thumbnet.errors import RecipeError
from thumbnet.optim.optimizers import make_optimizer
from thumbnet.recipe import CutMixSpec, MixUpSpec, SgdSpec
from thumbnet.training import passes
from thumbnet.training.engine import Engine, Picks
from thumbnet.training.passes import RARE, WARM_UPS, Compiled, Graphs, Recorder, passes_of
from thumbnet.training.phases import StepPlan
from thumbnet.training.state import TrainState
from thumbnet.training.step import train_step

PICKS = Picks("cpu", "fp32", "channels_last", 1)


class Tape(Recorder):
    """Stands in for a device: recording changes nothing, a replay reads and writes in place."""

    def __init__(self, network: nn.Module, broken: bool = False) -> None:
        self.network, self.broken = network, broken
        self.num_recorded = self.num_replayed = self.num_forgotten = self.num_aside = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        self.num_aside += 1
        yield

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        self.num_recorded += 1
        before = deepcopy(self.network.state_dict())
        assert all(p.grad is None for p in self.network.parameters())
        result = work()
        self.network.load_state_dict(before)
        if self.broken:
            raise RuntimeError("operation not permitted when stream is capturing\nmore lines")
        gradients = [(p, p.grad) for p in self.network.parameters()]
        with torch.no_grad():
            for place in (result, *(gradient for _, gradient in gradients)):
                assert place is not None
                place.fill_(torch.nan)  # nothing stands there before the first replay

        def replay() -> None:
            self.num_replayed += 1
            self.network.zero_grad(set_to_none=True)
            result.copy_(work())
            for parameter, place in gradients:
                assert place is not None
                assert parameter.grad is not None
                place.copy_(parameter.grad)

        return result, replay

    def forget(self) -> None:
        self.num_forgotten += 1


def new_state(*, dropout: float = 0.0) -> TrainState:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(dropout),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip
    model = Engine(PICKS).place(model).train()
    optimizer = make_optimizer(model, SgdSpec(momentum=0.9, weight_decay=0.01))
    state = TrainState(model, optimizer, torch.zeros(()), clip_norm=1.0)
    state.start_ema(0.9)
    return state


MIXES = {
    "no": (),
    "up": (MixUpSpec(),),
    "cut": (CutMixSpec(),),
    "some": (MixUpSpec(), CutMixSpec()),
}
Kind = tuple[int, int, str, float]  # image size, batch size, mix, label smoothing


def train(state: TrainState, engine: Engine, kinds: list[Kind]) -> list[Tensor]:
    losses = []
    for step, (size, batch, mix, smoothing) in enumerate(kinds):
        torch.manual_seed(step)
        images, labels = torch.randn(batch, 3, size, size), torch.randint(5, (batch,))
        plan = StepPlan(step, 0, 0, size, 0.1 / (step + 1), 0, batch, False, smoothing, False)
        drawn = draw_mix(MIXES[mix], 0, step, batch, size)
        torch.manual_seed(step)
        losses.append(train_step(state, images, labels, plan, engine, drawn))
    return losses


def taped(kinds: list[Kind], *, broken: bool = False, dropout: float = 0.0) -> Tape:
    """Train plainly and by the tape; make sure that both end alike, and return the tape."""
    plain, other = new_state(dropout=dropout), new_state(dropout=dropout)
    expected = train(plain, Engine(PICKS), kinds)
    tape, engine = Tape(other.model, broken), Engine(PICKS)
    engine.run = Graphs(tape)
    losses = train(other, engine, kinds)
    assert torch.equal(torch.stack(losses), torch.stack(expected))
    assert plain.ema is not None
    assert other.ema is not None
    for one, two in ((plain.model, other.model), (plain.ema, other.ema)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, two.state_dict()[name]), name
    return tape


USUAL: Kind = (8, 6, "no", 0.1)


def test_a_pass_is_captured_once_and_replayed_ever_after() -> None:
    tape = taped([USUAL] * (WARM_UPS + 5))
    assert (tape.num_aside, tape.num_recorded, tape.num_replayed) == (WARM_UPS, 1, 5)


def test_sizes_last_batches_and_mixes_are_captured_apart() -> None:
    epoch: list[Kind] = [(8, 6, "some", 0.1)] * 8 + [(8, 5, "some", 0.1)]
    other: list[Kind] = [(12, 4, "no", 0.1), (12, 4, "up", 0.1), (12, 4, "cut", 0.1)]
    tape = taped(epoch * 4 + other * (WARM_UPS + 2))
    assert tape.num_recorded >= 5
    assert tape.num_replayed > tape.num_recorded
    assert tape.num_forgotten == 2  # before each of the two sizes


def test_a_size_that_comes_back_is_captured_anew_at_once() -> None:
    more: Kind = (12, 6, "no", 0.1)
    tape = taped([USUAL] * 5 + [more] * 5 + [USUAL] * 2)
    assert (tape.num_aside, tape.num_recorded) == (2 * WARM_UPS, 3)


def test_another_label_smoothing_is_another_graph() -> None:
    tape = taped([USUAL] * 5 + [(8, 6, "no", 0.0)] * 5)
    assert tape.num_recorded == 2


def test_a_frozen_network_is_another_graph() -> None:
    state, engine = new_state(), Engine(PICKS)
    engine.run = Graphs(tape := Tape(state.model))
    train(state, engine, [USUAL] * 5)
    statistics = deepcopy(state.model.state_dict()["1.running_mean"])
    state.model.eval()
    train(state, engine, [USUAL] * 5)
    assert tape.num_recorded == 2
    assert torch.equal(state.model.state_dict()["1.running_mean"], statistics)


def test_what_draws_on_the_host_is_never_captured() -> None:
    tape = taped([USUAL] * 8, dropout=0.5)
    assert (tape.num_aside, tape.num_recorded) == (8, 0)


def test_what_cannot_be_captured_goes_on_as_it_is() -> None:
    with pytest.warns(UserWarning, match=r"run uncaptured: .* is capturing$"):
        tape = taped([USUAL] * 8, broken=True)
    assert (tape.num_aside, tape.num_recorded) == (8, 1)


# -- compiled


def test_a_shape_is_compiled_when_it_has_come_often(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []

    def stand_in(network: nn.Module, *, dynamic: bool) -> nn.Module:
        assert not dynamic
        compiled.append(network)
        return network

    monkeypatch.setattr(torch, "compile", stand_in)
    state, engine = new_state(), Engine(PICKS)
    engine.run = Compiled()
    kinds: list[Kind] = [USUAL] * RARE + [(8, 5, "no", 0.1)]
    losses = train(state, engine, kinds)
    assert not compiled
    losses += train(state, engine, kinds)
    assert compiled == [state.model]
    plain = new_state()
    assert losses == train(plain, Engine(PICKS), kinds) + train(plain, Engine(PICKS), kinds)


def test_a_compiler_that_does_not_work_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import TorchDynamoException

    def broken(*_: object) -> Tensor:
        raise TorchDynamoException("no compiler is there\nand so on")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)
    engine = Engine(PICKS)
    engine.run = Compiled()
    with pytest.raises(RecipeError, match=r"does not work here \(no compiler is there\); .* eager"):
        train(new_state(), engine, [USUAL] * (RARE + 1))


def test_the_engine_runs_passes_as_picked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "CudaRecorder", lambda device: device)
    assert Engine(PICKS).run is passes.run_eagerly
    assert isinstance(passes_of("compiled", torch.device("cpu")), Compiled)
    assert isinstance(passes_of("graph", torch.device("cuda")), Graphs)
