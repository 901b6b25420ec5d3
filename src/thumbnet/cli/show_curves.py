"""`thumbnet show curves`: how runs went, beside what was published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.show_files import OutputOption, SvgOption, place_of, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnet.visualize.curves import Curve

KEYS = 3  # that differ, beside a run's name


def curves(
    runs: Annotated[list[str], typer.Argument(help="One or more runs, drawn side by side.")],
    together: Annotated[
        bool, typer.Option("--together", help="In the same panels: two learning rates, say.")
    ] = False,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw loss, accuracy and learning rate; mark phases, interventions and published points."""
    from thumbnet.report.curve import curve_of
    from thumbnet.runs import find_run
    from thumbnet.visualize.curves import draw_curves
    from thumbnet.visualize.overlay import draw_overlay

    folders = [find_run(run) for run in runs]
    found = [curve_of(folder, folder.name) for folder in folders]
    figure = draw_overlay(_with_settings(runs, found)) if together else draw_curves(found)
    write(figure, output, place_of("curves-together" if together else "curves", runs), svg)


def _with_settings(runs: Sequence[str], curves: Sequence[Curve]) -> list[Curve]:
    """Say of each run its recipe's name, or where this is the same, the keys that differ."""
    from thumbnet.recipes.changes import differences
    from thumbnet.runs import find_run

    recipes = [find_run(run).recipe() for run in runs]
    if len({recipe.name for recipe in recipes}) > 1:
        return [
            replace(one, setting=recipe.name) for one, recipe in zip(curves, recipes, strict=True)
        ]
    found = differences(recipes)
    more = f" and {len(found) - KEYS} more" if len(found) > KEYS else ""
    return [
        replace(
            curve,
            setting=", ".join(f"{short} {values[number]}" for short, values in
                              [(key.rpartition(".")[2], found[key]) for key in list(found)[:KEYS]])
            + more,
        )
        for number, curve in enumerate(curves)
    ]  # fmt: skip
