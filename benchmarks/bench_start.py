"""How long one waits: for the first step of training, to open the data, and to prepare it.

    python benchmarks/bench_start.py --data tiny-imagenet-200.zip --record

Part `step`: seconds from the end of `import torch` to the end of the first step of `thumbnet train
thumbnet/quick`, in a fresh process with packed data; with no measured picks in the cache (as on the
first run of a machine), and with them. Part `open`: seconds to open the packed set. Part
`prepare`: wall seconds of `thumbnet data prepare` of the source, and the resident memory of all
its processes together, pages of mapped files included, looked at every 50 ms.

Without --record nothing is written.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from record import HERE, fresh, keep, summary, table, watched

CLOCK = HERE / "start_clock.py"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="archive or folder of images [as thumbnet train]")
    parser.add_argument(
        "--parts", nargs="+", choices=["step", "open", "prepare"],
        default=["step", "open", "prepare"],
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=5, help="runs of `step` and `open`")
    parser.add_argument("--prepares", type=int, default=3, help="runs of `prepare`")
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


def first_steps(packed: Path, repeats: int) -> dict[str, list[float]]:
    """Return the seconds to the first step without and with measured picks."""
    times: dict[str, list[float]] = {"picks measured": [], "picks known": []}
    for number in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for name, seconds in times.items():
                run = Path(folder) / name.replace(" ", "-")
                seconds.append(fresh([CLOCK, "step", packed, run], THUMBNET_CACHE=folder)["s"])
        took = ", ".join(f"{name} {seconds[-1]:.2f} s" for name, seconds in times.items())
        print(f"first step, run {number + 1}: {took}", file=sys.stderr)
    return times


def prepare(source: Path) -> tuple[float, float]:
    """Return wall seconds and peak resident bytes of preparing a source."""
    with tempfile.TemporaryDirectory() as folder:
        return watched(["-m", "thumbnet", "data", "prepare", source, "-o", Path(folder) / "packed"])


def main() -> None:
    args = parse()
    from thumbnet.data.packed import is_packed
    from thumbnet.data.sources import load_dataset, locate

    source = locate(args.data)
    if source is None or ("prepare" in args.parts and is_packed(source)):
        sys.exit("give an archive or a folder of images with --data")
    packed = load_dataset(source).path
    lines: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    if "step" in args.parts:
        for name, seconds in first_steps(packed, args.repeats).items():
            lines.append({"what": f"first step, {name}", "figures": {"s": seconds}})
            rows.append([f"to the first step, {name}", summary(seconds, 2), ""])
    if "open" in args.parts:
        seconds = [fresh([CLOCK, "open", packed])["s"] for _ in range(args.repeats)]
        lines.append({"what": "open packed data", "figures": {"s": seconds}})
        rows.append(["to open the packed data", summary(seconds, 4), ""])
    if "prepare" in args.parts:
        runs = [prepare(source) for _ in range(args.prepares)]
        seconds, peaks = [one for one, _ in runs], [peak for _, peak in runs]
        figures = {"s": seconds, "peak_bytes": peaks}
        lines.append({"what": f"prepare {source.name}", "figures": figures})
        memory = f"{median(peaks) / 1e6:,.0f}"
        rows.append([f"to prepare {source.name}", summary(seconds, 1), memory])
    text = "Median (least to greatest).\n\n"
    text += table(["what", "s", "peak resident MB"], rows)
    print(text)
    if args.record:
        keep("start", text, lines, seed=0)


if __name__ == "__main__":
    main()
