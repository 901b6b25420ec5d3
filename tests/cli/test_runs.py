"""`thumbnet runs list`: what each run is, how far and how good, also beside damaged ones."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.driver import Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.inference import evaluate
from thumbnet.recipes.registry import dump_recipe, load_recipe
from thumbnet.runs import RunFolder
from thumbnet.training.overview import overview

GARBAGE = bytes(range(256)) * 4


@pytest.fixture
def run(trained: RunFolder, thumbnet: Thumbnet) -> RunFolder:
    """A finished run in the folder that `thumbnet` has gone to."""
    path = Path("runs/good")
    shutil.copytree(trained.path, path)
    shutil.rmtree(path / "predictions", ignore_errors=True)
    return RunFolder(path)


def test_a_run_is_listed_with_data_changes_and_top1(
    thumbnet: Thumbnet, run: RunFolder, tiny: PackedDataset
) -> None:
    said = thumbnet("runs", "list")
    assert said.status == 0
    (line,) = [line for line in said.out.splitlines() if "good" in line]
    watched = overview(run)
    assert watched.top1 is not None
    for words in ("tiny", "finished", "thumbnet/quick", "batch_size=8", "holdout",
                  f"{100 * watched.top1:.2f} %"):  # fmt: skip
        assert words in line
    assert "epochs=" in line, "it was shortened"

    top1 = evaluate(run.path).scores.top1
    (line,) = [line for line in thumbnet("runs", "list").out.splitlines() if "good" in line]
    assert f"{100 * top1:.2f} %  val" in line
    assert "holdout" not in line


def test_json_of_runs(thumbnet: Thumbnet, run: RunFolder, tiny: PackedDataset) -> None:
    top1 = evaluate(run.path).scores.top1
    said = thumbnet("runs", "list", "--json")
    assert said.err == ""
    (listed,) = json.loads(said.out)
    assert listed["run"] == "good"
    assert listed["state"] == "finished"
    assert listed["problem"] is None
    assert listed["recipe"] == "thumbnet/quick"
    assert listed["changed"]["training.batch_size"] == 8
    assert listed["data"] == str(tiny.path)
    assert (listed["top1"], listed["top1_on"]) == (top1, "val")
    assert listed["epochs"] == listed["epochs_done"] == run.recipe().num_epochs


def test_predictions_of_other_weights_do_not_count(run: RunFolder) -> None:
    evaluate(run.path)
    assert overview(run).top1_on == "val"
    weights = run.weights("best") / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    assert overview(run).top1_on == "holdout"


def test_states(run: RunFolder) -> None:
    def end(text: str) -> str:
        run.events_file.write_text(text)
        return overview(run).state

    assert end('{"event": "ended", "reason": "diverged"}\n') == "diverged"
    assert end('{"event": "ended", "reason": "interrupted"}\n') == "resumable"
    assert end('{"event": "ended", "reason": "early_stop"}\n') == "finished"
    assert end('{"event": "ended", "reason": "finished"}\n{"event": "resu') == "finished"
    assert end('{"event": "epoch"}\n') == "resumable"
    run.events_file.unlink()
    assert overview(run).state == "resumable"


def _unreadable(run: RunFolder) -> None:
    run.path.chmod(0)


DAMAGES: dict[str, Callable[[RunFolder], object]] = {
    "results.csv is damaged": lambda run: run.results_file.write_text("epoch,step\nx,y\n"),
    "results.csv is damaged ": lambda run: run.results_file.write_bytes(GARBAGE),
    "results.csv is damaged  ": lambda run: run.results_file.write_text(
        "epoch,watch_top1,wall_s\n1,nan,1\n"
    ),
    "env.json is missing": lambda run: run.env_file.unlink(),
    "env.json": lambda run: run.env_file.write_bytes(GARBAGE),
    "schema version 9": lambda run: run.env_file.write_text('{"schema_version": 9}'),
    "recipe.yaml is missing": lambda run: run.recipe_file.unlink(),
    "recipe.yaml": lambda run: run.recipe_file.write_bytes(GARBAGE),
    "recipe.yaml ": lambda run: run.recipe_file.write_text("phases: 3"),
    "events.jsonl is damaged": lambda run: run.events_file.write_bytes(GARBAGE + b"\n"),
    "Is a directory": lambda run: (run.results_file.unlink(), run.results_file.mkdir()),
    "Permission denied": _unreadable,
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_a_damaged_run_is_said_to_be_and_the_others_are_listed(
    thumbnet: Thumbnet, run: RunFolder, reason: str
) -> None:
    if reason == "Permission denied" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    bad = RunFolder(Path("runs/bad"))
    shutil.copytree(run.path, bad.path)
    DAMAGES[reason](bad)
    try:
        said = thumbnet("runs", "list")
        listed = json.loads(thumbnet("runs", "list", "--json").out)
    finally:
        bad.path.chmod(0o755)
    assert said.status == 0
    lines = said.out.splitlines()
    assert any("good" in line and "finished" in line for line in lines)
    (line,) = [line for line in lines if "bad" in line.split()]
    assert "damaged: " in line
    assert reason.strip() in line
    assert [one["state"] for one in listed] == ["damaged", "finished"]
    assert reason.strip() in listed[0]["problem"]


def test_a_start_that_was_aborted_is_no_run(thumbnet: Thumbnet) -> None:
    Path("runs/half/state").mkdir(parents=True)
    Path("runs/half/env.json").write_text("{}")
    assert "no runs under runs/" in thumbnet("runs", "list").out


def test_diff_of_runs_recipes_and_files(thumbnet: Thumbnet, run: RunFolder) -> None:
    other = RunFolder(Path("runs/other"))
    shutil.copytree(run.path, other.path)
    recipe = load_recipe(run.recipe_file, {"training.seed": 7})
    other.recipe_file.write_text(dump_recipe(recipe))
    for second in ("other", "runs/other", "runs/other/recipe.yaml"):
        lines = thumbnet("recipe", "diff", "good", second).out.splitlines()
        changed = [line for line in lines[2:] if line.startswith(("+", "-"))]
        assert changed == ["-  seed: 0", "+  seed: 7"]
    assert "+  batch_size: 8" in thumbnet("recipe", "diff", "thumbnet/quick", "good").out
    said = thumbnet("recipe", "diff", "goood", "other")
    assert said.status == 2
    assert "did you mean 'good'?" in said.err


def test_resume_without_a_saved_state_says_that_it_starts_again(
    thumbnet: Thumbnet, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thumbnet.training import session

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "resume", stop)
    assert "step 0" not in thumbnet("resume", "good").err
    run.state_file.unlink()
    said = thumbnet("resume", "good")
    assert "no saved state" in said.err
    assert "starts again at step 0" in said.err
