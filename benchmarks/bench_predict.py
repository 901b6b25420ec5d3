"""How fast image files are named: against plain loops, onnxruntime, and the network alone.

    python benchmarks/bench_predict.py --record

A folder of JPEG files (val's pixels, written as such) goes through `thumbnet predict` in a process
of its own, with the start of Python and torch; through a `Predictor` that is there already, by 256
files as the command does it; through the loop a script would have (PIL, a tensor, the network,
softmax, top 5), one file and 64 files at a time; and through the same loop around onnxruntime,
where that is installed. Beside it stands the network alone, on batches that lie ready in memory,
and its operations a second over those of one large matrix product in fp32. Then the same of one
file at a time: milliseconds from a path to its five likeliest classes.

All in turns, with the same threads. The networks are freshly initialized: what they answer is
worthless, what it takes is not. A try that takes seconds: --networks quick --rounds 1 --images 200.
Without --record nothing is written.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

from bench_evaluate import write_images, write_network
from bench_step import product_rate
from peer_plain_torch import ImageFolder
from peer_prepare import pixels
from record import count_flop, keep, summary, table, watched

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {  # recipe, and what is changed in it
    "quick": ("thumbnet/quick", {}),
    "resnet18_3x3": ("thumbnet/quick", {"model.name": "resnet18_3x3"}),
}
CHUNK, BATCH, TOP = 256, 64, 5
SAID = {
    "command": "thumbnet predict, from its start",
    "predictor": "Predictor, there already",
    "plain 1": "plain loop, batch 1",
    "plain 64": "plain loop, batch 64",
    "onnx 64": "onnxruntime in a loop, batch 64",
    "alone": "network alone, batch 64",
}
SINGLE = {"predictor": "Predictor", "plain 1": "plain loop", "onnx 1": "onnxruntime"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="as thumbnet train takes it")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--images", type=int, default=500, help="image files, at most all of val")
    parser.add_argument("--singles", type=int, default=100, help="files taken one at a time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


class Sides:
    """Each way to name the files of a folder, for one network."""

    def __init__(self, folder: Path, images: Path) -> None:
        from thumbnet import load_predictor

        self.folder, self.images = folder, images
        self.predictor = load_predictor(folder)
        self.model, preprocess = self.predictor.model.eval(), self.predictor.trained.preprocess
        mean, std = list(preprocess.mean), list(preprocess.std)
        self.tensors = ImageFolder(images, "RGB", preprocess.image_size, mean, std)
        self.files = [file for file, _ in self.tensors.samples]
        self.session = self._export()
        self.ready = torch.stack([self.tensors[i][0] for i in range(min(BATCH, len(self.files)))])
        with torch.inference_mode():
            self.flop = count_flop(lambda: self.model(self.ready)) / len(self.ready)  # and warms up

    def _export(self) -> Any:
        if find_spec("onnxruntime") is None or find_spec("onnxscript") is None:
            print("onnxruntime is left out: pip install 'thumbnet[onnx]'", file=sys.stderr)
            return None
        from thumbnet.export.onnx import Session, write_onnx

        write_onnx(self.folder / "model.onnx", self.predictor.trained)
        return Session(self.folder / "model.onnx")

    def names(self, sides: dict[str, str]) -> list[str]:
        """Return which of these sides there are."""
        return [name for name in sides if self.session or not name.startswith("onnx")]

    def run(self, name: str, count: int) -> float:
        """Name the first files of the folder in one of the ways; return seconds."""
        side, _, batch = name.partition(" ")
        if side == "command":
            where = self.folder / "named.csv"
            return watched(["-m", "thumbnet", "predict", self.folder, self.images, "-o", where])[0]
        size = int(batch or (CHUNK if side == "predictor" else BATCH))
        do = getattr(self, f"_{side}")
        started = perf_counter()
        with torch.inference_mode():
            for first in range(0, count, size):
                do(range(first, min(first + size, count)))
        return perf_counter() - started

    def _predictor(self, part: range) -> object:
        return self.predictor.predict([self.files[i] for i in part])

    def _plain(self, part: range) -> object:
        inputs = torch.stack([self.tensors[i][0] for i in part])
        return self._top(self.model(inputs))

    def _onnx(self, part: range) -> object:
        logits = self.session.logits(np.stack([pixels(self.files[i]) for i in part]))
        return self._top(torch.from_numpy(logits))

    def _top(self, logits: torch.Tensor) -> object:
        return logits.softmax(1).topk(min(TOP, len(self.predictor.trained.wnids)))

    def _alone(self, part: range) -> object:
        return self.model(self.ready[: len(part)])

    def single(self, name: str, count: int) -> float:
        """Return the milliseconds of one file, the median of the first ones, in one of the ways."""
        do = getattr(self, f"_{name.partition(' ')[0]}")
        took = []
        for number in range(count):
            started = perf_counter()
            with torch.inference_mode():
                do(range(number, number + 1))
            took.append(1000 * (perf_counter() - started))
        return median(took)


def compare(sides: Sides, args: argparse.Namespace) -> dict[str, Any]:
    """Run all ways in turns; return images a second, milliseconds of one, and the ratios."""
    count = len(sides.files)
    rates: dict[str, list[float]] = {name: [] for name in sides.names(SAID)}
    singles: dict[str, list[float]] = {name: [] for name in sides.names(SINGLE)}
    of_product: list[float] = []
    for _ in range(args.rounds):
        for name, values in rates.items():
            values.append(count / sides.run(name, count))
        of_product.append(
            sides.flop * rates["alone"][-1] / product_rate(torch.float32, "cpu", times=1)
        )
        for name, values in singles.items():
            values.append(sides.single(name, min(args.singles, count)))
    over = {name: per(rates["predictor"], values) for name, values in rates.items()}
    faster = {name: per(values, singles["predictor"]) for name, values in singles.items()}
    return {
        "images_per_s": rates, "predictor_over": over, "single_ms": singles,
        "single_over_predictor": faster, "flop_an_image": sides.flop,
        "alone_over_fp32_product": of_product,
    }  # fmt: skip


def per(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return ratios, round by round."""
    return [one / other for one, other in zip(ones, others, strict=True)]


def tables(name: str, figures: dict[str, Any]) -> str:
    """Return what was measured of one network."""
    rates, singles = figures["images_per_s"], figures["single_ms"]
    many = [
        [SAID[side], summary(values, 0), summary(figures["predictor_over"][side], 2)]
        for side, values in rates.items()
    ]
    one = [
        [SINGLE[side], summary(values, 2), summary(figures["single_over_predictor"][side], 2)]
        for side, values in singles.items()
    ]
    limit = summary(figures["alone_over_fp32_product"], 2)
    return (
        f"## {name}\n\nThe network alone does {limit} of the operations a second of a matrix "
        "product in fp32.\n\n"
        f"{table(['folder of files', 'images/s', 'Predictor over it'], many)}\n\n"
        f"{table(['one file', 'ms', 'its time over Predictor'], one)}"
    )


def main() -> None:
    args = parse()
    from thumbnet.data.sources import load_dataset
    from thumbnet.recipes.registry import load_recipe

    dataset = load_dataset(args.data)
    count = min(args.images, len(dataset.splits["val"]))
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "images").mkdir()
        write_images(dataset, count, home / "images")
        for name in args.networks:
            recipe = load_recipe(*NETWORKS[name])
            write_network(home / name, recipe, dataset, args.seed)
            print(f"{name}: {count} files", file=sys.stderr)
            figures = compare(Sides(home / name, home / "images"), args)
            lines.append(
                {"what": f"naming image files with {recipe.model.name}", "figures": figures}
            )
    text = (
        f"{count:,} JPEG files of 64 px, {torch.get_num_threads()} threads, {args.rounds} rounds "
        f"in turns, ratios round by round; median (least to greatest). One file: the median of "
        f"{min(args.singles, count)}.\n\n"
    )
    text += "\n\n".join(tables(line["what"], line["figures"]) for line in lines)
    print(text)
    if args.record:
        keep("predict", text, lines, args.seed)


if __name__ == "__main__":
    main()
