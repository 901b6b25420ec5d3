"""What `thumbnet show` judges before it draws: one network, or several on the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.progress import bar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from thumbnet.inference import Evaluation

SplitOption = Annotated[
    str | None, typer.Option(help="train or val; else what the first run's protocol reports.")
]


def judge(
    run: str, split: str | None, data: Path | None, weights: str, device: str | None
) -> Evaluation:
    """Judge one run or model folder."""
    return judge_all([run], split, data, weights, device)[run]


def judge_all(
    runs: Sequence[str], split: str | None, data: Path | None, weights: str, device: str | None
) -> dict[str, Evaluation]:
    """Judge runs and model folders on the images that the first one's protocol reports."""
    from thumbnet.inference import evaluate_same
    from thumbnet.training.engine import find_device

    where = find_device(device)
    with bar("judging") as progress:
        return evaluate_same(runs, split, data, weights=weights, device=where, progress=progress)
