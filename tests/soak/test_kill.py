"""A run that is killed at any moment and resumed ends byte by byte as one left alone."""

import csv
import hashlib
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from thumbnet.data.synthetic import synthesize
from thumbnet.recipes.registry import dump_recipe, load_recipe

# The command, saving every tenth of a second. Where told, it dies inside its n-th save: with half
# of the file written, with the file not yet in its place, or with it just put there.
DRIVER = """
import os, signal, sys
from thumbnet import checkpoint
from thumbnet.cli.main import main
from thumbnet.training import keeper

keeper.SAVE_EVERY_S, keeper.SAVE_SHARE = 0.1, 1.0
place, count, *command = sys.argv[1:]
save, rename, num_saves = checkpoint._replace, os.replace, 0

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def dying_save(path, write):
    global num_saves
    num_saves += 1
    if num_saves == int(count):
        def torn(temporary):
            write(temporary)
            temporary.write_bytes(temporary.read_bytes()[: temporary.stat().st_size // 2])
            die()
        os.replace = {"written": die, "renamed": lambda *a: die(rename(*a))}.get(place, rename)
        save(path, torn if place == "torn" else write)
    save(path, write)

checkpoint._replace = dying_save
sys.argv = ["thumbnet", *command]
main()
"""
PLACES = ("torn", "written", "renamed")
SETUP_SAVES = 4  # recipe, environment, two configurations
KILLED = -9


@dataclass(frozen=True)
class Ending:
    """What must be equal: the weights' sha256, the lines without their time, the files."""

    weights: str
    lines: list[dict[str, str]]
    files: set[str]
    wall_s: float = field(compare=False)


def ending(run: Path) -> Ending:
    weights = (run / "weights" / "last" / "model.safetensors").read_bytes()
    with (run / "results.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    wall_s = [float(line.pop("wall_s")) for line in lines]
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    return Ending(hashlib.sha256(weights).hexdigest(), lines, files, wall_s[-1])


def start(command: list[str], place: str = "", count: int = 0) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", DRIVER, place, str(count), *command]
    pipe = subprocess.PIPE
    return subprocess.Popen(arguments, stdout=pipe, stderr=subprocess.STDOUT, text=True)


def finish(command: list[str]) -> None:
    child = start(command)
    output, _ = child.communicate(timeout=300)
    assert child.returncode == 0, output


def events(run: Path) -> int:
    path = run / "events.jsonl"
    return path.read_text(encoding="utf-8").count("\n") if path.exists() else 0


def die_anywhere(command: list[str], run: Path, delay_s: float) -> bool:
    """Kill a child `delay_s` after it began to train; return False if it was done by then."""
    before = events(run)
    child = start(command)
    while events(run) == before and child.poll() is None:
        time.sleep(0.005)
    time.sleep(delay_s)
    child.kill()
    output, _ = child.communicate()
    assert child.returncode in {0, KILLED}, output
    return child.returncode == KILLED


def die_saving(command: list[str], place: str, count: int) -> bool:
    child = start(command, place, SETUP_SAVES + count)
    output, _ = child.communicate(timeout=300)
    assert child.returncode in {0, KILLED}, output
    return child.returncode == KILLED


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("num_runs", "kills_a_run", "epochs"),
    [(1, 3, 2), pytest.param(20, 1, 12, marks=pytest.mark.soak)],
)
def test_killed_run_ends_as_one_left_alone(
    num_runs: int,
    kills_a_run: int,
    epochs: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = synthesize(
        tmp_path / "data", num_classes=5, train_per_class=600, val_per_class=20, size=32
    )
    changes = {
        "model.args": {"width": 8},
        "training.batch_size": 32,
        "training.ema_decay": 0.99,
        "preprocess.untrained_size": True,
        "phases": [{"epochs": epochs, "image_size": size} for size in (24, 32)],
    }
    recipe = tmp_path / "small.yaml"
    recipe.write_text(dump_recipe(load_recipe("thumbnet/quick", changes)), encoding="utf-8")
    train = ["train", str(recipe), "--data", str(data.path), "--out"]

    whole = tmp_path / "whole"
    finish([*train, str(whole)])
    wanted = ending(whole)
    assert len(wanted.lines) == 2 * epochs

    random, log, num_equal, num_kills = Random(0), list[str](), 0, 0
    for number in range(num_runs):
        run = tmp_path / str(number)
        for _ in range(kills_a_run):
            landed = False
            while not landed:
                fresh = not (run / "recipe.yaml").exists()
                command = [*train, str(run)] if fresh else ["resume", str(run)]
                if num_kills % 4 == 0:
                    place, count = random.choice(PLACES), random.randint(1, 2 * epochs)
                    landed = die_saving(command, place, count)
                    log.append(f"run {number}: {place} in save {count}")
                else:
                    delay_s = random.uniform(0, 0.9 * wanted.wall_s / kills_a_run)
                    landed = die_anywhere(command, run, delay_s)
                    log.append(f"run {number}: after {delay_s:.2f} s of training")
                assert landed or kills_a_run == 1, f"done before the last kill: {log}"
                if not landed:  # it was quicker than expected; the next try is another moment
                    run = run.with_name(f"{run.name}-again")
            num_kills += 1
        finish(["resume", str(run)])
        log[-1] += " - equal" if (same := ending(run) == wanted) else " - DIFFERS"
        num_equal += same
    with capsys.disabled():
        print(
            f"\n{wanted.wall_s:.1f} s of training; {num_kills} kills in {num_runs} runs:",
            *log,
            sep="\n  ",
        )
        print(f"{num_equal} of {num_runs} runs ended as the one left alone")
    assert num_equal == num_runs
