"""`thumbnet show lr-finder`: which learning rates a recipe can bear."""

from __future__ import annotations

from typing import Annotated

import typer

from thumbnet.cli.judge import DeviceOption
from thumbnet.cli.output import out
from thumbnet.cli.progress import bar
from thumbnet.cli.show_files import OutputOption, SvgOption, place_of, write
from thumbnet.cli.train import DataOption


def lr_finder(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a YAML file.")],
    data: DataOption = None,
    lowest: Annotated[float, typer.Option("--from", help="The first learning rate.")] = 1e-4,
    highest: Annotated[float, typer.Option("--to", help="The last one.")] = 10.0,
    steps: Annotated[int, typer.Option(help="Steps in between.")] = 120,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a key: training.batch_size=64.")
    ] = None,
    device: DeviceOption = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw the loss while the learning rate grows, and say where it falls fastest.

    A fresh network of the recipe takes a few steps; nothing is kept but the picture.
    """
    from thumbnet.data.sources import load_dataset
    from thumbnet.recipes.registry import load_recipe, parse_overrides
    from thumbnet.training.lr_finder import sweep_lr
    from thumbnet.visualize.lr_finder import draw_sweep

    spec = load_recipe(recipe, parse_overrides(set_ or []))
    with bar("opening the data") as progress:
        dataset = load_dataset(data, progress=progress)
        sweep = sweep_lr(spec, dataset, lowest, highest, steps, device, progress)
    planned = (spec.phases[0].schedule or spec.training.schedule).lr
    figure = draw_sweep(
        sweep.rates, sweep.losses, sweep.smoothed, sweep.suggested, planned, spec.name
    )
    write(figure, output, place_of("lr-finder", (), spec.name), svg)
    out.print(f"the loss falls fastest at {sweep.suggested:.2g}; the recipe's highest: {planned:g}")
    if sweep.last is None:
        out.print(f"it had not risen by {highest:g}; go on with --to")
    else:
        out.print(f"it had risen too far at {sweep.last:.2g}")
