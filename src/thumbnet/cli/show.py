"""`thumbnet show`: pictures of runs, predictions, networks and data; here those of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from thumbnet.cli.show_judging import SplitOption, judge, judged_images
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from thumbnet.visualize.gallery import Judged

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
    from thumbnet.visualize.gallery import draw_gallery

    judged, name = _judged(run, split, data, weights, device)
    write(
        draw_gallery(judged, name, count),
        output,
        place_of("gallery", [run], split, other_than("best", weights)),
        svg,
    )


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
    from thumbnet.visualize.gallery import draw_classes, draw_hardest

    judged, name = _judged(run, split, data, weights, device)
    figure = draw_classes(judged, name) if classes else draw_hardest(judged, name, count)
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
    from thumbnet.evaluation.metrics import confusion, most_confused
    from thumbnet.visualize.confusions import draw_confusions

    found = judge(run, split, data, weights, device)
    matrix = confusion(found.logits, found.labels)
    names, title = found.dataset.class_names, f"{Path(run).name}, {found.judged_on}"
    figure = draw_confusions(matrix, most_confused(matrix, count), names, title)
    write(figure, output, place_of("confusions", [run], split, other_than("best", weights)), svg)


def _judged(
    run: str, split: str | None, data: Path | None, weights: str, device: str | None
) -> tuple[Judged, str]:
    """Return the judged images, and what to call network and images in a title."""
    found = judge(run, split, data, weights, device)
    return judged_images(found), f"{Path(run).name}, {found.judged_on}"


for command in (
    show_curves.curves, show_against.pareto, show_against.wins,
    show_network.filters, show_network.activations, show_network.prelu, show_network.saliency,
    show_network.cam, show_network.diagram, show_data.augment, show_data.data,
    show_objects.objects, show_rates.lr_finder,
):  # fmt: skip
    app.command()(command)
