"""`thumbnet show curves`: how runs went, beside what was published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.show_files import OutputOption, SvgOption, place_of, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnet.recipe import RecipeSpec
    from thumbnet.visualize.curves import Curve


def curves(
    runs: Annotated[list[str], typer.Argument(help="One or more runs, drawn side by side.")],
    together: Annotated[
        bool, typer.Option("--together", help="In the same panels: two learning rates, say.")
    ] = False,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw loss, watched accuracy and learning rate; phases, acts and published points marked."""
    from thumbnet.report.curve import curve_of
    from thumbnet.runs import find_run
    from thumbnet.visualize.curves import draw_curves
    from thumbnet.visualize.overlay import draw_overlay

    folders = [find_run(run) for run in runs]
    found = [curve_of(folder, folder.name) for folder in folders]
    figure = draw_overlay(_with_settings(runs, found)) if together else draw_curves(found)
    write(figure, output, place_of("curves-together" if together else "curves", runs), svg)


def _with_settings(runs: Sequence[str], curves: Sequence[Curve]) -> list[Curve]:
    """Say of each run in what its recipe differs from the others."""
    from thumbnet.runs import find_run

    recipes = [_flat(find_run(run).recipe()) for run in runs]
    keys = [key for key in recipes[0] if len({str(one.get(key)) for one in recipes}) > 1]
    return [
        replace(curve, setting=", ".join(f"{key.rpartition('.')[2]} {one[key]}" for key in keys
                                         if key in one))
        for curve, one in zip(curves, recipes, strict=True)
    ]  # fmt: skip


def _flat(recipe: RecipeSpec) -> dict[str, object]:
    """Return what decides how a run goes, by dotted key."""
    parts = {"model", "optimizer", "training", "phases"}
    found: dict[str, object] = {}

    def walk(value: object, key: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{key}.{name}" if key else str(name))
        elif key == "phases" and isinstance(value, list):
            for number, inner in enumerate(value):
                walk(inner, f"{key}.{number}")
        else:
            found[key] = value

    walk(recipe.model_dump(mode="json", include=parts), "")
    return found
