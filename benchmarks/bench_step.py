"""How fast a training step is: against a plain PyTorch script, and against the machine's limit.

    python benchmarks/bench_step.py --data tiny-imagenet-200.zip --record

Part `peer`: images per second of training, end to end, of `thumbnet train` (ours_session.py)
and of a plain script over the same image files (peer_plain_torch.py), for two published rows. Each
run is a fresh process; the two sides take turns, and the ratio is taken pair by pair.

Part `limit`: floating-point operations per second of a training step of resnet18_3x3 at 64 px,
batch 64, over those of one large matrix product on the same machine.

A try that takes a minute: --pairs 1 --images 2000 --warmup 5 --steps 20. Without --record nothing
is written.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from record import HERE, count_flop, fresh, keep, summary, table

if TYPE_CHECKING:
    import torch

    from thumbnet.training.engine import Picks

NETWORK, BATCH, SIZE, NUM_CLASSES = "resnet18_3x3", 64, 64, 200
PRODUCT = 4096
REPEATS = 7


@dataclass(frozen=True)
class Case:
    """A published row; `later`: its images are scaled down, so the first epoch is slower."""

    recipe: str
    network: str
    warmup: int
    steps: int
    later: bool


CASES = (
    Case("vonmartens2019/lenet5", "lenet5", warmup=200, steps=400, later=True),
    Case("vonmartens2019/resnet18", "resnet18", warmup=50, steps=150, later=False),
)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="archive or folder of images [as thumbnet train]")
    parser.add_argument("--parts", nargs="+", choices=["peer", "limit"], default=["peer", "limit"])
    parser.add_argument("--cases", nargs="+", default=[case.network for case in CASES])
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side")
    parser.add_argument("--images", type=int, default=20_000, help="image files for the peer")
    parser.add_argument("--warmup", type=int, help="steps before the clock starts")
    parser.add_argument("--steps", type=int, help="steps on the clock")
    parser.add_argument("--device", help="cpu or cuda [the fastest]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


# -- against a plain script


def write_images(source: Path, count: int, folder: Path) -> int:
    """Write train images of a source as files, a folder a class, the same number of each.

    Archives are read by the package's own reader, which refuses members that point outside.
    """
    from thumbnet.data.archive import read_archive
    from thumbnet.data.image_folder import read_folder
    from thumbnet.data.layout import content, is_image

    tree = read_folder(source)[0] if source.is_dir() else read_archive(source)
    classes: dict[str, list[str]] = {}
    for name in sorted(tree.files):
        before, train, after = f"/{name}".partition("/train/")
        if train and "/train/" not in before and is_image(name):
            classes.setdefault(after.split("/")[0], []).append(name)
    each, written = max(1, count // max(1, len(classes))), 0
    for wnid, names in classes.items():
        (folder / wnid).mkdir(parents=True)
        for name in names[:each]:
            (folder / wnid / Path(name).name).write_bytes(content(tree.files[name]))
            written += 1
    return written


def compare(args: argparse.Namespace, lines: list[dict[str, Any]]) -> str:
    """Run all pairs and return the table."""
    from thumbnet.data.packed import is_packed
    from thumbnet.data.sources import load_dataset, locate

    source = locate(args.data)
    if source is None or is_packed(source):
        sys.exit("the peer reads image files: give the archive or their folder with --data")
    packed, rows = load_dataset(source).path, []
    with tempfile.TemporaryDirectory() as images:
        num_images = write_images(source, args.images, Path(images))
        print(f"the peer reads {num_images} image files", file=sys.stderr)
        for case in CASES:
            if case.network not in args.cases:
                continue
            figures = run_pairs(case, args, packed, Path(images))
            lines.append({"what": f"{case.recipe} against a plain script", "figures": figures})
            rows.append(
                [
                    case.recipe,
                    summary(figures["ours_images_per_s"], 0),
                    summary(figures["ours_first_epoch_images_per_s"], 0),
                    summary(figures["peer_images_per_s"], 0),
                    summary(figures["ratios"], 2),
                    "{precision}, {memory_format}, {threads} threads".format(**figures["picks"]),
                ]
            )
    columns = ["recipe", "thumbnet, images/s", "in its first epoch", "plain script, images/s",
               "ratio pair by pair", "the engine picked"]  # fmt: skip
    return f"{args.pairs} pairs; median (least to greatest).\n\n{table(columns, rows)}"


def run_pairs(case: Case, args: argparse.Namespace, packed: Path, images: Path) -> dict[str, Any]:
    """Run both sides in turns and return their figures."""
    warmup = case.warmup if args.warmup is None else args.warmup
    steps = args.steps or case.steps
    shared = ["--warmup", str(warmup), "--steps", str(steps)]
    shared += ["--device", args.device, "--seed", str(args.seed)]
    ours: list[str | Path] = [HERE / "ours_session.py", packed, "--recipe", case.recipe, *shared]
    peer: list[str | Path] = [HERE / "peer_plain_torch.py", images, "--network", case.network]
    results = []
    for number in range(args.pairs):
        pair = fresh([*ours, *(["--later"] if case.later else [])]), fresh([*peer, *shared])
        results.append(pair)
        rates = " against ".join(f"{side['images_per_s']:,.0f}" for side in pair)
        print(f"{case.network}, pair {number + 1}: {rates} images/s", file=sys.stderr)
    return {
        "ours_images_per_s": [one["images_per_s"] for one, _ in results],
        "ours_first_epoch_images_per_s": [one["first_epoch_images_per_s"] for one, _ in results],
        "peer_images_per_s": [two["images_per_s"] for _, two in results],
        "ratios": [one["images_per_s"] / two["images_per_s"] for one, two in results],
        "picks": results[-1][0]["picks"],
        "warmup": warmup,
        "steps": steps,
    }


# -- against the limit


def flop_a_pass(network: str, batch: int, size: int) -> int:
    """Return the operations of one forward and backward pass; a multiply-add counts as two."""
    import torch

    from thumbnet import create_model

    with torch.device("meta"):
        model, images = create_model(network, NUM_CLASSES), torch.empty(batch, 3, size, size)
        return count_flop(lambda: model(images).sum().backward())


def in_turns(works: dict[str, Callable[[], object]], device: str) -> dict[str, list[float]]:
    """Return the seconds of each work in each of several rounds, after two rounds to warm up.

    A machine that is shared has slow minutes; work of the same round sees the same.
    """
    import torch

    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(2 + REPEATS):
        for name, work in works.items():
            started = perf_counter()
            work()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if number >= 2:
                times[name].append(perf_counter() - started)
    return times


def step_work(picks: "Picks") -> Callable[[], object]:
    """Return a training step on a batch that is there already."""
    import torch

    from thumbnet import create_model
    from thumbnet.optim.optimizers import make_optimizer
    from thumbnet.recipe import SgdSpec
    from thumbnet.training.engine import Engine
    from thumbnet.training.phases import StepPlan
    from thumbnet.training.state import TrainState
    from thumbnet.training.step import train_step

    engine = Engine(picks)
    model = engine.place(create_model(NETWORK, NUM_CLASSES)).train()
    optimizer = make_optimizer(model, SgdSpec(momentum=0.9))
    state = TrainState(model, optimizer, torch.zeros((), device=engine.device))
    plan = StepPlan(0, 0, 0, SIZE, 0.01, 0, BATCH, False, 0.0, False)
    images = engine.formatted(torch.randn(BATCH, 3, SIZE, SIZE, device=engine.device))
    labels = torch.randint(NUM_CLASSES, (BATCH,), device=engine.device)
    return lambda: train_step(state, images, labels, plan, engine)


def product_work(dtype: "torch.dtype", device: str) -> Callable[[], object]:
    """Return a matrix product, its output placed already."""
    import torch

    left, right = (torch.randn(PRODUCT, PRODUCT, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=out)


def product_rate(dtype: "torch.dtype", device: str, times: int) -> float:
    """Return the operations a second of that product, at its best of so many after a first."""
    import torch

    work, seconds = product_work(dtype, device), list[float]()
    for _ in range(1 + times):
        started = perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        seconds.append(perf_counter() - started)
    return float(2 * PRODUCT**3 / min(seconds[1:]))


def against_limit(args: argparse.Namespace, lines: list[dict[str, Any]]) -> str:
    """Time steps of both precisions and both matrix products in turns; return the table."""
    import torch

    from thumbnet import create_model
    from thumbnet.recipe import TrainingSpec
    from thumbnet.training.engine import Engine
    from thumbnet.training.measure import measure

    torch.manual_seed(args.seed)
    flop, shape = flop_a_pass(NETWORK, BATCH, SIZE), (BATCH, 3, SIZE, SIZE)
    model = create_model(NETWORK, NUM_CLASSES)
    picked = measure(model, TrainingSpec(batch_size=BATCH), [shape], SIZE, args.device).picks
    works = {
        "bf16 product": product_work(torch.bfloat16, args.device),
        "bf16 step": step_work(replace(picked, precision="bf16")),
        "fp32 step": step_work(replace(picked, precision="fp32")),
        "fp32 product": product_work(torch.float32, args.device),
    }
    with Engine(picked).threads():
        times = in_turns(works, args.device)
    rates = {
        name: [(flop if name.endswith("step") else 2 * PRODUCT**3) / s for s in seconds]
        for name, seconds in times.items()
    }
    over = {
        limit: {name: [a / b for a, b in zip(rates[name], rates[limit], strict=True)]
                for name in rates}
        for limit in ("bf16 product", "fp32 product")
    }  # fmt: skip
    pick = f"{picked.precision} step"
    figures = {"flop_a_step": flop, "flop_per_s": rates, "picks": vars(picked)}
    figures |= {f"pick_over_{limit.replace(' ', '_')}": over[limit][pick] for limit in over}
    lines.append({"what": f"{NETWORK} against a matrix product", "figures": figures})
    rows = [
        [
            name + (", the engine's pick" if name == pick else ""),
            summary(times[name], 3),
            summary([rate / 1e9 for rate in rates[name]], 0),
            *(summary(over[limit][name], 2) for limit in over),
        ]
        for name in works
    ]
    columns = ["what", "s", "GFLOP/s", "over the bf16 product", "over the fp32 product"]
    about = (
        f"{NETWORK}, batch {BATCH}, {SIZE} px, {picked.memory_format}, {picked.threads} threads: "
        f"{flop / 1e9:,.0f} GFLOP a step. Products of {PRODUCT} x {PRODUCT}. Steps and products "
        f"in turns, {REPEATS} rounds, ratios round by round; median (least to greatest)."
    )
    return f"{about}\n\n{table(columns, rows)}"


def main() -> None:
    args = parse()
    from thumbnet.training.engine import find_device

    args.device = find_device(args.device)
    lines: list[dict[str, Any]] = []
    parts = {"peer": compare, "limit": against_limit}
    texts = [parts[name](args, lines) for name in args.parts]
    print("\n\n".join(texts))
    if args.record:
        keep("step", "\n\n".join(texts), lines, args.seed)


if __name__ == "__main__":
    main()
