"""`thumbnet quickstart`: from nothing to a trained, judged network in minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.output import err, out
from thumbnet.cli.train import DataOption, end

if TYPE_CHECKING:
    from thumbnet.data.packed import PackedDataset


def quickstart(
    data: DataOption = None,
    time_budget: Annotated[str, typer.Option(help="For training alone.")] = "4m",
) -> None:
    """Get data, train `thumbnet/quick` within a time budget, judge it, and say what next."""
    from thumbnet import inference
    from thumbnet.build import fit_to_data
    from thumbnet.cli.duration import parse_duration
    from thumbnet.cli.live import LiveTraining
    from thumbnet.cli.progress import bar
    from thumbnet.recipes.registry import load_recipe
    from thumbnet.training import session
    from thumbnet.training.foretell import smaller_if_slow

    budget_s = parse_duration(time_budget)
    dataset, synthetic = _data(data)
    out.print(f"data: {dataset.path}")
    recipe = load_recipe("thumbnet/quick")
    # Of the synthetic set there is a tenth of the images, so more passes over them. Own photos may
    # be few, too; Tiny ImageNet leaves the recipe as it is.
    recipe = recipe.scaled(2.0) if synthetic else fit_to_data(recipe, dataset).recipe
    usual = recipe.preprocess.image_size
    recipe = smaller_if_slow(recipe, dataset, budget_s)
    if (size := recipe.preprocess.image_size) < usual:
        _warn(
            f"This machine is slow or busy: training on images of {size} instead of {usual} px, so "
            f"that more epochs fit into {time_budget}. `thumbnet train thumbnet/quick` takes all "
            "the time it needs."
        )
    with LiveTraining() as live:
        result = session.train(recipe, dataset, time_budget_s=budget_s, observers=[live])
    end(result)
    with bar("judging") as progress:
        scores = inference.evaluate(result.run.path, "val", dataset, progress=progress).scores
    what = "SYNTHETIC val" if synthetic else "val"
    if dataset.meta.get("name") == "tiny-imagenet-200":
        what = "official val"
    out.print("")
    out.print(
        f"top-1 {100 * scores.top1:.2f} %, top-5 {100 * scores.top5:.2f} % on {what} "
        f"({scores.num_images} images of {dataset.num_classes} classes)"
    )
    if synthetic:
        _warn("These figures are of synthetic images and say nothing about Tiny ImageNet.")
    out.print(f"next: thumbnet predict {result.run.path} PHOTO.jpg")
    out.print("      thumbnet recipe list")


def _data(data: object) -> tuple[PackedDataset, bool]:
    """Return real data where there is any or it can be downloaded, else the synthetic set."""
    from pathlib import Path

    from thumbnet.cli.progress import bar
    from thumbnet.data.sources import load_dataset, locate
    from thumbnet.data.synthetic import synthesize
    from thumbnet.errors import DataError

    path = data if isinstance(data, Path) else None
    with bar("preparing the data") as progress:
        if locate(path) is not None:
            return load_dataset(path, progress=progress), False
        try:
            return load_dataset(None, progress=progress), False
        except DataError as error:
            _warn(f"{error}")
            _warn("NO REAL DATA: going on with the built-in SYNTHETIC set of 20 classes.")
            return synthesize(), True


def _warn(message: str) -> None:
    err.print(message, style="bold yellow")
