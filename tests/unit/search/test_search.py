"""A search: trials that are run folders, pruned as by hand, resumed after any end."""

import json
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import pytest
import torch
from tests.challenge import postgres
from tests.cli.driver import QUICK_ENGINE

from thumbnet.checkpoint import load_tensors
from thumbnet.data.packed import PackedDataset
from thumbnet.errors import CheckpointError, DivergedError, RecipeError
from thumbnet.model_folder import WEIGHTS
from thumbnet.recipe import RecipeSpec
from thumbnet.recipes.registry import load_recipe
from thumbnet.search import search as module
from thumbnet.search.outcome import Outcome
from thumbnet.search.search import Watchers, search
from thumbnet.search.space import Point, parse_space
from thumbnet.search.study import StudyFolder
from thumbnet.training.control import hold, send
from thumbnet.training.events import EpochEnded, Event, Observer, Stepped
from thumbnet.training.session import replay, same_weights, train

LR = "training.schedule.lr"
SPACE = parse_space([f"{LR}=1e-3..1.0:log", "optimizer.momentum=0.5|0.9"])


class Killed(BaseException):
    """What no code catches, as a SIGKILL."""


@pytest.fixture(scope="module")
def recipe() -> RecipeSpec:
    phases = [{"epochs": 3, "image_size": 16}]
    changed = {"model.args": {"width": 4}, "training.batch_size": 32, "phases": phases,
               "preprocess.untrained_size": True}  # fmt: skip
    return load_recipe("thumbnet/quick", {**QUICK_ENGINE, **changed})


def watching(*observers: Observer) -> Watchers:
    return lambda number, point: observers


def at(trial: int, kind: type[Event], count: int, act: Callable[[], object]) -> Watchers:
    """Make observers that act at the `count`-th event of a kind in one trial."""

    def make(number: int, point: Point) -> Sequence[Observer]:
        seen = 0

        def observe(event: Event) -> None:
            nonlocal seen
            seen += isinstance(event, kind)
            if number == trial and seen == count and isinstance(event, kind):
                act()

        return [observe]

    return make


def die() -> None:
    raise Killed


def told(outcome: Outcome) -> list[tuple[object, ...]]:
    return [(r.number, r.point, r.state, r.top1, r.curve, r.epochs) for r in outcome.rows]


@pytest.fixture(scope="module")
def whole(
    recipe: RecipeSpec, tiny: PackedDataset, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    out = tmp_path_factory.mktemp("searches") / "whole"
    return search(recipe, SPACE, tiny, out=out, num_trials=3)


def test_a_search_leaves_runs_a_best_recipe_and_its_database(
    whole: Outcome, recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path
) -> None:
    assert whole.reason == "finished"
    assert [row.number for row in whole.rows] == [0, 1, 2]
    assert [row.is_own for row in whole.rows] == [True, False, False]
    own = whole.rows[0]
    assert own.point == {LR: 0.05, "optimizer.momentum": "0.9"}
    assert whole.num_watched == 4
    best = whole.ranked()[0]
    assert best.top1 == max(row.top1 or 0 for row in whole.rows)
    folder = whole.folder
    assert folder.database.is_file()
    for row in whole.rows:
        run = folder.trial(row.number)
        assert run.recipe().training.schedule.lr == pytest.approx(row.point[LR], rel=1e-5)
        assert run.last_event()["best_top1"] == row.top1
        assert [part for part, _ in row.curve] == [0.333, 0.667, 1.0]
    chosen = load_recipe(folder.best_file)
    assert chosen.name == "thumbnet/quick-searched"
    again = train(chosen, tiny, out=tmp_path / "again")
    assert again.best_top1 == best.top1
    one, _ = load_tensors(again.run.weights("last") / WEIGHTS)
    other, _ = load_tensors(folder.trial(best.number).weights("last") / WEIGHTS)
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_search_that_is_over_trains_nothing_more(
    whole: Outcome, recipe: RecipeSpec, tiny: PackedDataset
) -> None:
    def refuse(event: Event) -> None:
        raise AssertionError(event)

    again = search(
        recipe, SPACE, tiny, out=whole.folder.path, num_trials=3, observers=watching(refuse)
    )
    assert told(again) == told(whole)


@pytest.mark.parametrize(("kind", "count"), [(Stepped, 1), (Stepped, 4), (EpochEnded, 3)])
def test_killed_it_goes_on_where_it_was(
    kind: type[Event],
    count: int,
    whole: Outcome,
    recipe: RecipeSpec,
    tiny: PackedDataset,
    tmp_path: Path,
) -> None:
    out = tmp_path / "killed"
    with pytest.raises(Killed):
        search(recipe, SPACE, tiny, out=out, num_trials=3, observers=at(1, kind, count, die))
    again = search(recipe, SPACE, tiny, out=out, num_trials=3)
    assert told(again) == told(whole)
    for number in range(3):
        assert same_weights(StudyFolder(out).trial(number), whole.folder.trial(number))


def test_interrupted_it_goes_on_where_it_was(
    whole: Outcome, recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stop = at(1, Stepped, 2, lambda: signal.raise_signal(signal.SIGINT))
    first = search(recipe, SPACE, tiny, out=out, num_trials=3, observers=stop)
    assert first.reason == "interrupted"
    assert [row.state for row in first.rows] == ["finished", "at work"]
    assert told(search(recipe, SPACE, tiny, out=out, num_trials=3)) == told(whole)


def test_its_time_ends_with_an_epoch_and_nothing_is_lost(
    whole: Outcome,
    recipe: RecipeSpec,
    tiny: PackedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, now = tmp_path / "out", [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])

    def pass_time(event: Event) -> None:
        now[0] += isinstance(event, EpochEnded)

    first = search(
        recipe, SPACE, tiny, out=out, num_trials=3, time_budget_s=4, observers=watching(pass_time)
    )
    assert first.reason == "time_budget"
    assert [row.state for row in first.rows] == ["finished", "at work"]
    run = StudyFolder(out).trial(1)
    assert len(run.results_file.read_text().splitlines()) == 1 + 1
    assert "time is used up" in run.log_file.read_text()
    assert told(search(recipe, SPACE, tiny, out=out, num_trials=3)) == told(whole)


def test_a_bad_trial_is_stopped_as_by_hand_and_can_be_replayed(
    recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prune_second(pruner: object, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return trial.number == 1 and len(trial.intermediate_values) == 2

    monkeypatch.setattr(optuna.pruners.MedianPruner, "prune", prune_second)
    found = search(recipe, SPACE, tiny, out=tmp_path / "out", num_trials=3)
    assert [row.state for row in found.rows] == ["finished", "pruned", "finished"]
    pruned = found.rows[1]
    assert pruned.epochs == 2
    assert pruned.top1 == pruned.curve[-1][1]
    assert pruned not in found.ranked()
    run = found.folder.trial(1)
    assert "pruned: watched top-1 of" in run.log_file.read_text()
    again = replay(run, tiny, out=tmp_path / "again")
    assert again.reason == "stopped"
    assert same_weights(run, again.run)
    search(recipe, SPACE, tiny, out=tmp_path / "free", num_trials=2, prunes=False)
    assert len(StudyFolder(tmp_path / "free").trial(1).results_file.read_text().split()) == 1 + 3


def test_a_trial_stopped_by_hand_counts_as_ended_early(
    recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path
) -> None:
    folder = StudyFolder(tmp_path / "out")
    stop = at(1, EpochEnded, 1, lambda: send(folder.trial(1), "stop", None, wait_s=0))
    found = search(recipe, SPACE, tiny, out=folder.path, num_trials=2, observers=stop)
    assert [row.state for row in found.rows] == ["finished", "stopped by hand"]


def test_a_trial_that_diverges_or_cannot_run_is_no_end_of_the_search(
    recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path
) -> None:

    def diverge() -> None:
        raise DivergedError("the loss is nan")

    burst = at(1, Stepped, 2, diverge)
    found = search(recipe, SPACE, tiny, out=tmp_path / "wild", num_trials=3, observers=burst)
    assert [row.state for row in found.rows] == ["finished", "diverged", "finished"]
    cyclic = {"name": "cyclic", "lr": 0.1, "base_lr": 0.1, "half_steps": 1}
    recipe = load_recipe("thumbnet/quick", {**QUICK_ENGINE, "training.schedule": cyclic}).scaled(
        0.1
    )
    both = parse_space([f"{LR}=0.05..0.5", "training.schedule.base_lr=0.01..0.3"])
    found = search(recipe, both, tiny, out=tmp_path / "cyclic", num_trials=4)
    refused = [row for row in found.rows if row.state.startswith("refused: ")]
    assert 0 < len(refused) < 4
    assert all(row.point["training.schedule.base_lr"] > row.point[LR] for row in refused)  # type: ignore[operator]
    assert "must not be above lr" in refused[0].state


def test_two_processes_do_not_take_the_same_trial(
    recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(Killed):
        search(recipe, SPACE, tiny, out=out, num_trials=2, observers=at(0, Stepped, 3, die))
    with hold(StudyFolder(out).trial(0).claim_file) as held:  # as the other process does
        assert held
        found = search(recipe, SPACE, tiny, out=out, num_trials=2)
    assert [row.state for row in found.rows] == ["at work", "finished"]
    found = search(recipe, SPACE, tiny, out=out, num_trials=2)
    assert [row.state for row in found.rows] == ["finished", "finished"]


def test_machines_share_a_storage_and_take_over_what_died(
    recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, here, there = f"sqlite:///{tmp_path}/shared.db", tmp_path / "here", tmp_path / "there"
    with pytest.raises(Killed):
        search(
            recipe, SPACE, tiny, out=there, storage=url, num_trials=2,
            observers=at(1, Stepped, 1, die),
        )  # fmt: skip
    found = search(recipe, SPACE, tiny, out=here, storage=url, num_trials=2)
    assert [row.state for row in found.rows] == ["finished", "at work"]  # it may still be alive
    monkeypatch.setattr(module, "DEAD_S", -1.0)
    found = search(recipe, SPACE, tiny, out=here, storage=url, num_trials=2)
    assert [row.state for row in found.rows] == ["finished", "given up", "finished"]
    assert found.rows[2].point == found.rows[1].point
    assert not (here / "study.db").exists()
    assert (here / "trial-0002" / "recipe.yaml").is_file()


def test_a_server_may_hold_the_study(
    whole: Outcome, recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path
) -> None:
    installed = postgres.binaries()
    if installed is None:
        pytest.skip("PostgreSQL is not installed")
    folder = postgres.new_folder()
    server = postgres.Server(folder, installed)
    try:
        url = server.new_database()
        search(recipe, SPACE, tiny, out=tmp_path / "one", storage=url, num_trials=1)
        found = search(recipe, SPACE, tiny, out=tmp_path / "other", storage=url, num_trials=2)
        server.stop()
        with pytest.raises(RecipeError, match="cannot use the storage"):
            search(recipe, SPACE, tiny, out=tmp_path / "other", storage=url, num_trials=3)
    finally:
        shutil.rmtree(folder)
    assert told(found) == told(whole)[:2]


def test_a_protocol_that_reports_what_it_watches_is_refused(
    recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path
) -> None:
    official = recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"protocol": "official"})}
    )
    with pytest.raises(RecipeError, match=r"--set data\.protocol=holdout"):
        search(official, SPACE, tiny, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    halves = recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"protocol": "vonmartens2019"})}
    )
    assert module.check_protocol(halves, tiny).report.split == "val"


def test_a_folder_or_storage_of_something_else_is_refused(
    whole: Outcome, recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path
) -> None:
    out = whole.folder.path
    with pytest.raises(CheckpointError, match=r"another search \(other: space\)"):
        search(recipe, SPACE[:1], tiny, out=out)
    with pytest.raises(CheckpointError, match=r"another search \(other: seed\)"):
        search(recipe, SPACE, tiny, out=out, seed=1)
    run = whole.folder.trial(0).path
    with pytest.raises(CheckpointError, match="choose another --out"):
        search(recipe, SPACE, tiny, out=run)
    with pytest.raises(RecipeError, match="cannot use the storage"):
        search(recipe, SPACE, tiny, out=tmp_path / "a", storage="nonsense")
    with pytest.raises(RecipeError, match="cannot use the storage"):
        search(recipe, SPACE, tiny, out=tmp_path / "b", storage="postgresql+nodriver://host/x")
    copy = StudyFolder(shutil.copytree(out, tmp_path / "copy"))
    copy.database.unlink()
    again = search(recipe, SPACE, tiny, out=copy.path, num_trials=3)
    assert [row.top1 for row in again.rows] == [row.top1 for row in whole.rows]  # from its runs
    copy.database.unlink()
    shutil.rmtree(copy.trial(0).path)
    copy.trial(1).path.rename(copy.trial(0).path)
    with pytest.raises(CheckpointError, match="another study's trial"):
        search(recipe, SPACE, tiny, out=copy.path, num_trials=3)
    copy.database.write_text("no database")
    with pytest.raises(CheckpointError, match="cannot open"):
        search(recipe, SPACE, tiny, out=copy.path)


def test_importances_need_trials_and_sum_to_one(
    recipe: RecipeSpec, tiny: PackedDataset, tmp_path: Path, whole: Outcome
) -> None:
    assert whole.importances == {}
    space = parse_space([f"{LR}=1e-4..1.0:log", "optimizer.momentum=0.5|0.9"])
    found = search(recipe, space, tiny, out=tmp_path / "out", num_trials=5, prunes=False)
    assert json.loads((tmp_path / "out" / "search.json").read_text())["seed"] == 0
    if len({row.top1 for row in found.rows}) > 1:
        assert sum(found.importances.values()) == pytest.approx(1)
        assert set(found.importances) == {LR, "optimizer.momentum"}
