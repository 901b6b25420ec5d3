"""How fast an archive is packed: against scripts that do the same, and against decoding alone.

    python benchmarks/bench_prepare.py --data tiny-imagenet-200.zip --record

The same train images of the source, in a tar without compression, are made one array by
`thumbnet data prepare`, which also checks, plans and hashes them; by a loop over the archive; and
by two processes over the extracted files (peer_prepare.py). Each is a fresh process, from its start
to its end, in turns. Their memory is that of all their processes, pages of mapped files included,
looked at every 50 ms.

Two limits are measured in the same rounds: decoding alone, of files that lie in memory, by a thread
a core; and copying as many pixels once.

The whole set is --images 100000; a try that takes seconds: --images 400 --rounds 1. Without
--record nothing is written.
"""

import argparse
import os
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bench_step import write_images
from peer_prepare import pixels
from record import HERE, keep, summary, table, watched

PEER = HERE / "peer_prepare.py"
SIDES = {
    "thumbnet": "thumbnet data prepare",
    "loop": "a loop over the archive",
    "pool": "two processes over the extracted files",
}
LIMITS = {"decoding": "decoding alone, a thread a core", "copy": "copying the pixels once"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="archive or folder of images [as thumbnet train]")
    parser.add_argument("--images", type=int, default=20_000, help="train images that are packed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


def write_archive(source: Path, count: int, archive: Path) -> list[bytes]:
    """Write train images of a source as a tar, a folder a class, and return their contents."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(source, count, folder)
        with tarfile.open(archive, "w") as tar:
            tar.add(folder, "train")
        return [file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()]


def pack(side: str, archive: Path) -> tuple[float, float]:
    """Return seconds and peak bytes of one side."""
    with tempfile.TemporaryDirectory() as name:
        if side == "thumbnet":
            where = Path(name) / "packed"
            return watched(["-m", "thumbnet", "data", "prepare", archive, "-o", where])
        return watched([PEER, side, archive, Path(name) / "images.npy"])


def decode_all(files: list[bytes]) -> float:
    """Return the seconds of decoding files by a thread a core, and of nothing else."""
    started = perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(lambda file: pixels(BytesIO(file)), files):
            pass
    return perf_counter() - started


def copy_all(files: list[bytes]) -> float:
    """Return the seconds of copying as many pixels as the files hold."""
    one = pixels(BytesIO(files[0]))
    images = np.ones((len(files), *one.shape), np.uint8)
    target = np.ones_like(images)  # written to, so that its pages are there
    started = perf_counter()
    np.copyto(target, images)
    return perf_counter() - started


def measure(archive: Path, files: list[bytes], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Run all sides and limits in turns; return images a second, and peak bytes."""
    rates: dict[str, list[float]] = {name: [] for name in (*SIDES, *LIMITS)}
    peaks: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(rounds):
        for side in SIDES:
            seconds, peak = pack(side, archive)
            rates[side].append(len(files) / seconds)
            peaks[side].append(peak)
        rates["decoding"].append(len(files) / decode_all(files))
        rates["copy"].append(len(files) / copy_all(files))
        said = ", ".join(f"{name} {values[-1]:,.0f}" for name, values in rates.items())
        print(f"round {number + 1}: {said} images/s", file=sys.stderr)
    return {"images_per_s": rates, "peak_bytes": peaks}


def main() -> None:
    args = parse()
    from thumbnet.data.packed import is_packed
    from thumbnet.data.sources import locate

    source = locate(args.data)
    if source is None or is_packed(source):
        sys.exit("the sides decode image files: give the archive or their folder with --data")
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name) / "images.tar"
        files = write_archive(source, args.images, archive)
        figures: dict[str, Any] = measure(archive, files, args.rounds)
    rates, peaks = figures["images_per_s"], figures["peak_bytes"]
    ratios = {
        name: [ours / other for ours, other in zip(rates["thumbnet"], rates[name], strict=True)]
        for name in rates
    }
    rows = [
        [
            said,
            summary([len(files) / rate for rate in rates[name]], 2),
            summary(rates[name], 0),
            summary([peak / 1e6 for peak in peaks[name]], 0) if name in peaks else "",
            "" if name == "thumbnet" else summary(ratios[name], 4 if name == "copy" else 2),
        ]
        for name, said in {**SIDES, **LIMITS}.items()
    ]
    columns = ["what", "s", "images/s", "peak resident MB", "thumbnet's rate over it"]
    text = (
        f"{len(files):,} train images of {source.name} in a tar, {args.rounds} rounds in turns, "
        f"ratios round by round; median (least to greatest).\n\n{table(columns, rows)}"
    )
    print(text)
    if args.record:
        lines = [{"what": "packing an archive", "figures": {**figures, "ratios": ratios}}]
        keep("prepare", text, lines, seed=0)


if __name__ == "__main__":
    main()
