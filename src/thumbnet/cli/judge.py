"""`thumbnet evaluate`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from thumbnet.cli.output import Table, err, out, print_json
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from thumbnet.inference import Evaluation

Weights = Literal["best", "last"]
WeightsOption = Annotated[Weights, typer.Option(help="Those of the best or of the last epoch.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON, with fractions instead of percent.")
]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda or mps (default: the fastest).")]


def evaluate(
    run: Annotated[str, typer.Argument(help="A run, or a model folder.")],
    split: Annotated[
        str | None,
        typer.Option(
            help="train, val or a labelled test (default: what the run's protocol reports)."
        ),
    ] = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    views: Annotated[
        str, typer.Option(help="Average over one, flip, shifts, crops or ten-crop.")
    ] = "one",
    image_size: Annotated[
        list[int] | None, typer.Option(help="In px; may be given several times (default: its own).")
    ] = None,
    by_class: Annotated[
        Path | None, typer.Option(help="Write precision, recall and F1 of each class, as CSV.")
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="Write how often each class was taken for which, as CSV.")
    ] = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a trained network; its predictions are stored, so a second look takes no time."""
    from thumbnet import inference
    from thumbnet.training.engine import find_device

    where = find_device(device)
    rows: list[dict[str, Any]] = []
    sizes: list[int | None] = [*image_size] if image_size else [None]
    for size in sizes:
        with bar("judging") as progress:
            result = inference.evaluate(
                run, split, data, weights=weights, views=views, image_size=size, device=where,
                progress=progress,
            )  # fmt: skip
        rows.append(_figures(result, size, views))
    if as_json:
        print_json({"network": run, "weights": weights, "results": rows})
    else:
        _print(rows, f"{run}, {weights} weights")
    say = err.print if as_json else out.print
    last = f" at {sizes[-1]} px" if len(sizes) > 1 else ""
    if by_class is not None:
        _write_by_class(by_class, result, last, say)
    if confusion is not None:
        _write_confusion(confusion, result, last, say)


def _figures(result: Evaluation, image_size: int | None, views: str) -> dict[str, Any]:
    """Return the keys that docs/json.md promises."""
    from thumbnet.evaluation.metrics import calibration
    from thumbnet.significance import bootstrap_interval, exact_interval

    scores = result.scores
    exact = exact_interval(round(scores.top1 * scores.num_images), scores.num_images)
    drawn = bootstrap_interval(result.right.astype(float))
    return {
        "judged_on": result.judged_on,
        "split": result.part.split,
        "image_size": image_size,
        "views": views,
        "num_images": scores.num_images,
        "top1": scores.top1,
        "top1_exact_95": [exact.low, exact.high],
        "top1_bootstrap_95": [drawn.low, drawn.high],
        "top5": scores.top5,
        "cross_entropy": scores.loss,
        "calibration_error": calibration(result.logits, result.labels).error,
    }


def _print(rows: list[dict[str, Any]], title: str) -> None:
    table = Table(
        "judged on",
        "top-1, exact 95 %, bootstrap 95 %, top-5, cross-entropy, calibration error, images",
        title=title,
        text="judged on",
        drop="bootstrap 95 %, calibration error",
    )
    for row in rows:
        size = "" if row["image_size"] is None else f", {row['image_size']} px"
        views = "" if row["views"] == "one" else f", {row['views']}"
        table.add_row(
            f"{row['judged_on']}{size}{views}",
            f"{100 * row['top1']:.2f} %",
            percents(*row["top1_exact_95"]),
            percents(*row["top1_bootstrap_95"]),
            f"{100 * row['top5']:.2f} %",
            f"{row['cross_entropy']:.4f}",
            f"{100 * row['calibration_error']:.2f} %",
            str(row["num_images"]),
        )
    out.print(table)


def percents(low: float, high: float) -> str:
    """Return an interval of fractions in percent."""
    return f"{100 * low:.2f} to {100 * high:.2f} %"


def _write_by_class(path: Path, result: Evaluation, at: str, say: Callable[..., None]) -> None:
    from thumbnet.evaluation.metrics import by_class, confusion, macro
    from thumbnet.predictions import replaced

    figures = by_class(confusion(result.logits, result.labels))
    columns = (figures.precision, figures.recall, figures.f1)
    with replaced(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["wnid", "class", "precision", "recall", "f1", "images", "predicted"])
        for i, (wnid, name) in enumerate(
            zip(result.dataset.wnids, result.dataset.class_names, strict=True)
        ):
            shares = [f"{column[i]:.4f}" for column in columns]
            counts = [int(figures.num_images[i]), int(figures.num_predicted[i])]
            writer.writerow([wnid, name, *shares, *counts])
    means = ", ".join(
        f"{name} {100 * mean:.2f} %"
        for name, mean in zip(("precision", "recall", "F1"), macro(figures), strict=True)
    )
    say(f"mean of the classes{at}: {means}")
    say(f"figures of {result.dataset.num_classes} classes{at} written to {path}")


def _write_confusion(path: Path, result: Evaluation, at: str, say: Callable[..., None]) -> None:
    from thumbnet.evaluation.metrics import confusion
    from thumbnet.predictions import replaced

    wnids = result.dataset.wnids
    with replaced(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["class, down; predicted, across", *wnids])
        for wnid, row in zip(wnids, confusion(result.logits, result.labels), strict=True):
            writer.writerow([wnid, *row.tolist()])
    say(f"confusions{at} written to {path}")
