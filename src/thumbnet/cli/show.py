"""`thumbnet show`: pictures of runs, predictions, networks and data; here those of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thumbnet.cli import (
    show_against,
    show_curves,
    show_data,
    show_network,
    show_objects,
    show_rates,
)
from thumbnet.cli.judge import DeviceOption, WeightsOption
from thumbnet.cli.show_files import OutputOption, SvgOption, other_than, place_of, write
from thumbnet.cli.show_judging import SplitOption, judge
from thumbnet.cli.train import DataOption

app = typer.Typer(
    help="Draw runs, predictions, networks and data, as PNG or SVG.", no_args_is_help=True
)
RunArgument = Annotated[str, typer.Argument(help="A run, or a model folder.")]


@app.command()
def gallery(
    run: RunArgument,
    count: Annotated[int, typer.Option(min=1, max=20, help="Images of each kind.")] = 8,
    split: SplitOption = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw images the network has right, has wrong, and is wrong about but sure."""
    from thumbnet.pictures import gallery as draw

    found = judge(run, split, data, weights, device)
    place = place_of("gallery", [run], split, other_than("best", weights))
    write(draw(found, count, name=Path(run).name), output, place, svg)


@app.command()
def hardest(
    run: RunArgument,
    count: Annotated[int, typer.Option(min=1, max=96, help="Images.")] = 24,
    classes: Annotated[bool, typer.Option("--classes", help="Classes instead of images.")] = False,
    split: SplitOption = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw the images, or the classes, that the network finds hardest."""
    from thumbnet import pictures

    found, name = judge(run, split, data, weights, device), Path(run).name
    if classes:
        figure = pictures.hardest_classes(found, name=name)
    else:
        figure = pictures.hardest(found, count, name=name)
    kind = "hardest-classes" if classes else "hardest"
    write(figure, output, place_of(kind, [run], split, other_than("best", weights)), svg)


@app.command()
def confusions(
    run: RunArgument,
    count: Annotated[int, typer.Option(min=1, max=60, help="Pairs.")] = 20,
    split: SplitOption = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw the confusion matrix, and the pairs of classes taken for each other most."""
    from thumbnet.pictures import confusions as draw

    figure = draw(judge(run, split, data, weights, device), count, name=Path(run).name)
    write(figure, output, place_of("confusions", [run], split, other_than("best", weights)), svg)


for command in (
    show_curves.curves, show_against.pareto, show_against.wins,
    show_network.filters, show_network.activations, show_network.prelu, show_network.saliency,
    show_network.cam, show_network.diagram, show_data.augment, show_data.data,
    show_objects.objects, show_rates.lr_finder,
):  # fmt: skip
    app.command()(command)
