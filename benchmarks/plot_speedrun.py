"""Draw accuracy over wall time: the speedrun's records beside the points of the reports.

    python benchmarks/plot_speedrun.py docs/pictures/speedrun.png

Records come from results/runs.jsonl, the last attempt of each recipe and device; the points of the
reports from the recipes, which hold what each report says of its hours and hardware.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from record import RESULTS
from thumbnet.recipes.registry import load_recipe, recipe_names
from thumbnet.visualize.style import GREY, INK, ORANGE, SMALL_SIZE, look, new_figure, save

MINUTE, HOUR, DAY = 60, 3600, 86400
TICKS = {
    "10 s": 10,
    "1 min": MINUTE,
    "10 min": 600,
    "1 h": HOUR,
    "10 h": 10 * HOUR,
    "2 days": 2 * DAY,
}
THRESHOLDS = ("hansen2015/alexnet-prelu", "zheng2018/alchnet19", "abai2019/network2")


@dataclass(frozen=True)
class Entry:
    """A point: seconds, top-1 in %, and how many seeds it is the mean of."""

    name: str
    device: str
    wall_s: float
    top1: float
    seeds: int


def records(lines: list[str]) -> list[Entry]:
    """Return the mean over the seeds of each speedrun's last attempt on each device."""
    attempts: dict[tuple[str, str], dict[int, dict[str, float]]] = defaultdict(dict)
    for line in lines:
        entry = json.loads(line)
        name, _, seed = entry["what"].partition(", seed ")
        if not entry["benchmark"].startswith(("bench_speedrun", "bench_best")):
            continue
        device = entry["cpu"] if entry["device"] == "cpu" else entry["device"]
        runs, number = attempts[name, device], int(seed.partition(",")[0])
        if number in runs:  # a seed that comes again begins another attempt
            runs.clear()
        runs[number] = entry["figures"]
    found = []
    for (name, device), runs in sorted(attempts.items()):
        figures = runs.values()
        wall_s, top1 = mean(run["wall_s"] for run in figures), mean(run["top1"] for run in figures)
        found.append(Entry(name.partition("/")[2], device, wall_s, 100 * top1, len(runs)))
    return found


def published() -> list[Entry]:
    """Return the reports' rows that say how many hours they took."""
    found = []
    for name in recipe_names():
        claim = load_recipe(name).published
        if claim is not None and claim.hours is not None and claim.top1 is not None:
            device = claim.hardware or "hardware not told"
            found.append(Entry(name, device, HOUR * claim.hours, 100 * claim.top1, 1))
    return found


def draw(ours: list[Entry], theirs: list[Entry]) -> Figure:
    """Draw both kinds of points over time on a logarithmic scale."""
    note = (
        "top-1 on official val; wall time of the whole run. Reports: their own hours on their own "
        "hardware (GPUs of 2015 to 2020); those that set a threshold by their names"
    )
    with look():
        figure, below = new_figure(8.6, 4.4, "Accuracy over wall time", note)
        figure.set_layout_engine("constrained", rect=(0, 0, 1, below), h_pad=0.08, w_pad=0.08)
        axes = figure.subplots()
        _scatter(axes, theirs, GREY, "o", "published in the five reports")
        _scatter(axes, ours, ORANGE, "*", "thumbnet, mean over seeds")
        axes.set_xscale("log")
        axes.set_xticks(list(TICKS.values()), list(TICKS))
        axes.xaxis.set_minor_formatter(NullFormatter())
        times = [entry.wall_s for entry in (*ours, *theirs)]
        axes.set_xlim(min(times) / 2, max(times) * 2.2)
        axes.set_ylabel("top-1, %")
        axes.set_xlabel("wall time")
        axes.legend(loc="lower left")
    return figure


def _scatter(axes: Axes, entries: list[Entry], color: str, marker: str, label: str) -> None:
    ours = marker == "*"
    x, y = [entry.wall_s for entry in entries], [entry.top1 for entry in entries]
    axes.scatter(x, y, s=150 if ours else 34, color=color, marker=marker, label=label, zorder=3)
    for entry in entries:
        if ours:
            seeds = f"{entry.seeds} seeds" if entry.seeds > 1 else "1 run"
            where = f"{_clock(entry.wall_s)}, {seeds}\n{entry.device}"
            text, at, ha, va = f"{entry.name}\n{entry.top1:.1f} %, {where}", (8, -6), "left", "top"
        elif entry.name in THRESHOLDS:
            text, at, ha, va = entry.name, (0, -7), "center", "top"
        else:
            continue
        axes.annotate(
            text, (entry.wall_s, entry.top1), xytext=at, color=INK if ours else GREY,
            textcoords="offset points", fontsize=SMALL_SIZE, ha=ha, va=va,
        )  # fmt: skip


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def main() -> None:
    """Draw, and say where."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", type=Path, help="where to write it (.png or .svg)")
    path = parser.parse_args().picture
    ours = records((RESULTS / "runs.jsonl").read_text(encoding="utf-8").splitlines())
    save(draw(ours, published()), path)
    print(path)


if __name__ == "__main__":
    main()
