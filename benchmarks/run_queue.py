"""Train what stands in queue.md, most wanted first, within a time budget.

    python benchmarks/run_queue.py --data tiny-imagenet-200.zip --time-budget 9m

Each run that ends is judged on the part its report judges on, and gets a line in OUT/runs.jsonl,
which is results/runs.jsonl unless told otherwise. A run that does not fit is interrupted and saved
under --runs; the next call goes on with it. What runs.jsonl holds already is left out.
"""

import argparse
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Any

from record import HERE, RESULTS, command, machine

QUEUE = HERE / "queue.md"
LEAST_S = 30.0  # no run is begun for less


@dataclass(frozen=True)
class Entry:
    """A line of the queue."""

    recipe: str
    num_seeds: int
    minutes: float


def read_queue(text: str) -> list[Entry]:
    """Return the lines of the queue's table, in order."""
    lines = re.findall(r"^\| `([^`]+)` \| (\d+) \| ([\d.]+) \|", text, flags=re.MULTILINE)
    return [Entry(recipe, int(seeds), float(minutes)) for recipe, seeds, minutes in lines]


def read_done(file: Path) -> set[tuple[str, int]]:
    """Return recipe and seed of every run that a file of results holds."""
    if not file.is_file():
        return set()
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    runs = [line for line in lines if line["benchmark"] == "run_queue"]
    return {(line["what"], line["seed"]) for line in runs}


def to_do(entries: list[Entry], done: set[tuple[str, int]]) -> Iterator[tuple[Entry, int]]:
    """Return what is left, each seed by itself."""
    for entry in entries:
        for seed in range(entry.num_seeds):
            if (entry.recipe, seed) not in done:
                yield entry, seed


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", nargs="*", help="only these of the queue, in its order")
    parser.add_argument("--data", type=Path, help="as thumbnet train takes it")
    parser.add_argument("--time-budget", default="9m", help="for all together: 90s, 9m, 1.5h")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of runs.jsonl")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--device", help="cpu or cuda [the fastest]")
    parser.add_argument("--epochs", type=float, help="of every run, for a try; nothing is recorded")
    parser.add_argument("--list", action="store_true", help="only print what is left")
    return parser.parse_args()


def train_until(entry: Entry, seed: int, left_s: float, args: argparse.Namespace) -> Any:
    """Train, or go on with, one run for at most so long; return its result."""
    from thumbnet.recipes.registry import load_recipe
    from thumbnet.runs import RunFolder
    from thumbnet.training.session import resume, train

    folder = args.runs / f"{entry.recipe.replace('/', '-')}-seed{seed}"
    timer = threading.Timer(left_s, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        if (folder / "recipe.yaml").is_file():
            return resume(RunFolder(folder), args.data)
        recipe = load_recipe(entry.recipe)
        options = {"seed": seed, "device": args.device, "epochs": args.epochs}
        return train(recipe, args.data, out=folder, **options)
    finally:
        timer.cancel()


def judged(result: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a run that is over."""
    from thumbnet.inference import evaluate

    recipe = result.run.recipe()
    figures: dict[str, Any] = {"epochs": recipe.num_epochs, "wall_s": round(result.wall_s, 1)}
    for which in ("last", "best"):
        done = evaluate(result.run.path, None, args.data, weights=which)
        figures[which] = {**done.scores.to_dict(), "judged_on": done.judged_on}
    claim = recipe.published
    figures["published_top1"] = claim.top1 if claim else None
    figures["engine"] = result.run.env()["engine"]["picks"]
    return figures


def record(what: str, seed: int, figures: dict[str, Any], out: Path) -> None:
    """Append one line."""
    out.mkdir(parents=True, exist_ok=True)
    entry = {"date": date.today().isoformat(), "benchmark": "run_queue", "what": what}
    line = {**entry, "figures": figures, "seed": seed, **machine(), "command": command()}
    with (out / "runs.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def main() -> None:
    args = parse()
    from thumbnet.cli.duration import parse_duration
    from thumbnet.data.sources import load_dataset
    from thumbnet.errors import ThumbnetError

    budget_s, begun = parse_duration(args.time_budget), monotonic()
    done = read_done(RESULTS / "runs.jsonl") | read_done(args.out / "runs.jsonl")
    entries = read_queue(QUEUE.read_text(encoding="utf-8"))
    if args.recipes:
        entries = [entry for entry in entries if entry.recipe in args.recipes]
    left = list(to_do(entries, done))
    if args.list or not left:
        for entry, seed in left:
            print(f"{entry.recipe}, seed {seed}, about {entry.minutes:g} min")
        sys.exit(0)
    args.data = load_dataset(args.data)
    for entry, seed in left:
        left_s = budget_s - (monotonic() - begun)
        if left_s < LEAST_S:
            break
        try:
            result = train_until(entry, seed, left_s, args)
        except ThumbnetError as error:
            print(f"{entry.recipe}, seed {seed}: {error}", flush=True)
            continue
        if result.reason == "interrupted":
            print(f"{entry.recipe}, seed {seed}: saved, goes on next time", flush=True)
            break
        figures = judged(result, args)
        print(f"{entry.recipe}, seed {seed}: {json.dumps(figures)}", flush=True)
        if args.epochs is None:
            record(entry.recipe, seed, figures, args.out)


if __name__ == "__main__":
    main()
