"""Whether several processes train what one does: the loss of each step, and what is judged right.

    python benchmarks/bench_ranks.py --data tiny-imagenet-200.zip --record

Each job is `thumbnet train` of the recipe in fp32, cut to so many steps, on one process and then by
torchrun on several (gloo, on one machine). The losses compared are the means over each batch that
the step itself returns; after the last step the watched images are judged. At its published rate
LeNet-5 hardly moves in so few steps, so it is also trained at a higher one.

What several processes add up in another order differs in the last bit, and where a network has a
choice (the larger of two in max-pooling) a last bit can grow. How much of the difference is that
alone is told by a control: one process that takes the shares of each batch one after the other.

Without --record nothing is written.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from record import fresh, keep, table

LENET = "vonmartens2019/lenet5"
CASES = {
    LENET: (LENET, {}),
    f"{LENET}, lr 0.02": (LENET, {"training.schedule.lr": 0.02}),
}
WATCHED = ("watch_top1", "watch_top5", "watch_loss")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="archive or folder of images [as thumbnet train]")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--ranks", nargs="+", type=int, default=[2, 4])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    parser.add_argument("--train", choices=list(CASES), help=argparse.SUPPRESS)  # one process
    parser.add_argument("--shares", type=int, default=1, help=argparse.SUPPRESS)  # in turn
    return parser.parse_args()


def train(args: argparse.Namespace) -> None:
    """Train in this process, alone or as one of several; the first prints what came of it."""
    from thumbnet.recipes.registry import load_recipe
    from thumbnet.training import trainer
    from thumbnet.training.distributed import join
    from thumbnet.training.session import train

    losses = list[float]()
    step = trainer.train_step if args.shares == 1 else in_turn(args.shares)

    def noting_step(*given: Any) -> Any:
        loss = step(*given)
        losses.append(float(loss))
        return loss

    trainer.train_step = noting_step
    name, changed = CASES[args.train]
    settings = {
        **changed,
        "training.precision": "fp32",
        "training.threads": 1,
        "phases.0.epochs": 1,
        "phases.0.steps_per_epoch": args.steps,
    }
    recipe = load_recipe(name, settings)
    recipe = recipe.model_copy(update={"phases": recipe.phases[:1]})
    with tempfile.TemporaryDirectory() as folder:
        result = train(recipe, args.data, out=Path(folder) / "run", seed=args.seed)
    if join().is_first:
        scores = {key: result.rows[-1][key] for key in WATCHED}
        print(json.dumps({"losses": losses, **scores}))


def in_turn(num_shares: int) -> Callable[..., Any]:
    """Return a step of one process that takes the shares of its batch one after the other."""
    from thumbnet.optim.optimizers import update
    from thumbnet.training.step import loss_of
    from thumbnet.training.world import World, share_of

    def step(state: Any, images: Any, labels: Any, plan: Any, engine: Any, *_: Any) -> Any:
        state.optimizer.zero_grad(set_to_none=True)
        losses = []
        for rank in range(num_shares):
            share = share_of(0, len(labels), World(rank, num_shares))
            part = slice(share.first, share.last)
            logits = state.model(engine.formatted(images[part]))
            loss = loss_of(logits, labels[part], plan.label_smoothing) * share.weight / num_shares
            loss.backward()
            losses.append(loss.detach())
        update(state.optimizer, plan.lr, state.clip_norm)
        state.step += 1
        return sum(losses)

    return step


def job(case: str, num_ranks: int, args: argparse.Namespace, shares: int = 1) -> dict[str, Any]:
    """Train on so many processes, or on one that takes so many shares in turn."""
    script = [
        __file__,
        "--train",
        case,
        "--shares",
        shares,
        "--steps",
        args.steps,
        "--seed",
        args.seed,
    ]
    script += ["--data", args.data] if args.data else []
    together = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_ranks}"]
    words = [*(together if num_ranks > 1 else []), *map(str, script)]
    figures = fresh(words, OMP_NUM_THREADS="1")
    assert len(figures["losses"]) == args.steps
    return figures


def distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the most that the losses of a step are apart."""
    return max(abs(a - b) for a, b in zip(one["losses"], other["losses"], strict=True))


def main() -> None:
    args = parse()
    if args.train:
        train(args)
        return
    rows, lines = list[list[object]](), list[dict[str, Any]]()
    for case in args.cases:
        alone = job(case, 1, args)
        for num_ranks in args.ranks:
            together = job(case, num_ranks, args)
            shares = job(case, 1, args, num_ranks)
            apart, control = (distance(alone, other) for other in (together, shares))
            rest = distance(together, shares)
            same = all(alone[key] == together[key] for key in ("watch_top1", "watch_top5"))
            print(f"{case}, {num_ranks} processes: {apart:.1e} apart", file=sys.stderr)
            rows.append([
                case, num_ranks, f"{alone['losses'][0]:.4f} to {alone['losses'][-1]:.4f}",
                f"{apart:.1e}", f"{control:.1e}", f"{rest:.1e}",
                f"{abs(alone['watch_loss'] - together['watch_loss']):.1e}",
                "the same" if same else "another",
            ])  # fmt: skip
            figures = {
                "num_ranks": num_ranks,
                "losses_apart": apart,
                "control_apart": control,
                "apart_from_control": rest,
                "first_and_last_loss": [alone["losses"][0], alone["losses"][-1]],
                "watched": [{key: job[key] for key in WATCHED} for job in (alone, together)],
            }
            lines.append({"what": f"{case} on {num_ranks} processes", "figures": figures})
    columns = [
        "job", "processes", "loss over the steps, one process",
        "losses apart, at most", "control apart from one process", "processes apart from control",
        "watched loss apart", "counts of top-1 and top-5",
    ]  # fmt: skip
    text = f"{args.steps} steps in fp32, then all watched images judged.\n\n{table(columns, rows)}"
    print(text)
    if args.record:
        keep("ranks", text, lines, args.seed)


if __name__ == "__main__":
    main()
