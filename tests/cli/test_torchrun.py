"""Several processes train what one would, and all of them end where one of them dies."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cli.driver import Said, Thumbnet, settings

from thumbnet.data.packed import PackedDataset
from thumbnet.recipes.registry import dump_recipe, load_recipe

# The command, on torchrun's second process of which a step is fatal, where one is named.
DRIVER = """
import atexit, os, signal, sys
from pathlib import Path

def count_threads():
    names = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]
    print("threads that outlive the group:", sum("gloo" in name for name in names))

atexit.register(count_threads)  # before the command's own, which runs first
from thumbnet.cli.main import main
from thumbnet.training import trainer

fatal, *command = sys.argv[1:]
step = trainer.train_step

def deadly_step(state, *rest):
    if os.environ["RANK"] == "1" and state.step == int(fatal):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(state, *rest)

trainer.train_step = deadly_step
sys.argv = ["thumbnet", *command]
main()
"""
LENET = ("train", "vonmartens2019/lenet5", "--epochs", 3, *settings())
RATE = ("--set", "training.schedule.lr=0.05", "--set", "training.batch_size=15")


def torchrun(num_ranks: int, *command: object, fatal: int = -1) -> Said:
    Path("driver.py").write_text(DRIVER)
    words = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_ranks}"]
    arguments = [sys.executable, *words, "driver.py", str(fatal), *map(str, command)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=240, check=False, env=environment
    )
    return Said(done.returncode, done.stdout, done.stderr)


def lines(run: str) -> list[dict[str, float]]:
    with Path(run, "results.csv").open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def assert_alike(run: str, other: str) -> None:
    assert len(lines(run)) == len(lines(other)) == 3
    for one, two in zip(lines(run), lines(other), strict=True):
        assert one | {"wall_s": 0} == pytest.approx(two | {"wall_s": 0}, abs=1e-5)
        assert (one["watch_top1"], one["watch_top5"]) == (two["watch_top1"], two["watch_top5"])


def num_ranks(run: str) -> list[int]:
    events = [json.loads(line) for line in Path(run, "events.jsonl").read_text().splitlines()]
    return [event["num_ranks"] for event in events if event["event"] in {"started", "resumed"}]


def with_frozen_part(recipe: str) -> Path:
    """Write a recipe of three epochs, the second of which freezes a part."""
    data = yaml.safe_load(dump_recipe(load_recipe(recipe)))
    phase = {**data["phases"][0], "epochs": 1}
    data["phases"] = [phase, {**phase, "freeze": ["conv1"]}, phase]
    Path("frozen.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return Path("frozen.yaml")


def test_two_processes_train_as_one_and_one_of_them_speaks(
    thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    recipe = with_frozen_part("vonmartens2019/lenet5")
    command = ("train", recipe, *settings(), *RATE, "--data", tiny.path)
    assert thumbnet(*command, "--out", "one").status == 0
    said = torchrun(2, *command, "--out", "two")
    assert said.status == 0, said.err
    assert said.out.count("run folder: two") == 1
    assert said.err.count("epoch 3 ") == 1
    assert said.out.count("threads that outlive the group: 0") == 2, said.out
    assert "each of 2 processes" in said.err
    assert_alike("one", "two")
    assert num_ranks("two") == [2]
    said = thumbnet("replay", "two")
    assert said.status == 2
    assert "trained by 2 processes" in said.err


@pytest.mark.soak
def test_all_end_where_one_is_killed_and_another_number_goes_on(
    thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    command = (*LENET, *RATE, "--data", tiny.path)
    assert thumbnet(*command, "--out", "one").status == 0
    said = torchrun(2, *command, "--out", "two", fatal=8)
    assert said.status == 1
    assert said.err.count("error: ") == 1
    assert "a process of two is gone, so the others end too; what was saved last" in said.err
    assert len(lines("two")) == 1
    assert thumbnet("resume", "two").status == 0
    assert_alike("one", "two")
    assert num_ranks("two") == [2, 1]


def test_other_commands_take_one_process(
    thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost"}
    for name, value in {**told, "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    said = thumbnet("evaluate", "run")
    assert said.status == 2
    assert "`thumbnet evaluate` runs in one process; torchrun takes train and resume" in said.err
