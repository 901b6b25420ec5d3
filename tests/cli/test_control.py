"""Commands to a running job, and the job once more; published rows with their forecast."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import QUICK_ENGINE, Thumbnet, settings

from thumbnet import reproduce
from thumbnet.data.packed import PackedDataset
from thumbnet.models import weights
from thumbnet.recipes.registry import load_recipe
from thumbnet.runs import RunFolder, find_run
from thumbnet.training.events import Event, Stepped
from thumbnet.training.session import same_weights, train


def slow(event: Event) -> None:
    if isinstance(event, Stepped):
        time.sleep(0.05)


@pytest.fixture
def job(thumbnet: Thumbnet, tiny: PackedDataset) -> Any:
    """Train in the background until told to stop; `thumbnet` makes the working folder."""
    recipe = load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(20)
    thread = threading.Thread(target=lambda: train(recipe, tiny, observers=[slow]))
    thread.start()
    until = time.monotonic() + 20
    while not Path("runs/thumbnet-quick/events.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.01)
    yield thread
    thumbnet("control", "thumbnet-quick", "stop")
    thread.join(60)
    assert not thread.is_alive()


def test_control_then_replay(thumbnet: Thumbnet, job: threading.Thread) -> None:
    run = "thumbnet-quick"
    said = thumbnet("control", run, "lr=0.0003")
    assert said.status == 0
    assert said.out.startswith("lr=0.0003: done before step ")
    assert thumbnet("control", run, "note", "calmer", "now").status == 0
    refused = thumbnet("control", run, "epochs=0.01")
    assert refused.status == 2
    assert "is too few: " in refused.err
    assert thumbnet("resume", run).status == 2
    assert thumbnet("control", run, "stop").status == 0
    job.join(60)
    log = find_run(run).log_file.read_text()
    assert "lr 0.0003" in log
    assert "note calmer now" in log
    assert "refused: epochs=0.01" in log
    assert "stopped at step" in log
    said = thumbnet("replay", run)
    assert said.status == 0, said.err
    assert "byte-equal: runs/thumbnet-quick.2 ended with the weights of" in said.out
    weights = find_run(f"{run}.2").weights("last") / "model.safetensors"
    held = weights.read_bytes()
    weights.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    assert not same_weights(find_run(run), find_run(f"{run}.2"))


def test_control_of_a_run_that_is_over_or_of_none(
    thumbnet: Thumbnet, trained: RunFolder, tmp_path: Path
) -> None:
    said = thumbnet("control", trained.path, "lr=0.1")
    assert said.status == 2
    assert "is not being trained by a process on this machine; it ended: finished" in said.err
    assert not trained.control_file.exists()
    said = thumbnet("control", tmp_path, "stop")
    assert said.status == 2
    assert "no run" in said.err
    said = thumbnet("control", trained.path, "lr=fast")
    assert said.status == 2
    assert "lr=fast: give a number above 0" in said.err


def test_reproduce_foretells_trains_and_leaves_out_what_is_done(
    thumbnet: Thumbnet, tiny: PackedDataset
) -> None:
    row = ("reproduce", "vonmartens2019/lenet5", "--data", tiny.path)
    said = thumbnet(*row, "--dry-run", "--price-per-hour", "3600")
    assert said.status == 0
    assert "22.00 %" in said.out
    assert "in money" in said.out
    assert not Path("runs").exists()
    said = thumbnet(*row)
    assert said.status == 0, said.err
    assert "best" in said.out
    assert "8 images, vonmartens2019" in said.out
    assert "vonmartens2019-lenet5" in said.out
    again = thumbnet(*row)
    assert again.status == 0
    assert "epoch" not in again.err
    assert not Path("runs/vonmartens2019-lenet5.2").exists()


def test_reproduce_leaves_out_a_row_whose_weights_are_not_at_hand(
    thumbnet: Thumbnet, tiny: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretrained() -> list[Any]:
        size = {"preprocess.image_size": 64, **QUICK_ENGINE}
        row = load_recipe("vonmartens2019/squeezenet-pretrained", size).scaled(0.05)
        return [row, load_recipe("vonmartens2019/lenet5", QUICK_ENGINE).scaled(0.05)]

    entry = replace(weights.PUBLIC_WEIGHTS["squeezenet1_1"], url="http://127.0.0.1:9/s.pth")
    monkeypatch.setitem(weights.PUBLIC_WEIGHTS, "squeezenet1_1", entry)
    monkeypatch.setattr(reproduce, "select", lambda _: pretrained())
    said = thumbnet("reproduce", "--data", tiny.path)
    assert said.status == 1, said.err
    assert "left out: vonmartens2019/squeezenet-pretrained: the pretrained weights" in said.out
    assert "8 images, vonmartens2019" in said.out
    assert not Path("runs/vonmartens2019-squeezenet-pretrained").exists()


def test_reproduce_refuses_an_unknown_source(thumbnet: Thumbnet) -> None:
    said = thumbnet("reproduce", "zheng2019")
    assert said.status == 2
    assert "neither a source nor a recipe" in said.err
    assert "zheng2018" in said.err


def test_an_ensemble_is_no_run_of_its_own(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    said = thumbnet("train", "hansen2015/ensemble", "--data", tiny.path, *settings())
    assert said.status == 2
    assert "thumbnet reproduce hansen2015/ensemble" in said.err
    assert not Path("runs").exists()


def test_public_weights_of_a_network_that_has_none(thumbnet: Thumbnet, tiny: PackedDataset) -> None:
    said = thumbnet(
        "train",
        "thumbnet/quick",
        "--data",
        tiny.path,
        *settings(),
        "--set",
        "model.pretrained=true",
    )
    assert said.status == 2
    assert "'thumbnet_quick' has no public weights" in said.err
    said = thumbnet("train", "thumbnet/quick", "--data", tiny.path, "--weights", "w.pth")
    assert said.status == 2
    assert "--weights needs" in said.err
    assert not Path("runs").exists()
