"""The queue names recipes that exist, and its runner trains, saves, goes on and leaves out."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from thumbnet.data.packed import PackedDataset
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECIPE = "vonmartens2019/squeezenet"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import run_queue

    return run_queue


def test_every_line_is_a_recipe_that_takes_time_for_a_reason(queue: Any) -> None:
    text = queue.QUEUE.read_text(encoding="utf-8")
    entries = queue.read_queue(text)
    assert len(entries) == text.count("\n| `") > 20
    assert len({entry.recipe for entry in entries}) == len(entries)
    for entry in entries:
        assert load_recipe(entry.recipe).ensemble is None
        assert entry.num_seeds >= 1
        assert 0 < entry.minutes <= 120


def test_what_is_done_is_left_out_seed_by_seed(queue: Any, tmp_path: Path) -> None:
    entries = [queue.Entry("a", 2, 1.0), queue.Entry("b", 1, 1.0)]
    file = tmp_path / "runs.jsonl"
    lines = [
        {"benchmark": "run_queue", "what": "a", "seed": 0},
        {"benchmark": "bench_step", "what": "b", "seed": 0},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    left = list(queue.to_do(entries, queue.read_done(file)))
    assert left == [(entries[0], 1), (entries[1], 0)]
    assert queue.read_done(tmp_path / "none") == set()


def test_runs_what_is_asked_for_and_goes_on_with_it(tiny: PackedDataset, tmp_path: Path) -> None:
    command = [sys.executable, BENCHMARKS / "run_queue.py", RECIPE, "--data", tiny.path,
               "--runs", tmp_path / "runs", "--out", tmp_path, "--epochs", "0.3"]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith(f"{RECIPE}, seed 0: "))
    figures = json.loads(line.split(": ", 1)[1])
    assert figures["published_top1"] == 0.23
    assert 0 <= figures["last"]["top1"] <= figures["best"]["top5"] <= 1
    run = RunFolder(tmp_path / "runs" / "vonmartens2019-squeezenet-seed0")
    assert run.last_event()["reason"] == "finished"
    assert not (tmp_path / "runs.jsonl").exists()  # a try is not recorded
