"""What judging takes: a whole split end to end, and each analysis of stored predictions.

    python benchmarks/bench_evaluate.py --record

Part `rate`: `thumbnet.evaluate` of all of val, as a user calls it (model folder read, data opened,
predictions made, stored and scored), against the network alone on batches that lie ready in memory:
same weights, batch size, threads and precision, in turns. And against a plain PyTorch loop over
image files with a DataLoader of two workers (the files are val's pixels, written as JPEG). The
operations a second of the network alone stand beside those of one large matrix product in fp32.

Part `analyses`: each command in a process of its own, with the start of Python and torch, on
three networks whose predictions are stored.

The networks are freshly initialized: what they answer is worthless, what it takes is not. A try
that takes seconds: --networks quick --rounds 1 --images 1000. Without --record nothing is written.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

from bench_step import product_rate
from peer_plain_torch import ImageFolder
from record import count_flop, keep, summary, table

if TYPE_CHECKING:
    from thumbnet.data.packed import PackedDataset
    from thumbnet.recipe import RecipeSpec

RECIPES = {
    "quick": "thumbnet/quick",
    "resnet18": "vonmartens2019/resnet18",
    "lenet5": "vonmartens2019/lenet5",
}
STORED = {"A": ("quick", 0), "B": ("lenet5", 0), "C": ("lenet5", 1)}  # network and seed
READY = 4  # batches held in memory for the network alone
LIMIT_S = 5.0
PARTS = ["rate", "analyses"]
ANALYSES = {
    "evaluate": "evaluate A --split val",
    "compare of three": "compare A B C --split val",
    "show confusions": "show confusions A --split val -o a.png",
    "show hardest": "show hardest A --split val -o b.png",
    "show gallery": "show gallery A --split val -o c.png",
    "show wins": "show wins A B --split val -o d.png",
    "show objects": "show objects A --split val -o e.png",
    "show objects of three": "show objects A B C --split val -o f.png",
    "ensemble of three": "ensemble A B C -o made",
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="as thumbnet train takes it")
    parser.add_argument(
        "--networks", nargs="+", choices=list(RECIPES), default=["quick", "resnet18"]
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, help="image files for the plain loop [all of val]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


def write_network(folder: Path, recipe: "RecipeSpec", dataset: "PackedDataset", seed: int) -> None:
    """Write a model folder of freshly initialized weights."""
    from thumbnet.build import build_model, build_preprocess, resolve
    from thumbnet.model_folder import TrainedModel, write_config, write_weights

    torch.manual_seed(seed)
    recipe = resolve(recipe, dataset)
    model = build_model(recipe)
    trained = TrainedModel(
        model=model,
        architecture=recipe.model.name,
        model_args=dict(recipe.model.args),
        num_outputs=recipe.quirks.num_outputs or dataset.num_classes,
        preprocess=build_preprocess(recipe.preprocess, dataset),
        wnids=dataset.wnids,
        class_names=dataset.class_names,
        fingerprint=dataset.fingerprint,
        recipe=recipe.name,
    )
    write_config(folder, trained)
    write_weights(folder, model, {})


# -- the rate of a whole split


@torch.inference_mode()
def alone(folder: Path, dataset: "PackedDataset") -> tuple[Callable[[], float], float]:
    """Return what runs the bare network over as many images as val has, and returns seconds.

    And the operations of an image.
    """
    from thumbnet import load_predictor
    from thumbnet.evaluation.predict import BATCH

    predictor = load_predictor(folder)
    images = torch.from_numpy(dataset.splits["val"].images[: READY * BATCH])
    preprocess, model = predictor.trained.preprocess, predictor.model.eval()
    batches = [preprocess(part) for part in images.split(BATCH)]
    num_batches = -(-len(dataset.splits["val"]) // BATCH)
    flop = count_flop(lambda: model(batches[0])) / len(batches[0])  # and warms up

    @torch.inference_mode()
    def run() -> float:
        started = perf_counter()
        for number in range(num_batches):
            model(batches[number % len(batches)])
        return perf_counter() - started

    return run, flop


def whole(folder: Path, data: Path) -> float:
    """Return the seconds of judging val from nothing but files."""
    from thumbnet import evaluate

    shutil.rmtree(folder / "predictions", ignore_errors=True)
    started = perf_counter()
    evaluate(folder, "val", data)
    return perf_counter() - started


@torch.inference_mode()
def plain(folder: Path, images: Path) -> float:
    """Return images a second of a plain loop over image files."""
    from thumbnet import load_predictor
    from thumbnet.evaluation.predict import BATCH

    predictor = load_predictor(folder)
    preprocess, model = predictor.trained.preprocess, predictor.model.eval()
    mode = "L" if preprocess.in_channels == 1 else "RGB"
    mean, std = list(preprocess.mean), list(preprocess.std)
    files = ImageFolder(images, mode, preprocess.image_size, mean, std)
    right, started = 0, perf_counter()
    for inputs, labels in DataLoader(files, batch_size=BATCH, num_workers=2):
        right += int((model(inputs).argmax(1) == labels).sum())
    return len(files) / (perf_counter() - started)


def write_images(dataset: "PackedDataset", count: int, folder: Path) -> None:
    """Write val's pixels as JPEG files, a folder a class."""
    val = dataset.splits["val"]
    assert val.labels is not None
    for i in range(count):
        place = folder / dataset.wnids[int(val.labels[i])]
        place.mkdir(exist_ok=True)
        Image.fromarray(np.asarray(val.images[i])).save(place / f"{i}.jpg", quality=90)


def rates(
    args: argparse.Namespace, dataset: "PackedDataset", home: Path
) -> tuple[str, list[dict[str, Any]]]:
    """Measure in turns, and return the table and the figures."""
    num_images = len(dataset.splits["val"])
    files = home / "images"
    files.mkdir()
    write_images(dataset, min(args.images or num_images, num_images), files)
    rows, lines = [], []
    for name in args.networks:
        folder = home / f"{name}.0"
        bare, flop = alone(folder, dataset)
        took: dict[str, list[float]] = {"whole": [], "alone": [], "plain": []}
        of_product: list[float] = []
        for _ in range(args.rounds):
            took["whole"].append(num_images / whole(folder, dataset.path))
            took["alone"].append(num_images / bare())
            of_product.append(
                flop * took["alone"][-1] / product_rate(torch.float32, "cpu", times=1)
            )
            took["plain"].append(plain(folder, files))
        of_alone = [a / b for a, b in zip(took["whole"], took["alone"], strict=True)]
        of_plain = [a / b for a, b in zip(took["whole"], took["plain"], strict=True)]
        seconds = [num_images / rate for rate in took["whole"]]
        rows.append([
            RECIPES[name], summary(seconds), summary(took["whole"], 0), summary(took["alone"], 0),
            summary(of_alone, 2), summary(of_product, 2), summary(took["plain"], 0),
            summary(of_plain, 2),
        ])  # fmt: skip
        figures = {"images_per_s": took, "of_alone": of_alone, "of_plain": of_plain,
                   "flop_an_image": flop, "alone_over_fp32_product": of_product}  # fmt: skip
        lines.append({"what": f"judging with the network of {RECIPES[name]}", "figures": figures})
        print(rows[-1], file=sys.stderr)
    columns = ["network of", "evaluate, s", "images/s", "network alone, images/s",
               "evaluate over network alone", "network alone over the fp32 product",
               "plain loop over files, images/s", "evaluate over plain loop"]  # fmt: skip
    text = f"All {num_images:,} images of val; {args.rounds} rounds in turns, median (least to "
    return f"{text}greatest).\n\n{table(columns, rows)}", lines


# -- analyses of stored predictions


def analyses(dataset: "PackedDataset", home: Path, rounds: int) -> tuple[str, list[dict[str, Any]]]:
    """Time each command in a process of its own; one that is not under the limit is named."""
    from thumbnet import evaluate

    folders = {letter: home / f"{name}.{seed}" for letter, (name, seed) in STORED.items()}
    for folder in folders.values():
        evaluate(folder, "val", dataset)
    start = [run(["-c", "import torch, thumbnet.cli.main"], home) for _ in range(rounds)]
    took: dict[str, list[float]] = {}
    for what, line in ANALYSES.items():
        words = [str(folders.get(word, word)) for word in line.split()]
        for _ in range(rounds):
            shutil.rmtree(home / "made", ignore_errors=True)
            seconds = run(["-m", "thumbnet", *words, "--data", str(dataset.path)], home)
            took.setdefault(what, []).append(seconds)
    slow = [what for what, seconds in took.items() if min(seconds) > LIMIT_S]
    rows = [[what, summary(seconds, 2)] for what, seconds in took.items()]
    verdict = f"over {LIMIT_S:.0f} s: {', '.join(slow)}" if slow else f"all under {LIMIT_S:.0f} s"
    text = (
        f"Analyses of stored predictions of {len(dataset.splits['val']):,} images, each a process "
        f"of its own, {verdict}; of this the start of Python and torch takes "
        f"{summary(start, 2)} s.\n\n{table(['command', 'seconds'], rows)}"
    )
    return text, [{"what": "analyses of stored predictions", "figures": {**took, "start": start}}]


def run(words: list[str], home: Path) -> float:
    """Return the seconds of a Python command; it must end well."""
    started = perf_counter()
    done = subprocess.run(
        [sys.executable, *words], cwd=home, capture_output=True, text=True, check=False
    )
    took = perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with status {done.returncode}: {done.stderr}")
    return took


def main() -> None:
    from thumbnet.data.sources import load_dataset
    from thumbnet.recipes.registry import load_recipe

    args = parse()
    dataset = load_dataset(args.data)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, seed in {*STORED.values(), *((name, 0) for name in args.networks)}:
            recipe = load_recipe(RECIPES[name])
            write_network(home / f"{name}.{seed}", recipe, dataset, args.seed + seed)
        texts, lines = [], []
        if "rate" in args.parts:
            text, figures = rates(args, dataset, home)
            texts.append(text)
            lines += figures
        if "analyses" in args.parts:
            text, figures = analyses(dataset, home, args.rounds)
            texts.append(text)
            lines += figures
    text = "\n\n".join(texts)
    print(text)
    if args.record:
        keep("evaluate", text, lines, args.seed)


if __name__ == "__main__":
    main()
