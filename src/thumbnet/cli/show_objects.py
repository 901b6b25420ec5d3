"""`thumbnet show objects`: what the size, place, shape and texture of an object do to accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.judge import DeviceOption, WeightsOption
from thumbnet.cli.output import Table, out
from thumbnet.cli.show_files import OutputOption, SvgOption, other_than, place_of, write
from thumbnet.cli.show_judging import SplitOption, judge_all
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thumbnet.effects import Effect
    from thumbnet.evaluation.object_study import NetworkStudy
    from thumbnet.visualize.objects import Drawn


def objects(
    runs: Annotated[list[str], typer.Argument(help="One or more runs or model folders.")],
    split: SplitOption = None,
    data: DataOption = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
    output: OutputOption = None,
    svg: SvgOption = False,
) -> None:
    """Draw what an object's size, place, shape and texture do to accuracy, class held fixed.

    The figures go to a CSV file beside the picture.
    """
    from thumbnet.evaluation.object_study import study_objects
    from thumbnet.visualize.objects import draw_objects

    found = judge_all(runs, split, data, weights, device)
    one = next(iter(found.values()))
    logits = {Path(name).name: each.logits for name, each in found.items()}
    studies = study_objects(one.dataset, one.part, logits)
    place = place_of("objects", runs, split, other_than("best", weights))
    drawn = {name: _drawn(study) for name, study in studies.items()}
    write(draw_objects(drawn, one.judged_on), output, place, svg)
    _write_lines((output or place).with_suffix(".csv"), studies)
    for name, study in studies.items():
        _print(name, study)


def _drawn(study: NetworkStudy) -> Drawn:
    from thumbnet.visualize.objects import Drawn

    apart = {f"{name}, distinctive\nbackground": one for name, one in study.by_background.items()}
    return Drawn(study.bins, {**study.together, **apart})


def _write_lines(path: Path, studies: Mapping[str, NetworkStudy]) -> None:
    import csv
    from math import isnan

    from thumbnet.evaluation.object_study import COLUMNS
    from thumbnet.predictions import replaced

    with replaced(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, study in studies.items():
            for *words, low, high, num_images, value, bottom, top in study.lines(name):
                ends = ("" if isnan(end) else f"{end:.4f}" for end in (low, high))
                figures = (f"{figure:.5f}" for figure in (value, bottom, top))
                writer.writerow([*words, *ends, num_images, *figures])
    out.print(f"figures written to {path}")


def _print(name: str, study: NetworkStudy) -> None:
    from thumbnet.evaluation.objects import FEATURES

    columns = "class held fixed, 95 % interval, the others too, 95 % interval"
    title = (
        f"{name}, top-1 {100 * study.top1:.2f} %: points from a feature's 10th percentile to its "
        "90th"
    )
    table = Table("feature, in words", columns, title=title, text="in words")
    for feature, words in FEATURES.items():
        cells = [*_cells(study.alone.get(feature)), *_cells(study.together.get(feature))]
        table.add_row(feature, words, *cells)
    out.print(table)
    for feature, effect in study.by_background.items():
        change, interval = _cells(effect)
        out.print(
            f"effect of {feature} in classes of distinctive background, against others: "
            f"{change} points ({interval})"
        )


def _cells(effect: Effect | None) -> tuple[str, str]:
    if effect is None:
        return "does not vary", ""
    low, high = effect.interval.low, effect.interval.high
    return f"{100 * effect.change:+.1f}", f"{100 * low:+.1f} to {100 * high:+.1f}"
