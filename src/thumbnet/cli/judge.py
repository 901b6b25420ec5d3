"""`thumbnet evaluate` and `thumbnet predict`."""

from __future__ import annotations

import csv
import glob
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from thumbnet.cli.output import Table, err, out
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from thumbnet.inference import Evaluation, Guess, Predictor

Weights = Literal["best", "last"]
WeightsOption = Annotated[Weights, typer.Option(help="Those of the best or of the last epoch.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda or mps (default: the fastest).")]
CHUNK = 256


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
) -> None:
    """Judge a trained network; its predictions are stored, so a second look takes no time."""
    from thumbnet import inference
    from thumbnet.evaluation.metrics import calibration
    from thumbnet.significance import bootstrap_interval, exact_interval
    from thumbnet.training.engine import find_device

    columns = "top-1, exact 95 %, bootstrap 95 %, top-5, cross-entropy, calibration error, images"
    table = Table(
        "judged on",
        columns,
        title=f"{run}, {weights} weights",
        drop="bootstrap 95 %, calibration error",
    )
    where = find_device(device)
    sizes: list[int | None] = [*image_size] if image_size else [None]
    for size in sizes:
        with bar("judging") as progress:
            result = inference.evaluate(
                run, split, data, weights=weights, views=views, image_size=size, device=where,
                progress=progress,
            )  # fmt: skip
        scores = result.scores
        right = round(scores.top1 * scores.num_images)
        exact = exact_interval(right, scores.num_images)
        drawn = bootstrap_interval(result.right.astype(float))
        how = ("" if size is None else f", {size} px") + ("" if views == "one" else f", {views}")
        table.add_row(
            result.judged_on + how,
            f"{100 * scores.top1:.2f} %",
            f"{100 * exact.low:.2f} to {100 * exact.high:.2f} %",
            f"{100 * drawn.low:.2f} to {100 * drawn.high:.2f} %",
            f"{100 * scores.top5:.2f} %",
            f"{scores.loss:.4f}",
            f"{100 * calibration(result.logits, result.labels).error:.2f} %",
            str(scores.num_images),
        )
    out.print(table)
    last = f" at {sizes[-1]} px" if len(sizes) > 1 else ""
    if by_class is not None:
        _write_by_class(by_class, result, last)
    if confusion is not None:
        _write_confusion(confusion, result, last)


def _write_by_class(path: Path, result: Evaluation, at: str) -> None:
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
    out.print(f"mean of the classes{at}: {means}")
    out.print(f"figures of {result.dataset.num_classes} classes{at} written to {path}")


def _write_confusion(path: Path, result: Evaluation, at: str) -> None:
    from thumbnet.evaluation.metrics import confusion
    from thumbnet.predictions import replaced

    wnids = result.dataset.wnids
    with replaced(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["class, down; predicted, across", *wnids])
        for wnid, row in zip(wnids, confusion(result.logits, result.labels), strict=True):
            writer.writerow([wnid, *row.tolist()])
    out.print(f"confusions{at} written to {path}")


def predict(
    run: Annotated[str, typer.Argument(help="A run, or a model folder.")],
    images: Annotated[
        list[str] | None, typer.Argument(help="Image files, folders or quoted globs.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Label a whole split instead: test, val or train.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file.")] = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="By the model.onnx of a folder that export wrote.")
    ] = False,
) -> None:
    """Predict classes: of a split as `image wnid` lines, or of any image files as CSV."""
    from thumbnet.errors import RecipeError

    if bool(images) == (split is not None):
        raise RecipeError("give either image files, folders or globs, or --split NAME")
    predictor = _load(run, weights, device, onnx)
    if split is not None:
        _predict_split(predictor, run, split, data, output or Path(f"{split}-labels.txt"))
    else:
        _predict_files(predictor, find_images(images or []), output)


def _load(run: str, weights: str, device: str | None, onnx: bool) -> Predictor:
    if onnx:
        from thumbnet.export.predictor import load_onnx_predictor

        return load_onnx_predictor(run)
    from thumbnet.inference import load_predictor
    from thumbnet.training.engine import find_device

    return load_predictor(run, weights, find_device(device))


def find_images(patterns: list[str]) -> list[Path]:
    """Return the image files that these files, folders and globs name, each once, in order.

    What else lies in the folders is counted on standard error.

    Raises: DataError for one that names nothing
    """
    from thumbnet.data.image_folder import heic_advice, ignored_text, suffix_counts
    from thumbnet.data.layout import is_image
    from thumbnet.errors import DataError

    found: dict[Path, None] = {}
    others: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        matches = [path] if path.exists() else [Path(p) for p in sorted(glob.glob(pattern))]
        listed = [_visible_files(match) if match.is_dir() else [match] for match in matches]
        there = [file for files in listed for file in files if file.is_file()]
        named = set(matches)
        files = [file for file in there if is_image(file.name) or file in named]
        if not files:
            ignored = suffix_counts([file.name for file in there])
            but = f", only {ignored_text(ignored)}" if ignored else ""
            raise DataError(
                f"no image found at '{pattern}'{but}; "
                f"{heic_advice(ignored) or 'give files, folders or quoted globs'}"
            )
        found.update(dict.fromkeys(files))
        others.update(dict.fromkeys(file for file in there if file not in found))
    if ignored := suffix_counts([file.name for file in others]):
        err.print(f"ignored {ignored_text(ignored)}")
        if advice := heic_advice(ignored):
            err.print(advice)
    return list(found)


def _visible_files(folder: Path) -> list[Path]:
    from thumbnet.data.layout import is_system

    return [
        file
        for file in sorted(folder.rglob("*"))
        if not any(map(is_system, file.relative_to(folder).parts))
    ]


def _predict_split(
    predictor: Predictor, run: str, split: str, data: Path | None, output: Path
) -> None:
    from thumbnet.data.splits import source_part
    from thumbnet.inference import data_of
    from thumbnet.predictions import write_labels
    from thumbnet.scoring import ranked

    dataset = data_of(run, data)
    source_part(dataset, split)  # refuses an unknown split
    with bar("predicting") as progress:
        logits = predictor.split_logits(dataset, split, progress)
    names = [name.decode() for name in dataset.splits[split].names]
    wnids = [predictor.trained.wnids[i] for i in ranked(logits, 1)[:, 0]]
    write_labels(output, names, wnids)
    out.print(f"{len(names)} labels written to {output}")


def _predict_files(predictor: Predictor, files: list[Path], output: Path | None) -> None:
    from thumbnet.errors import DataError
    from thumbnet.predictions import replaced

    num = min(5, predictor.trained.num_classes)
    header = [
        "file",
        *(f"{kind}{i}" for i in range(1, num + 1) for kind in ("wnid", "class", "prob")),
    ]
    broken: list[str] = []
    rows: list[list[str]] = []
    with bar("predicting") as progress:
        for first in range(0, len(files), CHUNK):
            part = files[first : first + CHUNK]
            try:
                guesses = predictor.predict([*part], num)
            except DataError:  # one broken file must not cost the others their answer
                part, guesses = _one_by_one(predictor, part, num, broken)
            rows += [_row(file, top) for file, top in zip(part, guesses, strict=True)]
            progress(min(first + CHUNK, len(files)), len(files), "predicting")
    if output is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows([header, *rows])
    else:
        with replaced(output) as file:
            csv.writer(file, lineterminator="\n").writerows([header, *rows])
        out.print(f"{len(rows)} predictions written to {output}")
    if broken:
        listed = "\n  ".join(broken[:10])
        more = f"\n  and {len(broken) - 10} more" if len(broken) > 10 else ""
        raise DataError(
            f"{len(broken)} of {len(files)} files are not images that can be read and were left "
            f"out:\n  {listed}{more}"
        )


def _one_by_one(
    predictor: Predictor, files: list[Path], num: int, broken: list[str]
) -> tuple[list[Path], list[list[Guess]]]:
    from thumbnet.errors import DataError

    good: list[Path] = []
    guesses: list[list[Guess]] = []
    for file in files:
        try:
            guesses += predictor.predict([file], num)
            good.append(file)
        except DataError as error:
            broken.append(str(error))
    return good, guesses


def _row(file: Path, top: list[Guess]) -> list[str]:
    cells = [str(file)]
    for guess in top:
        cells += [guess.wnid, guess.class_name, f"{guess.prob:.4f}"]
    return cells
