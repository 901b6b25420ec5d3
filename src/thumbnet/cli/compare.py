"""`thumbnet compare`: networks side by side on the same images, and what is more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.judge import DeviceOption, WeightsOption
from thumbnet.cli.output import Table, out
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thumbnet.inference import Evaluation

CLASSES_SHOWN = 5


def compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more runs or model folders.")],
    split: Annotated[
        str | None,
        typer.Option(help="train, val or a labelled test (default: as the first run's protocol)."),
    ] = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    views: Annotated[str, typer.Option(help="Test-time views, as for evaluate.")] = "one",
    device: DeviceOption = None,
) -> None:
    """Compare networks pair by pair on the same images, corrected for many comparisons."""
    from thumbnet.evaluation.compare import compare as compare_all
    from thumbnet.inference import evaluate_same
    from thumbnet.training.engine import find_device

    where = find_device(device)
    with bar("judging") as progress:
        found = evaluate_same(
            runs, split, data, weights=weights, views=views, device=where, progress=progress
        )
    labels = next(iter(found.values())).labels
    pairs = compare_all({name: one.logits for name, one in found.items()}, labels)
    _print_each(found)
    table = Table(
        "first, second",
        "difference, 95 % interval, only first right, only second, p (McNemar), p (Holm)",
        "result",
        drop="p (McNemar), only first right, only second",
    )
    for pair in pairs:
        sure = pair.corrected < 0.05
        better = "first" if pair.difference > 0 else "second"
        table.add_row(
            pair.first,
            pair.second,
            f"{100 * pair.difference:+.2f}",
            f"{100 * pair.interval.low:+.2f} to {100 * pair.interval.high:+.2f}",
            str(pair.only_first),
            str(pair.only_second),
            f"{pair.probability:.2g}",
            f"{pair.corrected:.2g}",
            f"{better} is better" if sure else "may be chance",
        )
    out.print(table)
    if len(found) == 2:
        _print_classes(found)


def _print_each(found: Mapping[str, Evaluation]) -> None:
    from thumbnet.significance import exact_interval

    judged_on = next(iter(found.values())).judged_on
    columns = "parameters, top-1, 95 % interval, top-5, cross-entropy"
    table = Table("network, of kind", columns, title=judged_on, drop="of kind, parameters")
    for name, one in sorted(found.items(), key=lambda item: -item[1].scores.top1):
        scores = one.scores
        interval = exact_interval(round(scores.top1 * scores.num_images), scores.num_images)
        table.add_row(
            name,
            one.architecture,
            f"{one.num_parameters:,}",
            f"{100 * scores.top1:.2f} %",
            f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %",
            f"{100 * scores.top5:.2f} %",
            f"{scores.loss:.4f}",
        )
    out.print(table)


def _print_classes(found: Mapping[str, Evaluation]) -> None:
    """Name the classes that each of two networks wins by most."""
    import numpy as np

    from thumbnet.evaluation.compare import gains_by_class

    (first, one), (second, other) = found.items()
    gains = gains_by_class(one.logits, other.logits, one.labels)
    names = one.dataset.class_names
    order = np.argsort(-gains, kind="stable")
    for winner, ranked, sign in ((first, order, 1), (second, order[::-1], -1)):
        won = [f"{names[i]} {100 * sign * gains[i]:+.0f}" for i in ranked[:CLASSES_SHOWN]
               if sign * gains[i] > 0]  # fmt: skip
        out.print(f"{winner} wins most in: {', '.join(won) or 'no class'} (points of recall)")
