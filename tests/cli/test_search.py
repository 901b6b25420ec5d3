"""`thumbnet search`: its table, pictures and best recipe; what it refuses; how it goes on."""

import signal
import subprocess
import sys
import time
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import Thumbnet, settings

from thumbnet.data.packed import PackedDataset
from thumbnet.data.synthetic import synthesize
from thumbnet.visualize.style import render
from thumbnet.visualize.trials import Trial, draw_history, draw_importances

LR = "training.schedule.lr=1e-3..1:log"
SMALL = ["--set", "model.args.width=4", "--set", "training.batch_size=32", "--epochs", "2"]


def command(data: PackedDataset, *more: str) -> list[str]:
    momentum = "optimizer.momentum=0.5|0.9"
    base = ["search", "thumbnet/quick", "--data", str(data.path), *settings(), *SMALL]
    return [*base, "--space", LR, "--space", momentum, *more]


def test_search_then_train_its_best(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    said = thumbnet(*command(tiny, "--trials", "2"))
    assert said.status == 0, said.err
    assert "best 2 of 2 finished trials, judged on the 4 watched images" in said.out
    assert "0 (the recipe as it is)" in said.out
    assert "its figure flatters" in said.out
    folder = Path("searches/thumbnet-quick")
    assert (folder / "plots" / "history.png").is_file()
    assert not (folder / "plots" / "importance.png").exists()  # of two trials
    best = folder / "best.yaml"
    assert f"thumbnet train {best}" in said.out
    said = thumbnet("train", best, "--data", tiny.path)
    assert said.status == 0, said.err
    assert "runs/thumbnet-quick-searched" in said.out
    assert thumbnet("evaluate", folder / "trial-0001").status == 0
    again = thumbnet(*command(tiny, "--trials", "2"))
    assert again.status == 0
    assert "trial 0:" not in again.err
    assert "best 2 of 2" in again.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--space", "training.schedule.lr=1..0"], "the range is empty"),
        (["--space", "training.schedule.rate=1..2"], "no such key; did you mean"),
        (["--space", LR, "--set", "data.protocol=official"], "--set data.protocol=holdout"),
        (["--space", LR, "--epochs", "0"], "must be above 0"),
        (["--space", LR, "--time-budget", "soon"], "is not a duration"),
        (["--space", LR, "--storage", "nowhere"], "cannot use the storage"),
    ],
)
def test_bad_input_ends_before_any_training(
    words: list[str], message: str, thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    said = thumbnet("search", "thumbnet/quick", "--data", tiny.path, *words)
    assert said.status == 2
    assert message in said.err
    assert not list(Path().rglob("recipe.yaml"))


def test_without_optuna_it_names_the_extra(
    thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = util.find_spec

    def hide(name: str, package: str | None = None) -> Any:
        return None if name == "optuna" else real(name, package)

    monkeypatch.setattr("thumbnet.cli.extras.find_spec", hide)
    said = thumbnet("search", "thumbnet/quick", "--space", LR)
    assert said.status == 2
    assert "pip install 'thumbnet[tune]'" in said.err


def test_pictures_of_trials() -> None:
    trials = [
        Trial(number, 0.1 * (number % 7), number % 3 > 0, ((0.5, 0.05), (1.0, 0.1 * (number % 7))))
        for number in range(9)
    ]
    for some in (trials, trials[:1], trials[1:2], [Trial(0, 0.0, True)]):
        assert render(draw_history(some, "a/b", 40), "png").startswith(b"\x89PNG")
    history = render(draw_history(trials, "a/b", 40), "svg").decode()
    assert "6 trials finished, 3 ended early" in history
    assert "orange: the best, trial 5" in history
    shares = {"optimizer.momentum": 0.25, "training.schedule.lr": 0.75}
    drawn = render(draw_importances(shares, "a/b", 6), "svg").decode()
    assert "a rough guide only" in drawn.replace("\n", " ")
    assert "training.schedule.lr" in drawn


@pytest.mark.soak
def test_killed_for_real_it_goes_on(tmp_path: Path) -> None:
    data = synthesize(tmp_path / "data", num_classes=4, train_per_class=200, val_per_class=4)
    words = [*command(data, "--trials", "3", "--epochs", "6", "--out", str(tmp_path / "out"))]
    run = [sys.executable, "-m", "thumbnet", *words]
    child = subprocess.Popen(run, stderr=subprocess.PIPE, text=True)
    state = tmp_path / "out" / "trial-0001" / "state" / "last.safetensors"
    until = time.monotonic() + 200
    while not state.exists() and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "trial 0:" not in done.stderr
    assert "trial 1:" in done.stderr
    assert "resumed at step" in done.stderr
    assert "trials: 3 finished" in done.stdout
