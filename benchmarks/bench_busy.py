"""What another process that keeps a core busy costs a training, from its start to its end.

    python benchmarks/bench_busy.py --data tiny-imagenet-200.zip --record

Each round trains the same steps of `thumbnet/quick` three times in fresh processes: on the quiet
machine, and beside one process that spins, with the threads chosen by the engine and with all
threads throughout (`training.threads`), as if nothing were chosen again. Ratios are those of a
round to its quiet run. The picks of the quiet machine are in the cache before the first round.

Without --record nothing is written.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from record import keep, summary, table

SPIN = "while True: pass"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="archive or folder of images [as thumbnet train]")
    parser.add_argument("--recipe", default="thumbnet/quick")
    parser.add_argument("--epochs", type=float, default=0.2, help="of the recipe, all phases alike")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


@contextmanager
def spinning(busy: bool) -> Iterator[None]:
    """Keep one core busy meanwhile."""
    process = subprocess.Popen([sys.executable, "-c", SPIN]) if busy else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def train(words: list[str], busy: bool) -> dict[str, float]:
    """Train in a fresh process; return its wall seconds and how often threads were changed."""
    with tempfile.TemporaryDirectory() as folder, spinning(busy):
        run = Path(folder) / "run"
        started = time.perf_counter()
        command = [sys.executable, "-m", "thumbnet", "train", *words, "--out", str(run)]
        subprocess.run(command, check=True, capture_output=True)
        wall_s = time.perf_counter() - started
        events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
        changes = sum(event.get("kind") == "threads" for event in events)
    return {"s": wall_s, "changes": changes}


def main() -> None:
    args = parse()
    import torch

    from thumbnet.data.sources import load_dataset

    packed = load_dataset(args.data).path
    words = [args.recipe, "--data", str(packed), "--epochs", str(args.epochs)]
    words += ["--set", "training.watched_images=500"]  # most of the time is to be that of steps
    forced = [*words, "--set", f"training.threads={torch.get_num_threads()}"]
    ways = {
        "quiet": (words, False),
        "one process spins": (words, True),
        "one process spins, all threads": (forced, True),
    }
    train(words, busy=False)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number in range(args.rounds):
        for name, (command, busy) in ways.items():
            runs[name].append(train(command, busy))
        took = ", ".join(f"{name} {done[-1]['s']:.1f} s" for name, done in runs.items())
        print(f"round {number + 1}: {took}", file=sys.stderr)
    quiet = [one["s"] for one in runs["quiet"]]
    lines, rows = [], []
    for name, done in runs.items():
        seconds = [one["s"] for one in done]
        ratios = [s / base for s, base in zip(seconds, quiet, strict=True)]
        changes = [one["changes"] for one in done]
        figures = {"s": seconds, "ratio": ratios, "changes": changes}
        lines.append({"what": f"{args.recipe}, {name}", "figures": figures})
        rows.append([name, summary(seconds, 1), summary(ratios, 2), summary(changes, 0)])
    text = (
        f"{args.epochs:g} epochs of `{args.recipe}`, whole commands, {args.rounds} rounds. "
        "Median (least to greatest).\n\n"
    )
    text += table(["", "s", "of the quiet run", "changes of threads"], rows)
    print(text)
    if args.record:
        keep("busy", text, lines, seed=0)


if __name__ == "__main__":
    main()
