"""`thumbnet export`: a model folder with its card, and an ONNX graph that is proven."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.judge import WeightsOption
from thumbnet.cli.output import Table, err, out
from thumbnet.cli.progress import bar
from thumbnet.cli.train import DataOption

if TYPE_CHECKING:
    from thumbnet.export.parity import Parity


def export(
    run: Annotated[str, typer.Argument(help="A run, or a model folder.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The model folder to write.")],
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Write model.onnx too, and prove it on every image.")
    ] = False,
    weights: WeightsOption = "best",
    data: DataOption = None,
) -> None:
    """Write a network as a model folder with a card, for others to use; as ONNX too if asked."""
    from thumbnet.export.folder import export_run
    from thumbnet.export.parity import ParityError

    try:
        with bar("exporting") as progress:
            made = export_run(run, output, data, onnx=onnx, weights=weights, progress=progress)
    except ParityError as error:
        err.print(f"error: {error}")
        raise typer.Exit(1) from None
    if made.parity is not None:
        _print(made.parity)
    scores = made.evaluation.scores
    out.print(f"top-1 {100 * scores.top1:.2f} % on {made.evaluation.judged_on}")
    out.print(f"model folder: {output}; read its README.md before you hand it on")


def _print(found: Parity) -> None:
    table = Table("ONNX against PyTorch", "found, allowed")
    table.add_row("images compared", str(found.num_images), "")
    table.add_row("of them with two largest logits within 1e-4", str(found.num_ties), "")
    table.add_row("others with another top-1", str(found.num_different), "0")
    table.add_row("largest difference of a logit", f"{found.absolute:.2g}", "")
    table.add_row("relative to the image's largest logit", f"{found.relative:.2g}", "1e-4")
    out.print(table)
