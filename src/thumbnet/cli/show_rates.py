"""`thumbnet show lr-finder`: a learning rate that short runs confirmed."""

from __future__ import annotations

from typing import Annotated

import typer

from thumbnet.cli.judge import DeviceOption
from thumbnet.cli.output import Table, err, out
from thumbnet.cli.progress import bar
from thumbnet.cli.show_files import OutputOption, SvgOption, place_of, write
from thumbnet.cli.train import DataOption


def lr_finder(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a YAML file.")],
    data: DataOption = None,
    lowest: Annotated[float, typer.Option("--from", help="The first learning rate.")] = 1e-4,
    highest: Annotated[float, typer.Option("--to", help="The last one.")] = 10.0,
    steps: Annotated[int, typer.Option(help="Steps of the sweep in between.")] = 120,
    trial_steps: Annotated[int, typer.Option(help="Steps of each short run.")] = 40,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a key: training.batch_size=64.")
    ] = None,
    device: DeviceOption = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Suggest a learning rate: sweep growing rates, then confirm one in short runs.

    Fresh networks of the recipe take a few steps; nothing is kept but the picture.
    """
    from time import monotonic

    from thumbnet.data.sources import load_dataset
    from thumbnet.recipes.registry import load_recipe, parse_overrides
    from thumbnet.training.lr_finder import find_lr
    from thumbnet.visualize.lr_finder import draw_sweep

    spec = load_recipe(recipe, parse_overrides(set_ or []))
    begun = monotonic()

    def announce(seconds: float) -> None:
        err.print(f"estimated time: {seconds:.0f} s")

    with bar("opening the data") as progress:
        dataset = load_dataset(data, progress=progress)
        sweep = find_lr(
            spec, dataset, lowest, highest, steps, trial_steps, device, progress, announce
        )
    planned = (spec.phases[0].schedule or spec.training.schedule).lr
    trials = [(one.lr, one.final) for one in sweep.trials]
    figure = draw_sweep(
        sweep.rates, sweep.losses, sweep.smoothed, trials, sweep.suggested, planned, spec.name
    )
    write(figure, output, place_of("lr-finder", (), spec.name), svg)
    title = f"{trial_steps} steps at each rate, warmed up and decayed"
    table = Table("learning rate", "final loss", "note", title=title)
    for lr, final in trials:
        mark = "suggested" if lr == sweep.suggested else "the recipe's" if lr == planned else ""
        table.add_row(f"{lr:.2g}", "overflow" if final is None else f"{final:.3f}", mark)
    out.print(table)
    if sweep.suggested is None:
        out.print(
            "no rate was confirmed: in none of the short runs did the loss fall for sure; take "
            "more steps (--trial-steps), or lower rates (--from, --to)"
        )
    else:
        out.print(
            f"suggested learning rate: {sweep.suggested:.2g}, of the lowest loss after "
            f"{trial_steps} steps, at most half of a rate at which the loss rose"
        )
        out.print(f"the recipe's highest: {planned:g}")
        out.print(
            "the suggestion holds for the batch size, image size and optimizer of the first phase; "
            "short runs prefer lower rates than long ones"
        )
    out.print(f"took {monotonic() - begun:.0f} s")
