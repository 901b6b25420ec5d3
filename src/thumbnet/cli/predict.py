"""`thumbnet predict`."""

from __future__ import annotations

import csv
import glob
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.judge import DeviceOption, WeightsOption
from thumbnet.cli.output import Table, err, out
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnet.inference import Guess, Predictor

CHUNK = 256


def predict(
    run: Annotated[str, typer.Argument(help="A run, or a model folder.")],
    images: Annotated[
        list[str] | None, typer.Argument(help="Image files, folders or quoted globs.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Label a whole split instead: test, val or train.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A file; of images, and where it ends in .csv, CSV."),
    ] = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    views: Annotated[str, typer.Option(help="Test-time views, as for evaluate.")] = "one",
    device: DeviceOption = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="By the model.onnx of a folder that export wrote.")
    ] = False,
) -> None:
    """Predict the classes of image files, or of a whole split.

    Image files: a table on a terminal; CSV with the five likeliest classes in a pipe or with -o.

    A split: a file of `image wnid` lines, as a challenge takes them. Where the name of a file or
    of a class holds a space, which such a line cannot, or -o ends in .csv: CSV with the columns
    image and wnid.
    """
    from thumbnet.errors import RecipeError
    from thumbnet.evaluation.views import find_views

    if bool(images) == (split is not None):
        raise RecipeError("give either image files, folders or globs, or --split NAME")
    find_views(views)  # refuses unknown ones before anything is loaded
    predictor = _load(run, weights, device, onnx)
    if split is not None:
        _predict_split(predictor, run, split, data, views, output)
    else:
        _predict_files(predictor, find_images(images or []), views, output)


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
    predictor: Predictor, run: str, split: str, data: Path | None, views: str, output: Path | None
) -> None:
    from thumbnet.data.splits import source_part
    from thumbnet.inference import data_of
    from thumbnet.predictions import write_labels, write_labels_csv
    from thumbnet.scoring import ranked

    dataset = data_of(run, data)
    source_part(dataset, split)  # refuses an unknown split
    with bar("predicting") as progress:
        logits = predictor.split_logits(dataset, split, progress, views=views)
    names = [name.decode() for name in dataset.splits[split].names]
    wnids = [predictor.trained.wnids[i] for i in ranked(logits, 1)[:, 0]]
    has_space = any(len(name.split()) != 1 for name in {*names, *predictor.trained.wnids})
    is_asked = output is not None and output.suffix == ".csv"
    path = output or Path(f"{split}-labels.{'csv' if has_space else 'txt'}")
    if has_space or is_asked:
        write_labels_csv(path, names, wnids)
        why = "" if is_asked else ", since names hold spaces"
        out.print(f"{len(names)} labels written to {path} as CSV (image, wnid){why}")
    else:
        write_labels(path, names, wnids)
        out.print(f"{len(names)} labels written to {path}")


def _predict_files(
    predictor: Predictor, files: list[Path], views: str, output: Path | None
) -> None:
    from thumbnet.errors import DataError

    num = min(5, predictor.trained.num_classes)
    broken: list[str] = []
    rows: list[tuple[Path, list[Guess]]] = []
    with bar("predicting") as progress:
        for first in range(0, len(files), CHUNK):
            part = files[first : first + CHUNK]
            rows += _predict_part(predictor, part, num, views, broken)
            progress(min(first + CHUNK, len(files)), len(files), "predicting")
    if output is None and out.is_terminal:
        _print(rows)
    else:
        _write(rows, num, output)
    if broken:
        listed = "\n  ".join(broken[:10])
        more = f"\n  and {len(broken) - 10} more" if len(broken) > 10 else ""
        raise DataError(
            f"{len(broken)} of {len(files)} files are not images that can be read and were left "
            f"out:\n  {listed}{more}"
        )


def _predict_part(
    predictor: Predictor, files: Sequence[Path], num: int, views: str, broken: list[str]
) -> list[tuple[Path, list[Guess]]]:
    """Predict files; of several one that is broken does not cost the others their answer."""
    from thumbnet.errors import DataError

    try:
        guesses = predictor.guesses(predictor.logits(files, views=views), num)
    except DataError as error:
        if len(files) == 1:
            broken.append(str(error))
            return []
        return [
            row for file in files for row in _predict_part(predictor, [file], num, views, broken)
        ]
    return list(zip(files, guesses, strict=True))


def _print(rows: Sequence[tuple[Path, list[Guess]]]) -> None:
    table = Table("file, class", "probability", "next best", text="next best")
    for file, (best, *others) in rows:
        second = f"{others[0].class_name} {_percent(others[0].prob)}" if others else ""
        table.add_row(str(file), best.class_name, _percent(best.prob), second)
    out.print(table)


def _percent(prob: float) -> str:
    return f"{100 * prob:.1f} %"


def _write(rows: Sequence[tuple[Path, list[Guess]]], num: int, output: Path | None) -> None:
    from thumbnet.predictions import replaced

    kinds = [f"{kind}{i}" for i in range(1, num + 1) for kind in ("wnid", "class", "prob")]
    lines = [["file", *kinds], *(_row(file, top) for file, top in rows)]
    if output is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(lines)
        return
    with replaced(output) as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    out.print(f"{len(rows)} predictions written to {output}")


def _row(file: Path, top: list[Guess]) -> list[str]:
    cells = [str(file)]
    for guess in top:
        cells += [guess.wnid, guess.class_name, f"{guess.prob:.4f}"]
    return cells
