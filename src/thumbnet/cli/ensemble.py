"""`thumbnet ensemble`: several trained networks made one, and whether that helps."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from thumbnet.cli.judge import DeviceOption, WeightsOption
from thumbnet.cli.output import Table, err, out
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption
from thumbnet.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thumbnet.evaluation.compare import Pair
    from thumbnet.inference import Evaluation
    from thumbnet.recipe import RecipeSpec
    from thumbnet.training.events import Observer


def ensemble(
    runs: Annotated[
        list[str], typer.Argument(help="Two or more runs or model folders; a recipe with --seeds.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The model folder to write.")],
    combine: Annotated[
        Literal["logits", "probs"], typer.Option(help="What is averaged.")
    ] = "logits",
    share: Annotated[
        list[float] | None,
        typer.Option(help="How much each counts, in their order (default: alike)."),
    ] = None,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Choose members on the watched images.")
    ] = False,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit the shares on the watched images.")
    ] = False,
    average_weights: Annotated[
        bool,
        typer.Option(
            "--average-weights",
            help="One network of the mean of the weights; batch norm is measured anew.",
        ),
    ] = False,
    snapshots: Annotated[
        bool,
        typer.Option(
            "--snapshots", help="Take what one run kept by its recipe's training.snapshots."
        ),
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Train the recipe so many times, where that is not done, and take these."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="With --seeds: override a key of the recipe.")
    ] = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
) -> None:
    """Make one model folder of several networks, and compare it with its members."""
    from thumbnet.ensembles import check_vacant, make_ensemble, snapshots_of
    from thumbnet.training.engine import find_device

    where = find_device(device)
    check_vacant(output)
    if set_ and seeds is None:
        raise RecipeError("--set goes with --seeds; trained networks are what they are")
    if snapshots and seeds is not None:
        raise RecipeError("give --snapshots of a run, or --seeds of a recipe, not both")
    members = runs
    if seeds is not None:
        members = _trained(runs, seeds, set_ or [], data, device)
    elif snapshots:
        members = snapshots_of(runs)
    with bar("judging") as progress:
        made = make_ensemble(
            members, output, data, combine=combine, shares=share, greedy=greedy, fitted=fit,
            averages=average_weights, weights=weights, device=where, progress=progress,
        )  # fmt: skip
    _print(made.found, made.shares, made.pairs, str(output))
    if seeds is not None:
        _print_spread([made.found[name].scores.top1 for name in members])
    out.print(f"model folder: {output}; judge it with: thumbnet evaluate {output}")


def _trained(
    names: Sequence[str], seeds: int, settings: list[str], data: Path | None, device: str | None
) -> list[str]:
    """Return the runs of a recipe with so many seeds; ends the command where one is interrupted."""
    from thumbnet.cli.live import LiveTraining
    from thumbnet.data.sources import load_dataset
    from thumbnet.ensembles import train_seeds
    from thumbnet.recipes.registry import load_recipe, parse_overrides

    if len(names) != 1:
        raise RecipeError(f"--seeds takes one recipe, not {len(names)}: {', '.join(names)}")
    recipe = load_recipe(names[0], parse_overrides(settings))
    with bar("preparing the data") as progress:
        dataset = load_dataset(data, progress=progress)
    with LiveTraining() as live:

        def watch(one: RecipeSpec) -> Sequence[Observer]:
            err.print(f"\n{one.name}, seed {one.training.seed}", markup=False)
            return [live]

        found = train_seeds(recipe, seeds, dataset, device=device, observers=watch)
    if len(found) < seeds:
        again = shlex.join(["thumbnet", *sys.argv[1:]])
        out.print(f"interrupted and saved; {seeds - len(found)} seeds to go: {again}")
        raise typer.Exit(130)
    return [str(run.path) for run in found]


def _print_spread(top1: Sequence[float]) -> None:
    from thumbnet.ensembles import spread_of

    spread = spread_of([100 * one for one in top1])
    out.print(
        f"top-1 of the {spread.num} seeds: mean {spread.mean:.2f} %, sd {spread.sd:.2f} points, "
        f"{100 * min(top1):.2f} to {100 * max(top1):.2f} %"
    )


def _print(
    found: Mapping[str, Evaluation], shares: Sequence[float], pairs: Sequence[Pair], name: str
) -> None:
    judged_on = next(iter(found.values())).judged_on
    columns = "share, top-1, top-5, cross-entropy, ensemble less it, 95 % interval, p (Holm)"
    table = Table("network", columns, title=judged_on, drop="top-5, cross-entropy")
    against = {pair.second: pair for pair in pairs if pair.first == name}
    for (member, one), share in zip(found.items(), [*shares, 1.0], strict=True):
        pair = against.get(member)
        table.add_row(
            member,
            f"{share:.2f}",
            f"{100 * one.scores.top1:.2f} %",
            f"{100 * one.scores.top5:.2f} %",
            f"{one.scores.loss:.4f}",
            *_differences(pair),
        )
    out.print(table)
    best = max(against.values(), key=lambda pair: -pair.difference)
    sure = best.corrected < 0.05
    if sure and best.difference > 0:
        out.print(f"it helps: {100 * best.difference:+.2f} points over its best member")
    elif sure:
        out.print(f"it does harm: {100 * best.difference:+.2f} points against its best member")
    else:
        out.print("it is not told apart from its best member: that is no gain to rely on")


def _differences(pair: Pair | None) -> tuple[str, str, str]:
    if pair is None:
        return "", "", ""
    low, high = 100 * pair.interval.low, 100 * pair.interval.high
    return f"{100 * pair.difference:+.2f}", f"{low:+.2f} to {high:+.2f}", f"{pair.corrected:.2g}"
