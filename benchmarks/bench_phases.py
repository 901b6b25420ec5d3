"""How near a recipe's own training steps come to the machine's limit, and what the input takes.

    python benchmarks/bench_phases.py --recipe thumbnet/speedrun62 --record

For each phase of the recipe, in turns: five whole steps (forward, backward, update) on a batch that
is there already, five times what makes such a batch (fetch, augmentation, normalization), and one
large bf16 matrix product. The network, its optimizer, what is frozen and the batch are the
recipe's. Operations are those of convolutions and products, the optimizer's own among them (Muon
multiplies matrices) but told apart. Batches are not mixed. Images are scaled down when they are
first asked for: the input of a phase's first epoch is told apart.

A try that takes half a minute: --recipe thumbnet/speedrun45. Without --record nothing is
written.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import cycle
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench_step import PRODUCT, in_turns, product_work
from record import count_flop, keep, summary, table

if TYPE_CHECKING:
    from thumbnet.recipe import RecipeSpec
    from thumbnet.training.engine import Picks
    from thumbnet.training.feed import Feed
    from thumbnet.training.phases import PhasePlan, Plan

IN_A_ROW = 5  # a single step after other work finds none of its memory in the caches


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="as thumbnet train takes it")
    parser.add_argument("--recipe", default="thumbnet/speedrun62")
    parser.add_argument("--device", help="cpu or cuda [the fastest]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


def step_work(
    recipe: "RecipeSpec", plan: "Plan", phase: "PhasePlan", picks: "Picks"
) -> tuple[Callable[[], object], int, int]:
    """Return a step of this phase on a batch that is there already, and its operations.

    First those of a pass, forward and as far back as anything learns, then those of the update.
    """
    import torch

    from thumbnet.build import build_model, build_optimizer
    from thumbnet.training.engine import Engine
    from thumbnet.training.freezer import Freezer
    from thumbnet.training.state import TrainState
    from thumbnet.training.step import train_step

    engine = Engine(picks)
    model = engine.place(build_model(recipe)).train()
    optimizer = build_optimizer(recipe, phase.optimizer, model)
    Freezer().freeze(model, phase.freeze)
    state = TrainState(model, optimizer, torch.zeros((), device=engine.device))
    shape = phase.batch_size, 3, phase.input_size, phase.input_size
    images = engine.formatted(torch.randn(shape, device=engine.device))
    labels = torch.randint(recipe.data.num_classes or 1, shape[:1], device=engine.device)
    at = plan.at(phase.first_step)

    def step() -> object:
        return train_step(state, images, labels, at, engine)

    passes = count_flop(lambda: model(images).sum().backward())
    return step, passes, count_flop(step) - passes


def several(work: Callable[[], object]) -> Callable[[], object]:
    """Return that work, done a few times in a row."""

    def do() -> None:
        for _ in range(IN_A_ROW):
            work()

    return do


def input_work(feed: "Feed", phase: "PhasePlan") -> tuple[list[float], Callable[[], object]]:
    """Return the seconds of each input of a phase's first epoch, and what makes one after it."""
    last = phase.first_step + phase.num_steps
    later = phase.first_step + phase.steps_per_epoch
    seconds = []
    for step in range(phase.first_step, min(later, last)):
        started = perf_counter()
        feed.batch(feed.plan.at(step))
        seconds.append(perf_counter() - started)
    steps: Iterator[int] = cycle(range(later, last) or range(phase.first_step, last))
    return seconds, lambda: feed.batch(feed.plan.at(next(steps)))


def measure(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Time every phase; return the table and the figures."""
    import torch

    from thumbnet import load_dataset, load_recipe
    from thumbnet.build import build_model, build_preprocess, resolve
    from thumbnet.data.splits import apply_protocol
    from thumbnet.memory import keep_freed_memory
    from thumbnet.training.engine import Engine, find_device
    from thumbnet.training.feed import Feed
    from thumbnet.training.measure import measure as find_picks
    from thumbnet.training.phases import Plan

    torch.manual_seed(args.seed)
    keep_freed_memory()
    device = find_device(args.device)
    dataset = load_dataset(args.data)
    recipe = resolve(load_recipe(args.recipe), dataset)
    parts = apply_protocol(dataset, recipe.data.protocol)
    plan = Plan(recipe, len(parts.fit))
    shapes = [(p.batch_size, 3, p.input_size, p.input_size) for p in plan.phases]
    model = build_model(recipe)
    picks = find_picks(model, recipe.training, shapes, shapes[-1][-1], device).picks
    preprocess = build_preprocess(recipe.preprocess, dataset)
    feed = Feed(dataset, parts.fit, preprocess, plan, torch.device(device))
    rows, figures = [], list[dict[str, Any]]()
    with Engine(picks).threads():
        for phase in plan.phases:
            step, passes, updating = step_work(recipe, plan, phase, picks)
            flop = passes + updating
            first, make_input = input_work(feed, phase)
            works = {
                "step": several(step),
                "input": several(make_input),
                "product": product_work(torch.bfloat16, device),
            }
            seconds = in_turns(works, device)
            for name in ("step", "input"):
                seconds[name] = [s / IN_A_ROW for s in seconds[name]]
            product = [2 * PRODUCT**3 / s for s in seconds["product"]]
            over = [flop / s / rate for s, rate in zip(seconds["step"], product, strict=True)]
            shares = [a / (a + b) for a, b in zip(seconds["input"], seconds["step"], strict=True)]
            ms = [1000 * s for s in seconds["step"]]
            rows.append(
                [
                    f"{phase.image_size} px" + (", first layers frozen" if phase.freeze else ""),
                    f"{passes / 1e9:,.0f} + {updating / 1e9:,.0f}",
                    summary(ms, 0),
                    summary([flop / s / 1e9 for s in seconds["step"]], 0),
                    summary(over, 2),
                    f"{1000 * median(first):.1f}",
                    summary([1000 * s for s in seconds["input"]], 1),
                    f"{100 * median(shares):.1f} %",
                ]
            )
            figures.append(
                {"image_size": phase.image_size, "steps": phase.num_steps, "passes_flop": passes,
                 "update_flop": updating, "seconds": seconds, "first_input_s": median(first),
                 "over_product": over}
            )  # fmt: skip
    ideal = {  # seconds of the run at the rate of the product
        key: sum(
            f["steps"] * f[key] * median(f["seconds"]["product"]) / (2 * PRODUCT**3)
            for f in figures
        )
        for key in ("passes_flop", "update_flop")
    }
    needed = sum(f["steps"] * median(f["seconds"]["step"]) for f in figures)
    made = sum(f["steps"] * median(f["seconds"]["input"]) for f in figures)
    over_passes, over_all = ideal["passes_flop"] / needed, sum(ideal.values()) / needed
    columns = ["phase", "GFLOP a step: passes + update", "step, ms", "GFLOP/s", "over the product",
               "input in its first epoch, ms", "input later, ms", "share of it"]  # fmt: skip
    about = (
        f"{recipe.name}, batch {recipe.training.batch_size}, {picks.precision}, "
        f"{picks.memory_format}, {picks.threads} threads. Products of {PRODUCT} x {PRODUCT}. "
        f"In turns, {IN_A_ROW} steps in a row, ratios round by round; median (least to greatest)."
    )
    total = (
        f"Over the whole run, each phase by its steps: **{over_all:.2f}** of the product, "
        f"{over_passes:.2f} if only the passes count; the input takes "
        f"{100 * made / (made + needed):.1f} % of the time."
    )
    out = {"phases": figures, "picks": vars(picks), "over_product": over_all,
           "passes_over_product": over_passes, "input_share": made / (made + needed)}  # fmt: skip
    return f"{about}\n\n{table(columns, rows)}\n\n{total}", out


def main() -> None:
    args = parse()
    text, figures = measure(args)
    print(text)
    if args.record:
        lines = [{"what": f"{args.recipe}: its steps and input by phase", "figures": figures}]
        keep("phases", text, lines, args.seed)


if __name__ == "__main__":
    main()
