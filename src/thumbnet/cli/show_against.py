"""`thumbnet show` for several networks: accuracy against cost, and what only one has right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.judge import DeviceOption, WeightsOption
from thumbnet.cli.output import Table, out
from thumbnet.cli.show_files import OutputOption, SvgOption, other_than, place_of, write
from thumbnet.cli.show_judging import SplitOption, judge_all
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thumbnet.inference import Evaluation
    from thumbnet.inference.costs import Costs


def pareto(
    runs: Annotated[list[str], typer.Argument(help="Two or more runs or model folders.")],
    split: SplitOption = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw accuracy against parameters, computation, training time and latency measured here."""
    from thumbnet.inference.costs import costs_of
    from thumbnet.significance import exact_interval
    from thumbnet.training.engine import find_device
    from thumbnet.visualize.pareto import Point, draw_pareto

    found, where = judge_all(runs, split, data, weights, device), find_device(device)
    costs = {name: costs_of(name, weights, where) for name in found}
    points = []
    for name, one in found.items():
        scores = one.scores
        ends = exact_interval(round(scores.top1 * scores.num_images), scores.num_images)
        label = f"{Path(name).name} ({one.architecture})"
        points.append(Point(label, scores.top1, ends.low, ends.high, _axes(costs[name])))
    figure = draw_pareto(points, next(iter(found.values())).judged_on)
    _print(found, costs, where)
    write(figure, output, place_of("pareto", runs, split, other_than("best", weights)), svg)


def _axes(costs: Costs) -> dict[str, float]:
    """Name a network's costs as the panels do."""
    named = {
        "parameters, millions": costs.num_parameters / 1e6,
        "computation, GFLOP an image": costs.flops / 1e9,
    }
    if costs.train_s is not None:
        named["training time, minutes"] = costs.train_s / 60
    for size, image_s in costs.image_s.items():
        named[f"ms an image, batch of {size}"] = 1e3 * image_s
    return named


def _print(found: Mapping[str, Evaluation], costs: Mapping[str, Costs], device: str) -> None:
    axes = {name: _axes(one) for name, one in costs.items()}
    columns = list(dict.fromkeys(cost for one in axes.values() for cost in one))
    heads = ", ".join(column.replace(",", "") for column in columns)
    table = Table("network", f"top-1, {heads}", title=f"measured on {device}")
    for name, one in sorted(found.items(), key=lambda item: -item[1].scores.top1):
        figures = (
            f"{axes[name][column]:.4g}" if column in axes[name] else "" for column in columns
        )
        table.add_row(name, f"{100 * one.scores.top1:.2f} %", *figures)
    out.print(table)


def wins(
    first: Annotated[str, typer.Argument(help="A run, or a model folder.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    count: Annotated[int, typer.Option(min=1, max=48, help="Images of each.")] = 16,
    split: SplitOption = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw the images that only one of two networks has right."""
    from thumbnet.errors import RecipeError
    from thumbnet.pictures import wins_of

    if first == second:
        raise RecipeError(f"{first} is given twice; give two different runs or model folders")
    found = judge_all([first, second], split, data, weights, device)
    figure = wins_of(found, count)
    place = place_of("wins", [first, second], split, other_than("best", weights))
    write(figure, output, place, svg)
