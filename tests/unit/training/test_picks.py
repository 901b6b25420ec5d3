"""What was measured once is read from the cache, unless it is damaged or for another step."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.registry import create_model
from thumbnet.recipe import ModelSpec, PhaseSpec, PreprocessSpec, RecipeSpec, TrainingSpec
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import load_recipe
from thumbnet.training import measure as measure_module
from thumbnet.training import picks
from thumbnet.training.engine import Picks
from thumbnet.training.measure import Measured, measure
from thumbnet.training.phases import Plan

MODEL = nn.Linear(1, 1)
RECIPE = RecipeSpec(
    name="test",
    model=ModelSpec(name="lenet5"),
    preprocess=PreprocessSpec(image_size=28, color="grey"),
    phases=(PhaseSpec(epochs=1, batch_size=8), PhaseSpec(epochs=1, batch_size=4, image_size=32)),
)


class Meter:
    """Stands in for `measure`: counts its calls and answers with their number."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.busy = False

    def __call__(self, *given: object) -> Measured:
        self.calls.append(given)
        chosen = Picks("cpu", "bf16", "channels_last", len(self.calls))
        return Measured(
            chosen,
            step_s=(0.25, 0.5),
            judge_image_s=0.125,
            activation_bytes=99,
            busy=self.busy,
        )


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Meter:
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path))
    meter = Meter()
    monkeypatch.setattr(picks, "measure", meter)
    return meter


def pick(spec: RecipeSpec = RECIPE, device: str = "cpu") -> Measured:
    return picks.measured_picks(spec, Plan(spec, 100), MODEL, device)


def test_measures_the_batches_of_every_phase(meter: Meter) -> None:
    measured = pick()
    ((*given, optimizer_of),) = meter.calls
    assert given == [MODEL, RECIPE.training, [(8, 1, 28, 28), (4, 1, 32, 32)], 28, "cpu"]
    assert isinstance(optimizer_of(MODEL), torch.optim.SGD)
    assert measured.picks.threads == 1


def test_the_second_time_reads_the_cache(meter: Meter) -> None:
    first = pick()
    assert pick() == first
    assert len(meter.calls) == 1
    assert isinstance(pick().step_s, tuple)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": ModelSpec(name="resnet18")},
        {"phases": RECIPE.phases[:1]},
        {"training": RECIPE.training.model_copy(update={"precision": "fp32"})},
        {"training": RECIPE.training.model_copy(update={"memory_format": "contiguous"})},
        {"training": RECIPE.training.model_copy(update={"threads": 1})},
        {"training": RECIPE.training.model_copy(update={"step": "eager"})},
        {"preprocess": PreprocessSpec(image_size=28)},
    ],
)
def test_another_step_is_measured_apart(meter: Meter, changes: dict[str, object]) -> None:
    pick()
    pick(RECIPE.model_copy(update=changes))
    assert len(meter.calls) == 2


def test_what_does_not_change_a_step_is_not_measured_again(meter: Meter) -> None:
    pick()
    seed = RECIPE.training.model_copy(update={"seed": 5})
    pick(RECIPE.model_copy(update={"name": "other", "training": seed}))
    assert len(meter.calls) == 1


def test_another_device_or_machine_is_measured_apart(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    pick()
    pick(device="cuda")
    monkeypatch.setattr(picks, "_cpu_name", lambda: "another one")
    pick()
    assert len(meter.calls) == 3


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"picks": {}}', '{"picks": 3}', "\udcff"]
)
def test_a_damaged_cache_is_measured_anew_and_mended(
    meter: Meter, tmp_path: Path, damage: str
) -> None:
    pick()
    (file,) = (tmp_path / "engine").iterdir()
    whole = json.loads(file.read_text())
    file.write_text(damage, errors="surrogateescape")
    assert pick().picks.threads == 2
    assert json.loads(file.read_text()) == {**whole, "picks": {**whole["picks"], "threads": 2}}
    pick()
    assert len(meter.calls) == 2


def test_a_cache_that_cannot_be_written_only_costs_time(
    meter: Meter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path / "file"))
    assert pick().picks.threads == 1
    assert pick().picks.threads == 2


def test_picks_of_older_runs_are_those_of_plain_steps() -> None:
    """Their env.json, and what was measured then, have no word on how a step is run."""
    old = {"device": "cpu", "precision": "bf16", "memory_format": "contiguous", "threads": 2}
    assert Picks(**old).step == "eager"


@pytest.mark.parametrize(
    ("step", "device", "num_ranks", "said"),
    [
        ("graph", "cpu", 1, "only CUDA captures graphs, and the device is 'cpu'"),
        ("graph", "mps", 1, "the device is 'mps'"),
        ("graph", "cuda", 2, "training.step=graph is for one process, and there are 2"),
        ("compiled", "cuda", 2, "training.step=compiled is for one process"),
    ],
)
def test_a_step_that_cannot_be_is_refused(
    meter: Meter, step: str, device: str, num_ranks: int, said: str
) -> None:
    spec = with_overrides(RECIPE, {"training.step": step}, "test")
    with pytest.raises(RecipeError, match=said):
        picks.measured_picks(spec, Plan(spec, 100), MODEL, device, num_ranks)
    assert not meter.calls


def test_several_ranks_measure_plain_steps(meter: Meter) -> None:
    picks.measured_picks(RECIPE, Plan(RECIPE, 100), MODEL, "cuda", 2)
    ((_, training, *_),) = meter.calls
    assert isinstance(training, TrainingSpec)
    assert training.step == "eager"


def test_compiled_steps_are_foretold_from_plain_ones() -> None:
    spec = TrainingSpec(step="compiled", precision="fp32", memory_format="contiguous", threads=1)
    assert measure(create_model("lenet5", 5), spec, [(4, 1, 28, 28)], 28, "cpu").picks == Picks(
        "cpu", "fp32", "contiguous", 1, "compiled"
    )


def test_on_cuda_a_graph_is_tried_and_must_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"eager": 1.0, "graph": 0.95}
    monkeypatch.setattr(measure_module, "_time_steps", lambda _, picks, *__: times[picks.step])
    for name in ("_whole_step", "_time_judging", "_activation_bytes"):
        monkeypatch.setattr(measure_module, name, lambda *_: 1)
    spec = TrainingSpec(precision="bf16", memory_format="channels_last")

    def picked(device: str, step: str = "auto") -> str:
        given = spec.model_copy(update={"step": step})
        return measure(MODEL, given, [(4, 3, 8, 8)], 8, device).picks.step

    assert picked("cuda") == "eager"
    times["graph"] = 0.8
    assert picked("cuda") == "graph"
    assert picked("cuda", "eager") == picked("cpu") == "eager"
    times["graph"] = 2.0
    assert picked("cuda", "graph") == "graph"


@pytest.mark.parametrize(
    ("bf16_helps", "fp32", "bf16"), [(True, [], [True]), (False, [True], []), (True, [True], [])]
)
def test_precision_is_chosen_at_the_largest_image_and_not_by_one_disturbed_time(
    monkeypatch: pytest.MonkeyPatch, bf16_helps: bool, fp32: list[bool], bf16: list[bool]
) -> None:
    """A run of an hour at half the rate would follow, and the next one read it from the cache."""
    timed: list[tuple[int, ...]] = []
    disturbed = {"fp32": iter(fp32), "bf16": iter(bf16)}

    def time_steps(_: nn.Module, picks: Picks, shape: tuple[int, ...], budget_s: float) -> float:
        timed.append(shape)
        usual_s = {"fp32": 0.1, "bf16": 0.05 if bf16_helps else 0.1}[picks.precision]
        return usual_s * (4 if budget_s and next(disturbed[picks.precision], False) else 1)

    monkeypatch.setattr(measure_module, "_time_steps", time_steps)
    for name in ("_whole_step", "_time_judging", "_activation_bytes"):
        monkeypatch.setattr(measure_module, name, lambda *_: 1)
    spec = TrainingSpec(memory_format="channels_last")
    shapes = [(4, 3, 8, 8), (4, 3, 16, 16), (4, 3, 12, 12)]
    picked = measure(MODEL, spec, shapes, 8, "cpu").picks.precision
    assert picked == ("bf16" if bf16_helps else "fp32")
    assert set(timed) == {(4, 3, 16, 16)}


def test_a_real_recipe_is_measured_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path))
    monkeypatch.setattr(measure_module.Contention, "found", lambda _: False)
    spec = load_recipe("vonmartens2019/lenet5", {"training.precision": "fp32"})
    spec = spec.model_copy(update={"training": spec.training.model_copy(update={"threads": 1})})
    model = create_model("lenet5", 5, in_channels=1)
    first = picks.measured_picks(spec, Plan(spec, 100), model, "cpu")
    monkeypatch.setattr(picks, "measure", None)
    assert picks.measured_picks(spec, Plan(spec, 100), model, "cpu") == first
    assert first.picks.precision == "fp32"
    assert first.picks.threads == 1
    assert min(first.step_s) > 0


def test_on_a_busy_machine_picks_are_measured_anew_and_not_kept(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = pick()
    monkeypatch.setattr(picks, "is_stale", lambda *_: True)
    monkeypatch.setattr(meter, "busy", True)
    assert pick().picks.threads == 2
    assert pick().picks.threads == 3
    monkeypatch.setattr(picks, "is_stale", lambda *_: False)
    assert pick() == kept


@pytest.mark.parametrize(
    ("step_s", "busy", "stale"),
    [(0.1, True, False), (0.2, True, True), (0.2, False, False)],
)
def test_only_a_slow_step_on_a_busy_machine_makes_a_measurement_stale(
    monkeypatch: pytest.MonkeyPatch, step_s: float, busy: bool, stale: bool
) -> None:
    monkeypatch.setattr(measure_module, "_time_steps", lambda *_: step_s)
    monkeypatch.setattr(measure_module.Contention, "found", lambda _: busy)
    chosen = Picks("cpu", "bf16", "channels_last", 2)
    measured = Measured(chosen, (0.25,), 0.125, 99, probe=(4, 3, 8, 8), probe_s=0.1)
    assert measure_module.is_stale(MODEL, measured) is stale


@pytest.mark.parametrize("busy", [False, True])
def test_one_thread_is_tried_for_large_networks_on_a_busy_machine_only(
    monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    times = {1: 0.3, 2: 0.9}
    monkeypatch.setattr(measure_module, "_time_steps", lambda _, picks, *__: times[picks.threads])
    monkeypatch.setattr(measure_module.torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(measure_module.Contention, "found", lambda _: busy)
    for name in ("_whole_step", "_time_judging", "_activation_bytes"):
        monkeypatch.setattr(measure_module, name, lambda *_: 1)
    spec = TrainingSpec(precision="fp32", memory_format="channels_last")
    measured = measure(MODEL, spec, [(4, 3, 8, 8)], 8, "cpu")
    assert measured.picks.threads == (1 if busy else 2)
    assert measured.busy is busy
    assert (measured.probe, measured.probe_s) == ((4, 3, 8, 8), times[measured.picks.threads])
