"""`thumbnet ensemble`: several trained networks made one, and whether that helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from thumbnet.cli.judge import DeviceOption, WeightsOption
from thumbnet.cli.output import make_table, out
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thumbnet.evaluation.compare import Pair
    from thumbnet.inference import Evaluation


def ensemble(
    runs: Annotated[list[str], typer.Argument(help="Two or more runs or model folders.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The model folder to write.")],
    combine: Annotated[
        Literal["logits", "probs"], typer.Option(help="What is averaged.")
    ] = "logits",
    share: Annotated[
        list[float] | None, typer.Option(help="How much each counts, in their order [alike].")
    ] = None,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Choose members on the watched images.")
    ] = False,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
) -> None:
    """Make one model folder of several networks, and compare it with its members."""
    from thumbnet.ensembles import make_ensemble
    from thumbnet.training.engine import find_device

    where = find_device(device)
    with bar("judging") as progress:
        made = make_ensemble(
            runs, output, data, combine=combine, shares=share, greedy=greedy, weights=weights,
            device=where, progress=progress,
        )  # fmt: skip
    _print(made.found, made.shares, made.pairs, str(output))
    out.print(f"model folder: {output}; judge it with: thumbnet evaluate {output}")


def _print(
    found: Mapping[str, Evaluation], shares: Sequence[float], pairs: Sequence[Pair], name: str
) -> None:
    judged_on = next(iter(found.values())).judged_on
    columns = "share, top-1, top-5, cross-entropy, ensemble less it, 95 % interval, p (Holm)"
    table = make_table("network", columns, title=judged_on)
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
