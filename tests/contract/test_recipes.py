"""What every built-in recipe promises: it trains, is kept, and goes on after a stop as if none."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.contract.driver import (
    assert_same_end,
    contents,
    interrupt,
    rows,
    saved_step,
    scratch,
    small,
    tiny,
    weights,
)
from torch import nn

from thumbnet import checkpoint
from thumbnet.build import build_model, resolve
from thumbnet.checkpoint import load_tensors, save_tensors
from thumbnet.data.packed import PackedDataset
from thumbnet.data.synthetic import synthesize
from thumbnet.errors import CheckpointError, DataError, DivergedError
from thumbnet.evaluation.evaluate import Judge, Scores
from thumbnet.model_folder import read_model
from thumbnet.models.registry import create_model
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.parse import with_overrides
from thumbnet.recipes.registry import dump_recipe, load_recipe, recipe_names
from thumbnet.runs import RunFolder
from thumbnet.training import begin, foretell
from thumbnet.training.engine import Picks
from thumbnet.training.events import EpochEnded, Event, Stepped
from thumbnet.training.measure import Measured
from thumbnet.training.phases import Plan
from thumbnet.training.results import COLUMNS, Result
from thumbnet.training.session import resume, train

NAMES = recipe_names()


def trained() -> Iterator[Any]:
    """Give the recipes to train; of those that share a network the first, the others in soak.

    The longer of the pretrained rows are left out: in a few steps they are the shorter ones.
    """
    seen = set[str]()
    for name in NAMES:
        recipe = load_recipe(name)
        network = recipe.model.name
        if recipe.ensemble is None and not name.endswith("-pretrained-50"):
            again = network in seen and not name.startswith("thumbnet/")
            yield pytest.param(name, marks=[pytest.mark.soak] if again else [])
        seen.add(network)


FILES = {
    "recipe.yaml", "env.json", "results.csv", "events.jsonl", "log.txt",
    "weights/best/model.safetensors", "weights/best/config.json",
    "weights/last/model.safetensors", "weights/last/config.json",
    "state/last.safetensors", "state/lock",
}  # fmt: skip
APPENDED = {"events.jsonl", "log.txt"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that is gone after the test: the runs of a large network fill a disk."""
    with scratch() as path:
        yield Path(path)


@pytest.fixture(scope="module")
def same_engine() -> Iterator[None]:
    """Have nothing measured: how the engine picks is tested elsewhere."""

    def measured(_recipe: RecipeSpec, plan: Plan, _model: nn.Module, *where: Any) -> Measured:
        picks = Picks(where[0], "fp32", "channels_last", torch.get_num_threads())
        return Measured(picks, (0.01,) * len(plan.phases), 0.001, 1000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foretell, "measured_picks", measured)
        yield


@pytest.fixture(scope="module", params=trained())
def whole(
    request: pytest.FixtureRequest, data: PackedDataset, same_engine: None
) -> Iterator[Result]:
    """Train a recipe in one go."""
    if load_recipe(request.param).model.pretrained:
        request.getfixturevalue("public_weights")
    with scratch() as path:
        yield train(tiny(request.param, data), data, out=Path(path) / "whole")


@pytest.fixture(scope="module")
def public_weights() -> Iterator[None]:
    """Put freshly drawn weights of 1000 classes where the download would be."""

    def drawn(model: str, given: object) -> Path:
        torch.manual_seed(1)
        path = Path(folder, f"{model}.pth")
        torch.save(create_model(model, 1000).state_dict(), path)
        return path

    with scratch() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(begin, "pretrained_file", drawn)
        yield


@pytest.fixture(scope="module")
def uneven(data: PackedDataset) -> PackedDataset:
    """The same images, labelled as classes of six and two."""
    train, labels = data.splits["train"], np.repeat(np.arange(4), (6, 2, 2, 2))
    return replace(data, splits={**data.splits, "train": replace(train, labels=labels)})


@pytest.fixture(scope="module")
def small_whole(data: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return train(small(data), data, out=tmp_path_factory.mktemp("small") / "whole")


# -- every recipe


@pytest.mark.parametrize("name", NAMES)
def test_text_reads_back_to_the_same_recipe(name: str, data: PackedDataset, tmp_path: Path) -> None:
    for recipe in (load_recipe(name), resolve(load_recipe(name), data)):
        path = tmp_path / "mine.yaml"
        path.write_text(dump_recipe(recipe), encoding="utf-8")
        assert load_recipe(path) == recipe
        assert load_recipe(path).sha256() == recipe.sha256()


@pytest.mark.parametrize("name", NAMES)
def test_states_where_its_figures_come_from(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.summary
    assert recipe.data.num_classes is None
    if not name.startswith("thumbnet/"):
        assert recipe.published is not None
        assert recipe.tolerance is not None
        assert recipe.published.source.startswith(name.partition("/")[0])


def test_writes_its_files_and_no_others(whole: Result) -> None:
    assert whole.reason == "finished"
    assert set(contents(whole.run)) == FILES


def test_keeps_the_resolved_recipe_with_its_weights(whole: Result, data: PackedDataset) -> None:
    recipe = whole.run.recipe()
    assert recipe == resolve(tiny(recipe.name, data), data)
    trained = read_model(whole.run.weights("best"))
    assert trained.recipe == recipe.name
    assert trained.wnids == data.wnids
    for which in ("best", "last"):
        _, meta = load_tensors(whole.run.weights(which) / "model.safetensors")
        assert meta["recipe_sha256"] == recipe.sha256()


def test_has_a_line_an_epoch(whole: Result) -> None:
    recipe, lines = whole.run.recipe(), rows(whole.run)
    num_phases = len(recipe.phases)
    num_epochs = max(2, num_phases)
    assert all(tuple(line) == COLUMNS for line in lines)
    assert [int(line["epoch"]) for line in lines] == list(range(1, num_epochs + 1))
    assert [int(line["step"]) for line in lines] == list(range(2, 2 * num_epochs + 1, 2))
    phases = [int(line["phase"]) for line in lines]
    assert phases == (list(range(1, num_phases + 1)) if num_phases > 1 else [1, 1])
    for line in lines:
        assert math.isfinite(float(line["train_loss"]))
        assert math.isfinite(float(line["watch_loss"]))
        assert 0 <= float(line["watch_top1"]) <= float(line["watch_top5"]) <= 1
    assert whole.best_top1 == max(float(line["watch_top1"]) for line in lines)


def test_tells_what_happened(whole: Result) -> None:
    lines = whole.run.events_file.read_text(encoding="utf-8").splitlines()
    kinds = [json.loads(line)["event"] for line in lines]
    num_epochs = len(rows(whole.run))
    assert (kinds[0], kinds[-1]) == ("started", "ended")
    assert kinds.count("epoch") == num_epochs
    assert kinds.count("saved") >= num_epochs
    assert len(whole.run.log_file.read_text(encoding="utf-8").splitlines()) == num_epochs + 2


def test_goes_on_after_stops_as_if_none(whole: Result, data: PackedDataset, folder: Path) -> None:
    recipe = tiny(whole.run.recipe().name, data)
    stopped = train(recipe, data, out=folder / "run", observers=[interrupt(EpochEnded, 1)])
    assert (stopped.reason, saved_step(stopped.run)) == ("interrupted", 2)
    stopped = resume(stopped.run, data, observers=[interrupt(Stepped, 1)])  # in mid-epoch
    assert (stopped.reason, saved_step(stopped.run)) == ("interrupted", 3)
    finished = resume(stopped.run, data)
    assert finished.reason == "finished"
    assert_same_end(finished.run, whole.run)
    assert set(contents(finished.run)) == FILES


# -- one recipe for all


@pytest.mark.parametrize("step", range(1, 6))
def test_goes_on_after_a_stop_at_any_step(
    step: int, data: PackedDataset, small_whole: Result, tmp_path: Path
) -> None:
    stopped = train(small(data), data, out=tmp_path / "run", observers=[interrupt(Stepped, step)])
    assert (stopped.reason, saved_step(stopped.run)) == ("interrupted", step)
    assert_same_end(resume(stopped.run, data).run, small_whole.run)


@pytest.mark.parametrize("balance", ["loss", "sampler"])
def test_balanced_classes_go_on_after_a_stop_too(
    balance: str, uneven: PackedDataset, tmp_path: Path
) -> None:
    recipe, plain = (small(uneven, training__balance=kind) for kind in (balance, "none"))
    whole = train(recipe, uneven, out=tmp_path / "whole")
    stop = [interrupt(Stepped, 3)]  # in mid-epoch
    stopped = train(recipe, uneven, out=tmp_path / "run", observers=stop)
    assert_same_end(resume(stopped.run, uneven).run, whole.run)
    assert weights(whole.run) != weights(train(plain, uneven, out=tmp_path / "plain").run)


def test_same_seed_same_bytes(data: PackedDataset, tmp_path: Path) -> None:
    one, two, other = (
        train(small(data), data, out=tmp_path / str(number), seed=seed)
        for number, seed in enumerate((7, 7, 8))
    )
    assert_same_end(one.run, two.run)
    assert weights(one.run) != weights(other.run)


def test_leaves_the_number_of_threads_alone(data: PackedDataset, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        train(small(data), data, out=tmp_path / "run")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_same_seed_same_bytes_with_what_the_engine_picks(
    data: PackedDataset, tmp_path: Path
) -> None:
    free = {"training__precision": "auto", "training__memory_format": "auto"}
    recipe = small(data, **free, training__threads=None)
    one, two = (train(recipe, data, out=tmp_path / str(number)) for number in range(2))
    assert one.run.env()["engine"] == two.run.env()["engine"]
    assert_same_end(one.run, two.run)


def test_stopped_before_its_first_save_goes_on_from_the_start(
    data: PackedDataset, small_whole: Result, tmp_path: Path
) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, Stepped):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small(data), data, out=tmp_path / "run", observers=[fail])
    run = RunFolder(tmp_path / "run")
    assert not run.state_file.exists()
    assert_same_end(resume(run, data).run, small_whole.run)


def test_finds_its_data_again_by_itself_or_where_it_was_moved(
    data: PackedDataset, small_whole: Result, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in data.path.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    for number, place in enumerate((None, moved)):
        stop = [interrupt(Stepped, 3)]
        stopped = train(small(data), data, out=tmp_path / str(number), observers=stop)
        assert_same_end(resume(stopped.run, place).run, small_whole.run)


def test_refuses_to_go_on_with_other_data(data: PackedDataset, tmp_path: Path) -> None:
    other = synthesize(
        tmp_path / "other", num_classes=4, train_per_class=3, val_per_class=4, seed=1
    )
    stopped = train(small(data), data, out=tmp_path / "run", observers=[interrupt(Stepped, 3)])
    before = contents(stopped.run)
    with pytest.raises(DataError, match="holds other data"):
        resume(stopped.run, other)
    assert contents(stopped.run) == before


def test_finished_run_is_left_as_it_is(data: PackedDataset, tmp_path: Path) -> None:
    result = train(small(data), data, out=tmp_path / "run")
    before = contents(result.run, APPENDED)
    again = resume(result.run, data)
    assert again.reason == "finished"
    assert (again.best_top1, again.best_epoch) == (result.best_top1, result.best_epoch)
    assert again.rows == result.rows
    assert contents(result.run, APPENDED) == before


def test_starts_from_other_weights_even_if_stopped_at_once(
    data: PackedDataset, tmp_path: Path
) -> None:
    first = train(small(data), data, out=tmp_path / "first")
    recipe, init = small(data, training__seed=1), first.run.path
    whole = train(recipe, data, init=init, out=tmp_path / "whole")
    plain = train(recipe, data, out=tmp_path / "plain")
    assert weights(whole.run) != weights(plain.run)

    def fail(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, data, init=init, out=tmp_path / "run", observers=[fail])
    assert_same_end(resume(tmp_path / "run", data).run, whole.run)


# -- what is damaged, or of another version


def test_refuses_a_run_of_another_schema(data: PackedDataset, tmp_path: Path) -> None:
    run = train(small(data), data, out=tmp_path / "run").run
    env = json.loads(run.env_file.read_text(encoding="utf-8"))
    run.env_file.write_text(json.dumps({**env, "schema_version": 99}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="schema version 99"):
        resume(run, data)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1}', "no JSON"])
def test_refuses_a_damaged_environment(text: str, data: PackedDataset, tmp_path: Path) -> None:
    run = train(small(data), data, out=tmp_path / "run").run
    run.env_file.write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError):
        resume(run, data)


def test_refuses_a_damaged_state(data: PackedDataset, tmp_path: Path) -> None:
    run = train(small(data), data, out=tmp_path / "run").run
    good = run.state_file.read_bytes()
    length = int.from_bytes(good[:8], "little")  # of the header
    places = [*range(8), *range(8, 8 + length, 41), *range(8 + length, len(good), 1009)]
    damaged = [
        b"",
        b"no safetensors file",
        good[:5],
        good[: len(good) // 2],
        good[:-1],
        good + b"?",
    ]
    damaged += [good[:at] + bytes([good[at] ^ 0x15]) + good[at + 1 :] for at in places]
    for content in damaged:
        run.state_file.write_bytes(content)
        with pytest.raises(CheckpointError):
            resume(run, data)
    run.state_file.write_bytes(good)
    assert resume(run, data).reason == "finished"


def test_refuses_the_state_of_another_network(data: PackedDataset, tmp_path: Path) -> None:
    run = train(small(data), data, out=tmp_path / "run").run
    wider = train(small(data, model__args={"width": 8}), data, out=tmp_path / "wider").run
    tensors, _ = load_tensors(wider.state_file)
    _, meta = load_tensors(run.state_file)
    run.state_file.write_bytes(wider.state_file.read_bytes())
    with pytest.raises(CheckpointError, match=r"recipe\.yaml was changed since"):
        resume(run, data)
    save_tensors(run.state_file, tensors, meta)
    with pytest.raises(CheckpointError, match="does not fit"):
        resume(run, data)


# -- average, clipping, early ends


def test_average_is_what_is_judged_and_goes_on_too(data: PackedDataset, tmp_path: Path) -> None:
    recipe = small(data, training__ema_decay=0.9, optimizer__clip_norm=0.5)
    whole = train(recipe, data, out=tmp_path / "whole")
    state, _ = load_tensors(whole.run.state_file)
    kept, _ = load_tensors(whole.run.weights("last") / "model.safetensors")
    assert all(torch.equal(kept[key], state[f"ema.{key}"]) for key in kept)
    assert any(not torch.equal(kept[key], state[f"model.{key}"]) for key in kept)
    stop = [interrupt(Stepped, 3)]
    stopped = train(recipe, data, out=tmp_path / "run", observers=stop)
    assert_same_end(resume(stopped.run, data).run, whole.run)


def test_clipped_step_has_the_length_allowed(data: PackedDataset, tmp_path: Path) -> None:
    limits = {"optimizer__clip_norm": 0.01, "phases__0__epochs": 0.5}
    recipe = tiny("vonmartens2019/lenet5", data, **limits, training__schedule__lr=0.1)
    run = train(recipe, data, out=tmp_path / "run").run
    torch.manual_seed(recipe.training.seed)
    before = build_model(resolve(recipe, data)).state_dict()
    after, _ = load_tensors(run.weights("last") / "model.safetensors")
    moved = math.sqrt(sum(float((after[key] - before[key]).square().sum()) for key in after))
    assert moved == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_ends_early_where_nothing_gets_better(data: PackedDataset, tmp_path: Path) -> None:
    still = {"name": "constant", "lr": 1e-30}
    phases = [{"epochs": 50, "image_size": 32}]
    recipe = small(data, training__early_stop=2, training__schedule=still, phases=phases)
    frozen = with_overrides(recipe, {"training.augment": []}, "frozen")
    frozen = with_overrides(frozen, {"quirks.frozen_after_epoch": 1}, "frozen")
    result = train(frozen, data, out=tmp_path / "run")
    assert result.reason == "early_stop"
    assert len(result.rows) == 1 + 2  # the first epoch is the best, the others equal it
    before = contents(result.run, APPENDED)
    assert resume(result.run, data).reason == "early_stop"
    assert contents(result.run, APPENDED) == before


def test_is_cut_when_its_time_is_used_up(data: PackedDataset, tmp_path: Path) -> None:
    phases = [{"epochs": 100_000, "image_size": 32}]
    recipe = small(data, training__time_budget_s=0.5, phases=phases)
    result = train(recipe, data, out=tmp_path / "run")
    assert result.reason == "time_budget"
    assert 0.5 <= result.wall_s < 10
    assert saved_step(result.run) == result.rows[-1]["step"] == int(rows(result.run)[-1]["step"])
    before = contents(result.run, APPENDED)
    assert resume(result.run, data).reason == "time_budget"
    assert contents(result.run, APPENDED) == before


def test_is_planned_to_fit_its_time(data: PackedDataset, tmp_path: Path) -> None:
    phases = [{"epochs": 100_000, "image_size": 32}]
    recipe = small(data, phases=phases, training__schedule__lr=0.01)
    result = train(recipe, data, out=tmp_path / "run", time_budget_s=1.0)
    assert result.reason in {"finished", "time_budget"}
    assert result.run.recipe().num_epochs < 10_000
    assert result.wall_s < 10


# -- what goes wrong on the way


def steep(data: PackedDataset, batch_size: int) -> RecipeSpec:
    """Return a recipe that learns for an epoch and then leaps out of all bounds."""
    calm, wild = ({"name": "constant", "lr": lr} for lr in (0.01, 100))
    phases = [
        {"epochs": 1, "image_size": 32, "schedule": calm},
        {"epochs": 100, "image_size": 32, "schedule": wild},
    ]
    return small(data, phases=phases, training__batch_size=batch_size, training__augment=[])


@pytest.mark.parametrize("batch_size", [2, 8])  # four steps an epoch, and one
def test_diverged_run_keeps_its_last_good_state(
    batch_size: int, data: PackedDataset, tmp_path: Path
) -> None:
    with pytest.raises(DivergedError, match="last good state is kept"):
        train(steep(data, batch_size), data, out=tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    for path in (run.state_file, run.weights("last") / "model.safetensors"):
        tensors, _ = load_tensors(path)
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    assert read_model(run.weights("best")).num_classes == 4
    assert all(math.isfinite(float(row["train_loss"])) for row in rows(run))
    last = json.loads(run.events_file.read_text(encoding="utf-8").splitlines()[-1])
    assert (last["event"], last["reason"]) == ("ended", "diverged")


def test_watched_loss_that_is_no_number_ends_a_run(data: PackedDataset, tmp_path: Path) -> None:
    def judge(*_: object) -> Scores:
        return Scores(0.25, 1.0, math.nan, 4)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "__call__", judge)
        with pytest.raises(DivergedError, match="watched loss is nan"):
            train(small(data), data, out=tmp_path / "run")
    assert not (tmp_path / "run" / "results.csv").exists()


def test_watched_loss_that_has_blown_up_ends_a_run(data: PackedDataset, tmp_path: Path) -> None:
    def judge(*_: object) -> Scores:
        return Scores(0.25, 1.0, 1_469_874.0, 4)

    phases = [{"epochs": 9, "image_size": 32}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "__call__", judge)
        with pytest.raises(DivergedError, match=r"watched loss is 1.47e\+06, far above the 1.39 "):
            train(small(data, phases=phases), data, out=tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    assert [row["epoch"] for row in rows(run)] == ["1", "2"]  # the third is over the line
    assert run.last_event()["reason"] == "diverged"


def is_save(name: str) -> bool:
    return Path(name).name in {"model.safetensors", "last.safetensors"}


def fail_at(count: int, snapshot: Callable[[], None]) -> Callable[..., None]:
    """Return a `save_file` that leaves half a file and no room at its `count`-th call."""
    calls, real = 0, checkpoint.save_file

    def save_file(tensors: Any, path: Path, **more: Any) -> None:
        nonlocal calls
        calls += 1
        real(tensors, path, **more)
        if calls == count:
            snapshot()
            path.write_bytes(path.read_bytes()[:1000])
            raise OSError(28, "No space left on device")

    return save_file


@pytest.mark.parametrize("count", range(1, 8))
def test_full_disk_costs_nothing_that_was_saved(
    count: int, data: PackedDataset, small_whole: Result, tmp_path: Path
) -> None:
    run, saved = RunFolder(tmp_path / "run"), dict[str, bytes]()

    def snapshot() -> None:
        saved.update({name: held for name, held in contents(run).items() if is_save(name)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save_file", fail_at(count, snapshot))
        with pytest.raises(CheckpointError, match="free some space"):
            train(small(data), data, out=run.path)
    left = contents(run)
    assert not [name for name in left if name.endswith(".tmp")]
    assert {name: held for name, held in left.items() if is_save(name)} == saved
    assert resume(run, data).reason == "finished"
    assert_same_end(run, small_whole.run)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("name", sorted(APPENDED))
def test_log_that_cannot_be_written_is_an_error_too(
    name: str, data: PackedDataset, tmp_path: Path
) -> None:
    path = tmp_path / "run" / name

    def fill(event: Event) -> None:
        if isinstance(event, Stepped):
            path.unlink(missing_ok=True)
            path.symlink_to("/dev/full")

    with pytest.raises(CheckpointError, match="free some space"):
        train(small(data), data, out=tmp_path / "run", observers=[fill])
