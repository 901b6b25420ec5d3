"""Whether a data set larger than memory trains as fast as one in memory, and in flat memory.

    python benchmarks/bench_stream.py --record

Writes a packed set of random pixels the size of ImageNet at 64 px (15.7 GB), opens it as any
other, and takes the same steps of an epoch that visits all of it in random order: first with the
file thrown out of the page cache (cold), then in turns with a set of as many images that is an
array in memory. Three works: the loader alone; the loader, flips and shifts, up to a network's
input; and training steps of thumbnet/quick at 64 px. Cold counts the drawing of the epoch's tables
for all images too, which weighs most on the few training steps. Anonymous memory (RssAnon) is that
of this process, looked at after each round; pages of the mapped file are the kernel's to take back.

Where less than 40 GB of disk is free nothing is done, and that is said. The folder is removed
afterwards, unless --keep. A try that takes seconds: --images 20000 --steps 20 --rounds 1. Without
--record nothing is written.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from record import keep, summary, table

if TYPE_CHECKING:
    from thumbnet.data.packed import PackedDataset

SIZE, NUM_CLASSES, CHUNK = 64, 1000, 8192
FREE_BYTES = 40e9
WORKS = ("loader", "input", "training")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where to write [a temporary folder]")
    parser.add_argument("--images", type=int, default=1_281_167)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=300, help="of `loader` and `input`")
    parser.add_argument("--train-steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="leave the folder, and use it again")
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


def write(target: Path, num_images: int, seed: int) -> None:
    """Write a packed set of random pixels, a chunk at a time."""
    from thumbnet.data.packed import ClassInfo
    from thumbnet.data.packed_writer import PackedWriter

    random, started = np.random.default_rng(seed), perf_counter()
    with PackedWriter(target, image_size=SIZE, need_bytes=num_images * SIZE * SIZE * 3) as writer:
        for split, count in (("train", num_images), ("val", NUM_CLASSES)):
            for first in range(0, count, CHUNK):
                shape = (min(CHUNK, count - first), SIZE, SIZE, 3)
                pixels = np.frombuffer(random.bytes(int(np.prod(shape))), np.uint8)
                writer.append(split, pixels.reshape(shape))
            names = [f"{number:07}" for number in range(count)]
            writer.describe(split, names, np.arange(count) % NUM_CLASSES)
        classes = tuple(ClassInfo(f"c{n:04}", f"class {n}") for n in range(NUM_CLASSES))
        writer.finish(classes, {"name": "random", "source": "random pixels", "resize": "none"})
    print(f"written in {perf_counter() - started:.0f} s", file=sys.stderr)


def anonymous_bytes() -> int:
    """Return this process's anonymous memory."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024


def throw_out(file: Path) -> None:
    """Take a file out of the page cache; nothing may have it mapped."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # what is not on disk yet cannot be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def in_memory(dataset: "PackedDataset", num_images: int) -> "PackedDataset":
    """Return the first images of a data set as one that is an array in memory."""
    train = dataset.splits["train"]
    assert train.labels is not None
    part = slice(0, num_images)
    held = replace(
        train,
        images=np.array(train.images[part]),
        labels=train.labels[part],
        names=train.names[part],
    )
    return replace(dataset, splits={**dataset.splits, "train": held})


class Bench:
    """The works on one data set; the steps are those of an epoch over all of its images."""

    def __init__(self, dataset: "PackedDataset", args: argparse.Namespace) -> None:
        import torch

        from thumbnet.build import build_model, build_optimizer, build_preprocess, resolve
        from thumbnet.data.loader import Loader, epoch_order
        from thumbnet.data.splits import source_part
        from thumbnet.recipes.registry import load_recipe
        from thumbnet.training.engine import Engine, Picks
        from thumbnet.training.feed import Feed
        from thumbnet.training.phases import Plan
        from thumbnet.training.state import TrainState
        from thumbnet.training.step import train_step

        self.args, cpu, part = args, torch.device("cpu"), source_part(dataset, "train")
        settings = {"training.batch_size": args.batch_size, "phases.0.image_size": SIZE}
        recipe = resolve(load_recipe("thumbnet/quick", settings), dataset)
        preprocess = build_preprocess(recipe.preprocess, dataset)
        plan = Plan(recipe, len(part))
        self.order = epoch_order(args.seed, 0, len(part))
        self.loader = Loader(dataset, part, cpu)
        self.at = [plan.at(step) for step in range(max(args.steps, args.train_steps))]
        self.feed = Feed(dataset, part, preprocess, plan, cpu)
        self.engine = Engine(Picks("cpu", "fp32", "channels_last", torch.get_num_threads()))
        model = self.engine.place(build_model(recipe)).train()
        optimizer = build_optimizer(recipe, recipe.optimizer, model)
        self.state = TrainState(model, optimizer, torch.zeros(()))
        images, labels = torch.zeros(args.batch_size, 3, SIZE, SIZE), self.order[: args.batch_size]
        train_step(self.state, images, labels % NUM_CLASSES, self.at[0], self.engine)  # warms up

    def run(self, work: str) -> float:
        """Do one work; return images a second."""
        args = self.args
        steps = self.at[: args.train_steps if work == "training" else args.steps]
        do: Callable[[Any], object] = getattr(self, f"_{work}")
        started = perf_counter()
        for at in steps:
            do(at)
        return len(steps) * args.batch_size / (perf_counter() - started)

    def _loader(self, at: Any) -> object:
        return self.loader.batch(self.order[at.first : at.last])

    def _input(self, at: Any) -> object:
        return self.feed.batch(at)

    def _training(self, at: Any) -> object:
        from thumbnet.training.step import train_step

        images, labels, mix = self.feed.batch(at)
        return train_step(self.state, images, labels, at, self.engine, mix)


def measure(folder: Path, args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the table and the figures."""
    from thumbnet.data.packed import open_packed

    file = folder / "train_images.npy"
    cold = {}
    for work in WORKS:
        throw_out(file)  # the mapping of the work before is gone by now
        cold[work] = Bench(open_packed(folder), args).run(work)
    dataset = open_packed(folder)
    num_held = max(args.steps, args.train_steps) * args.batch_size
    benches = {"file": Bench(dataset, args), "memory": Bench(in_memory(dataset, num_held), args)}
    rates: dict[str, dict[str, list[float]]] = {w: {"file": [], "memory": []} for w in WORKS}
    most = 0
    for number in range(args.rounds + 1):  # the first brings the pages in
        for work in WORKS:
            for name, bench in benches.items():
                rate = bench.run(work)
                if number:
                    rates[work][name].append(rate)
        most = max(most, anonymous_bytes())
    rows, ratios = [], {}
    for work, both in rates.items():
        pairs = zip(both["file"], both["memory"], strict=True)
        ratios[work] = [one / other for one, other in pairs]
        rows.append([
            work, f"{cold[work]:,.0f}", summary(both["file"], 0), summary(both["memory"], 0),
            summary(ratios[work], 2),
        ])  # fmt: skip
    columns = ["images/s", "file, cold", "file, warm", "in memory", "warm over in memory"]
    text = (
        f"A file of {file.stat().st_size / 1e9:.1f} GB, {len(dataset.splits['train']):,} images; "
        f"{args.rounds} rounds in turns, median (least to greatest). Anonymous memory at most "
        f"{most / 2**30:.2f} GiB, of it {num_held * SIZE * SIZE * 3 / 2**30:.2f} GiB the images "
        "held in memory to compare with. Cold counts the drawing of the epoch's tables too.\n\n"
        f"{table(columns, rows)}"
    )
    figures = {"cold": cold, "rates": rates, "ratios": ratios, "anonymous_bytes": most}
    return text, {**figures, "file_bytes": file.stat().st_size}


def main() -> None:
    args = parse()
    parent = args.folder or Path(tempfile.gettempdir()) / "thumbnet-stream"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"random-{args.images}"
    free = shutil.disk_usage(parent).free
    if not folder.exists() and free < FREE_BYTES:
        print(f"skipped: {free / 1e9:.0f} GB free in {parent}, {FREE_BYTES / 1e9:.0f} are needed")
        return
    try:
        if not folder.exists():
            write(folder, args.images, args.seed)
        text, figures = measure(folder, args)
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(text)
    if args.record:
        keep("stream", text, [{"what": "a packed set larger than memory", "figures": figures}],
             args.seed)  # fmt: skip


if __name__ == "__main__":
    main()
