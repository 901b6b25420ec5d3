"""What to see on a GPU's first run: rates of eager, graph and compiled steps, and that they agree.

    python benchmarks/bench_gpu.py --record

Part `rates`: images per second, and the share of a bf16 matrix product's rate, of steps that are
run as they are, as a captured graph, and compiled; augmentation, optimizer and average included.
Part `agree`: losses of eager and captured steps beside each other, mixes and dropout included.
Part `waits`: each wait for the device in such steps, of which there should be none. On
a CPU there is no graph, and no wait is seen: --device cpu tries the script itself.
"""

import argparse
import sys
import warnings
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench_step import PRODUCT, flop_a_pass, product_rate
from record import keep, summary, table

if TYPE_CHECKING:
    import torch

NUM_CLASSES, PER_CLASS = 100, 41
ROUNDS = 5
AGREE_STEPS, AGREE_BATCH = 40, 96


@dataclass(frozen=True)
class Case:
    """Steps of one network at one size, of augmented batches, some of them mixed if asked for."""

    network: str
    size: int
    batch: int
    mixed: bool = False


CASES = (
    Case("resnet18_3x3", 64, 256),
    Case("thumbnet_quick", 32, 256),
    Case("thumbnet_quick", 48, 256),
    Case("thumbnet_quick", 64, 256),
)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", help="[the fastest]")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--ways", nargs="+", choices=["eager", "graph", "compiled"],
                        default=["eager", "graph", "compiled"])  # fmt: skip
    parser.add_argument("--networks", nargs="+", default=sorted({c.network for c in CASES}))
    parser.add_argument("--batch", type=int, help="instead of each case's own")
    parser.add_argument("--steps", type=int, default=30, help="a round on the clock")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


class Job:
    """Real steps on a synthetic data set: feed, step, and the sum of losses."""

    def __init__(self, case: Case, way: str, args: argparse.Namespace, precision: str) -> None:
        import torch

        from thumbnet.build import build_model, build_preprocess, resolve
        from thumbnet.data.splits import apply_protocol
        from thumbnet.recipe import PhaseSpec
        from thumbnet.recipes.registry import load_recipe
        from thumbnet.training.engine import Engine, Picks
        from thumbnet.training.feed import Feed
        from thumbnet.training.job import new_state
        from thumbnet.training.phases import Plan

        changes: dict[str, Any] = {"training.seed": args.seed, "training.schedule.lr": 0.05}
        if case.mixed:
            changes["training.mix"] = [{"name": "mixup"}, {"name": "cutmix"}]
        recipe = load_recipe("thumbnet/quick", {**changes, "training.ema_decay": 0.99})
        model = recipe.model.model_copy(update={"name": case.network, "args": {}})
        phases = (
            PhaseSpec(epochs=1000, image_size=case.size, batch_size=args.batch or case.batch),
        )
        recipe = resolve(recipe.model_copy(update={"model": model, "phases": phases}), args.data)
        fit = apply_protocol(args.data, "official").fit
        self.plan = Plan(recipe, len(fit))
        self.engine = Engine(
            Picks(args.device, precision, "channels_last", torch.get_num_threads(), way)
        )
        torch.manual_seed(args.seed)
        self.state = new_state(recipe, build_model(recipe), self.engine, self.plan)
        self.state.model.train()
        preprocess = build_preprocess(recipe.preprocess, args.data)
        self.feed = Feed(args.data, fit, preprocess, self.plan, self.engine.device)

    def take(self, num_steps: int) -> "list[torch.Tensor]":
        """Take steps as the trainer does."""
        from thumbnet.training.step import seed_step, train_step

        losses = []
        for _ in range(num_steps):
            at = self.plan.at(self.state.step)
            seed_step(0, at.step, self.engine.device)
            images, labels, mix = self.feed.batch(at)
            loss = train_step(self.state, images, labels, at, self.engine, mix)
            self.state.loss_sum += loss * (at.last - at.first)
            losses.append(loss)
        return losses

    def wait(self) -> None:
        """Wait for the device."""
        self.state.loss_sum.item()


def rates(args: argparse.Namespace, lines: list[dict[str, Any]]) -> str:
    """Time steps of each case and way; return the table."""
    import torch

    limit = product_rate(torch.bfloat16, args.device, times=10)
    rows = []
    for case in (case for case in CASES if case.network in args.networks):
        flop = flop_a_pass(case.network, args.batch or case.batch, case.size)
        for way in args.ways:
            begun = perf_counter()
            job = Job(case, way, args, "bf16")
            job.take(warm_up(way))
            job.wait()
            ready_s, times = perf_counter() - begun, list[float]()
            for _ in range(ROUNDS):
                started = perf_counter()
                job.take(args.steps)
                job.wait()
                times.append((perf_counter() - started) / args.steps)
            images = [(args.batch or case.batch) / s for s in times]
            shares = [flop / s / limit for s in times]
            figures = {"images_per_s": images, "share_of_product": shares, "ready_s": ready_s}
            lines.append({"what": f"{case.network} {case.size} px, {way}", "figures": figures})
            rows.append([case.network, case.size, way, summary(images, 0), summary(shares, 3),
                         f"{ready_s:.1f}"])  # fmt: skip
            print(f"{case.network} {case.size} px {way}: {max(images):,.0f}/s", file=sys.stderr)
            del job
    columns = ["network", "px", "step", "images/s", "share of the bf16 product", "ready after, s"]
    about = (
        f"bf16, channels_last, batch {args.batch or 256}; a bf16 product of {PRODUCT} x {PRODUCT} "
        f"does {limit / 1e12:,.1f} TFLOP/s. {ROUNDS} rounds of {args.steps} steps."
    )
    return f"{about}\n\n{table(columns, rows)}"


def warm_up(way: str) -> int:
    """Return how many steps it takes until all that comes often is captured or compiled."""
    from thumbnet.training.passes import RARE, WARM_UPS

    num_kinds = 3  # of batches: unmixed and the two mixes
    return {"eager": 3, "graph": 4 * num_kinds * WARM_UPS, "compiled": RARE + 20}[way]


def agree(args: argparse.Namespace, lines: list[dict[str, Any]]) -> str:
    """Compare the losses of captured steps with those of eager ones; return what was seen."""
    import torch

    rows = []
    for network, precision in (("thumbnet_quick", "fp32"), ("thumbnet_quick", "bf16"),
                               ("alchnet11", "fp32")):  # fmt: skip
        case = Case(network, 64, args.batch or AGREE_BATCH, mixed=True)
        both = []
        for way in ("eager", "graph" if "graph" in args.ways else "eager"):
            job = Job(case, way, args, precision)
            both.append(torch.stack(job.take(AGREE_STEPS)).float().cpu())
            del job
        apart = (both[0] - both[1]).abs()
        figures = {"losses": both[0].tolist(), "apart": apart.tolist()}
        lines.append({"what": f"eager and graph: {network}, {precision}", "figures": figures})
        rows.append([network, precision, f"{both[0][0]:.4f}", f"{both[0][-1]:.4f}",
                     f"{apart[:5].max():.2g}", f"{apart.max():.2g}"])  # fmt: skip
    columns = ["network", "precision", "first loss", "last loss", "apart in 5 steps",
               f"in {AGREE_STEPS}"]  # fmt: skip
    return table(columns, rows)


def waits(args: argparse.Namespace, lines: list[dict[str, Any]]) -> str:
    """Count the waits for the device in steps that are warm; return them."""
    import torch

    rows = []
    for way in (way for way in args.ways if way != "compiled"):
        job = Job(Case("thumbnet_quick", 64, 256, mixed=True), way, args, "bf16")
        job.take(warm_up(way))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            if args.device.startswith("cuda"):
                torch.cuda.set_sync_debug_mode("warn")
            job.take(args.steps)
            if args.device.startswith("cuda"):
                torch.cuda.set_sync_debug_mode("default")
        found = [f"{one.filename}:{one.lineno}" for one in seen if "synchron" in str(one.message)]
        lines.append({"what": f"waits in {args.steps} {way} steps", "figures": {"found": found}})
        rows.append([way, args.steps, len(found), ", ".join(sorted(set(found))) or "nowhere"])
    return table(["step", "steps", "waits", "where"], rows)


PARTS = {"waits": waits, "agree": agree, "rates": rates}


def main() -> None:
    args = parse()
    from thumbnet.data.synthetic import synthesize
    from thumbnet.training.engine import find_device

    args.device = find_device(args.device)
    if not args.device.startswith("cuda"):
        args.ways = [way for way in args.ways if way != "graph"]
    args.data = synthesize(num_classes=NUM_CLASSES, train_per_class=PER_CLASS, val_per_class=1)
    lines: list[dict[str, Any]] = []
    texts = []
    for name in args.parts:
        texts.append(PARTS[name](args, lines))
        print(f"{name}:\n{texts[-1]}\n", flush=True)
    if args.record:
        keep("gpu", "\n\n".join(texts), lines, args.seed)


if __name__ == "__main__":
    main()
