"""`thumbnet compare`: networks side by side on the same images, and what is more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from thumbnet.cli.judge import DeviceOption, JsonOption, WeightsOption, percents
from thumbnet.cli.output import Table, out, print_json
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thumbnet.evaluation.compare import Pair
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
    as_json: JsonOption = False,
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
    if as_json:
        print_json(_fields(found, pairs))
        return
    _print_each(found)
    out.print()
    _print_pairs(pairs)
    if len(found) == 2:
        out.print()
        _print_classes(found)


def _print_pairs(pairs: Sequence[Pair]) -> None:
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


def _fields(found: Mapping[str, Evaluation], pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the keys that docs/json.md promises."""
    first = next(iter(found.values()))
    return {
        "judged_on": first.judged_on,
        "split": first.part.split,
        "num_images": first.scores.num_images,
        "networks": [
            {
                "network": name,
                "kind": one.architecture,
                "num_parameters": one.num_parameters,
                "top1": one.scores.top1,
                "top1_exact_95": list(_exact(one)),
                "top5": one.scores.top5,
                "cross_entropy": one.scores.loss,
            }
            for name, one in found.items()
        ],
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "difference": pair.difference,
                "difference_95": [pair.interval.low, pair.interval.high],
                "only_first_right": pair.only_first,
                "only_second_right": pair.only_second,
                "p_mcnemar": pair.probability,
                "p_holm": pair.corrected,
            }
            for pair in pairs
        ],
    }


def _exact(one: Evaluation) -> tuple[float, float]:
    """Return the exact 95 % interval of the top-1."""
    from thumbnet.significance import exact_interval

    interval = exact_interval(round(one.scores.top1 * one.scores.num_images), one.scores.num_images)
    return interval.low, interval.high


def _print_each(found: Mapping[str, Evaluation]) -> None:
    judged_on = next(iter(found.values())).judged_on
    columns = "parameters, top-1, 95 % interval, top-5, cross-entropy"
    table = Table(
        "network, of kind", columns, title=judged_on, drop="of kind, parameters, cross-entropy"
    )
    for name, one in sorted(found.items(), key=lambda item: -item[1].scores.top1):
        scores = one.scores
        table.add_row(
            name,
            one.architecture,
            f"{one.num_parameters:,}",
            f"{100 * scores.top1:.2f} %",
            percents(*_exact(one)),
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
