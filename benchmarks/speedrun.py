"""How fast a recipe learns from random weights, and what official val says of it at the end.

    python benchmarks/speedrun.py thumbnet/quick --seeds 0 1 2 3 4 --threshold 45 --record

Each seed trains in a fresh process. The clock starts when the packed data is first touched and
stops after the last prediction; what was spent before the first step (measuring the engine's picks,
opening files) is in it and is told apart too. Without --record nothing is written.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

from bench_step import product_rate
from record import fresh, keep, table

VIEWS = ("one", "flip")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", help="a recipe's name, or its file")
    parser.add_argument("--threshold", type=float, help="top-1 in %% to reach, for the table")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--views", choices=VIEWS, default="flip", help="at test time; timed")
    parser.add_argument("--data", type=Path, help="packed folder [as thumbnet train]")
    parser.add_argument("--keep", type=Path, help="folder for the runs [they are thrown away]")
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_once(args: argparse.Namespace) -> None:
    """Train and judge one seed in this process; print its figures as the last line."""
    import torch

    import thumbnet
    from thumbnet.training.engine import find_device
    from thumbnet.training.events import Event, Stepped

    device = find_device(None)

    first = list[float]()

    def note(event: Event) -> None:
        if isinstance(event, Stepped) and not first:
            first.append(perf_counter())

    recipe, seed = thumbnet.load_recipe(args.recipe), args.seeds[0]
    with tempfile.TemporaryDirectory() as passing:
        out = (args.keep or Path(passing)) / f"{Path(args.recipe).stem}-seed-{seed}"
        started = perf_counter()
        dataset = thumbnet.load_dataset(args.data)
        result = thumbnet.train(recipe, dataset, seed=seed, out=out, observers=[note])
        trained = perf_counter()
        scores = thumbnet.evaluate(
            result.run.path, "val", dataset, weights="last", views=args.views
        ).scores
        ended = perf_counter()
        plain = thumbnet.evaluate(result.run.path, "val", dataset, weights="last").scores
    figures = {
        "top1": scores.top1,
        "top1_without_views": plain.top1,
        "top5": scores.top5,
        "wall_s": ended - started,
        "before_first_step_s": first[0] - started,
        "judging_s": ended - trained,
        "product_gflop_per_s": product_rate(torch.bfloat16, device, times=7) / 1e9,
    }
    print(json.dumps(figures))


def main() -> None:
    args = parse()
    if args.one:
        run_once(args)
        return
    lines, rows = list[dict[str, Any]](), list[list[object]]()
    for seed in args.seeds:
        words: list[str | Path] = [__file__, args.recipe, "--one", "--seeds", str(seed)]
        words += ["--views", args.views, *(["--data", args.data] if args.data else [])]
        words += ["--keep", args.keep] if args.keep else []
        found = fresh(words)
        what = f"{args.recipe}, seed {seed}, views {args.views}"
        lines.append({"what": what, "figures": found, "seed": seed})
        rows.append(
            [seed, f"{100 * found['top1']:.2f} %", f"{100 * found['top1_without_views']:.2f} %"]
            + [f"{found[key]:.1f} s" for key in ("wall_s", "before_first_step_s", "judging_s")]
            + [f"{found['product_gflop_per_s']:.0f}"]
        )
        print(f"seed {seed}: {rows[-1][1]} after {rows[-1][3]}", file=sys.stderr, flush=True)
    text = told(args, [line["figures"] for line in lines], rows)
    print(text)
    if args.record:
        keep(Path(args.recipe).stem, text, lines, args.seeds[0])


def told(args: argparse.Namespace, found: list[dict[str, Any]], rows: list[list[object]]) -> str:
    """Return the table of seeds, and what they make together."""
    columns = ["seed", f"top-1, views {args.views}", "one view", "wall", "before first step"]
    top1, wall = ([one[key] for one in found] for key in ("top1", "wall_s"))
    spread = f", sd {100 * stdev(top1):.2f}" if len(top1) > 1 else " (a single run)"
    end = f"{100 * mean(top1):.3f} % on official val after {mean(wall):.1f} s on average"
    asked = ""
    if args.threshold is not None:
        reached = "reached" if 100 * mean(top1) >= args.threshold else "NOT reached"
        asked = f"; {args.threshold} % asked: {reached}"
    work = mean(one["wall_s"] * one["product_gflop_per_s"] for one in found) / 1000
    title = (
        f"{args.recipe}: {end}, {len(found)} seeds{spread}{asked}. "
        f"In that time the machine's bf16 product does {work:.0f} TFLOP."
    )
    return "\n".join([title, "", table([*columns, "judging", "GFLOP/s of the product"], rows)])


if __name__ == "__main__":
    main()
