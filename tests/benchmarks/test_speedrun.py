"""What the speedrun says of its seeds, and which of them the picture shows."""

import argparse
import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def plot(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("plot_speedrun")


@pytest.fixture
def speedrun(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("speedrun")


def line(name: str, seed: int, top1: float, wall_s: float, cpu: str = "A") -> str:
    return json.dumps(
        {
            "benchmark": f"bench_{name}",
            "what": f"thumbnet/{name}, seed {seed}, views flip",
            "figures": {"top1": top1, "wall_s": wall_s},
            "device": "cpu",
            "cpu": cpu,
        }
    )


def test_the_last_attempt_of_each_recipe_and_device_counts(plot: ModuleType) -> None:
    lines = [
        line("quick", 0, 0.9, 1),
        *(line("speedrun45", seed, 0.3, 50) for seed in range(3)),
        line("speedrun45", 0, 0.44, 100),
        line("speedrun45", 1, 0.46, 300),
        line("speedrun45", 0, 0.5, 7, cpu="B"),
    ]
    found = [(e.name, e.device, round(e.top1, 6), e.wall_s, e.seeds) for e in plot.records(lines)]
    assert found == [("speedrun45", "A", 45, 200, 2), ("speedrun45", "B", 50, 7, 1)]


def test_every_report_with_its_hours_is_a_point(plot: ModuleType) -> None:
    points = {entry.name: (entry.wall_s, entry.top1) for entry in plot.published()}
    assert points["abai2019/network2"] == (36 * 3600, pytest.approx(62.73))
    figure = plot.draw([plot.Entry("speedrun45", "A", 200, 45, 5)], plot.published())
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "speedrun45\n45.0 %, 3 min 20 s, 5 seeds\nA" in texts


@pytest.mark.parametrize(("top1", "word"), [(0.44996, "NOT reached"), (0.45, "reached")])
def test_a_threshold_is_not_reached_by_rounding(
    speedrun: ModuleType, top1: float, word: str
) -> None:
    args = argparse.Namespace(recipe="thumbnet/speedrun45", threshold=45.0, views="flip")
    found = [{"top1": top1, "wall_s": 200.0, "product_gflop_per_s": 800.0}]
    text = speedrun.told(args, found, [])
    assert f"{100 * top1:.3f} % on official val after 200.0 s" in text
    assert f"45.0 % asked: {word}." in text
    assert "does 160 TFLOP" in text
