"""`thumbnet reproduce`: the published rows again, with their forecast first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.duration import format_duration, format_number
from thumbnet.cli.output import Table, err, out
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnet.data.packed import PackedDataset
    from thumbnet.recipe import RecipeSpec
    from thumbnet.reproduce import Outcome, Row
    from thumbnet.training.events import Observer


def reproduce(
    name: Annotated[
        str | None,
        typer.Argument(help="A source (zheng2018) or a recipe (default: every published row)."),
    ] = None,
    data: DataOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would take.")
    ] = False,
    price_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Of this machine, for the money column.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="The file of a pretrained row's weights (default: downloaded)."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or mps (default: the fastest).")
    ] = None,
) -> None:
    """Train published rows, cheapest first, and put the figures side by side; can be resumed."""
    from thumbnet.cli.live import LiveTraining
    from thumbnet.cli.progress import bar
    from thumbnet.data.sources import load_dataset
    from thumbnet.reproduce import LeftOut, select
    from thumbnet.reproduce import reproduce as run_rows

    recipes = select(name)
    with bar("preparing the data") as progress:
        dataset = load_dataset(data, progress=progress)
    rows, refused = _foretell(recipes, dataset, device)
    _print_forecast(rows, price_per_hour)
    for recipe, why in refused:
        out.print(f"left out: {recipe.name}: {why}")
    if dry_run or not rows:
        raise typer.Exit(0 if rows else 2)
    outcomes: list[Outcome] = []
    left_out: list[LeftOut] = []
    with LiveTraining() as live:

        def watch(recipe: RecipeSpec) -> Sequence[Observer]:
            err.print(f"\n{recipe.name}, seed {recipe.training.seed}", markup=False)
            return [live]

        for outcome in run_rows(rows, dataset, weights=weights, device=device, observers=watch):
            if isinstance(outcome, LeftOut):
                left_out.append(outcome)
            else:
                outcomes.append(outcome)
    _print_outcomes(outcomes)
    for one in left_out:
        out.print(f"left out: {one.row.recipe.name}: {one.why}")
    to_go = len(rows) - len(outcomes) - len(left_out)
    if to_go:
        again = f"thumbnet reproduce{f' {name}' if name else ''}"
        out.print(f"interrupted and saved; {to_go} rows to go: {again}")
        raise typer.Exit(130)
    if left_out:
        raise typer.Exit(1)


def _foretell(
    recipes: Sequence[RecipeSpec], dataset: PackedDataset, device: str | None
) -> tuple[list[Row], list[tuple[RecipeSpec, str]]]:
    from thumbnet.cli.progress import bar
    from thumbnet.errors import ThumbnetError
    from thumbnet.reproduce import foretell_row

    rows, refused = [], []
    with bar("measuring a few steps of each") as progress:
        for number, recipe in enumerate(recipes):
            try:
                rows.append(foretell_row(recipe, dataset, device))
            except ThumbnetError as error:
                refused.append((recipe, str(error)))
            progress(number + 1, len(recipes), recipe.name)
    return sorted(rows, key=lambda row: row.total_s), refused


def _print_forecast(rows: Sequence[Row], price_per_hour: float | None) -> None:
    money = ", money" if price_per_hour is not None else ""
    table = Table(
        "recipe, network",
        f"runs, epochs, published, its hours, images/s, memory, time{money}",
        drop="network, its hours, images/s",
    )
    for row in rows:
        recipe, claim = row.recipe, row.recipe.published
        hours = claim.hours if claim else None
        table.add_row(
            recipe.name,
            recipe.model.name,
            str(len(row.members)),
            format_number(recipe.num_epochs),
            percent(claim.top1 if claim else None),
            "" if hours is None else f"{hours:g} h",
            f"{row.images_per_s:,.0f}",
            f"{row.peak_bytes / 1e9:.1f} GB",
            format_duration(row.total_s),
            *([f"{row.cost(price_per_hour):,.2f}"] if price_per_hour is not None else []),
        )
    out.print(table)
    total = f"in all about {format_duration(sum(row.total_s for row in rows))}"
    if price_per_hour is not None:
        total += f", {sum(row.cost(price_per_hour) for row in rows):,.2f} in money"
    out.print(total)


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    table = Table(
        "recipe", "published, last, best, top-5, time", "judged on, runs", text="judged on, runs"
    )
    for outcome in outcomes:
        recipe = outcome.row.recipe
        claim, protocol = recipe.published, recipe.data.protocol
        chosen = ", best chosen on val" if protocol == "official" else ""
        table.add_row(
            recipe.name,
            percent(claim.top1 if claim else None),
            percent(outcome.last.top1),
            percent(outcome.best.top1),
            percent(outcome.last.top5),
            format_duration(outcome.wall_s),
            f"{outcome.last.num_images} images, {protocol}{chosen}",
            ", ".join(run.name for run in outcome.runs),
        )
    out.print(table)


def percent(fraction: float | None) -> str:
    """Return a fraction in percent; nothing where there is none."""
    return "" if fraction is None else f"{100 * fraction:.2f} %"
