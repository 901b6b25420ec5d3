"""`thumbnet control` and `thumbnet replay`: the hand on a running job, and the job once more."""

from pathlib import Path
from typing import Annotated

import typer

from thumbnet.cli.output import out
from thumbnet.cli.train import DataOption, end


def control(
    run: Annotated[str, typer.Argument(help="A run that is training: its name or path.")],
    command: Annotated[
        list[str],
        typer.Argument(
            help='lr=NUMBER, lr=auto, epochs=NUMBER, stop, pause, continue, or note "TEXT".'
        ),
    ],
) -> None:
    """Change a run while it trains: acts before its next step, and is written into its events."""
    from thumbnet.runs import find_run
    from thumbnet.training.control import send
    from thumbnet.training.hand import parse_command

    kind, value = parse_command(command)
    answer = send(find_run(run), kind, value)
    out.print(f"{' '.join(command)}: {answer}", markup=False)


def replay(
    run: Annotated[str, typer.Argument(help="A run that is over: its name or path.")],
    data: DataOption = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="The new run's folder (default: runs/<recipe>.N).")
    ] = None,
) -> None:
    """Train a run once more, with all that a hand did to it, and compare the weights."""
    from thumbnet.cli.live import LiveTraining
    from thumbnet.runs import find_run
    from thumbnet.training import session

    source = find_run(run)
    with LiveTraining() as live:
        result = session.replay(source, data, out=out_folder, observers=[live])
    as_before = source.last_event().get("reason")
    if result.reason != as_before:
        end(result)
    if session.same_weights(source, result.run):
        out.print(f"byte-equal: {result.run.path} ended with the weights of {source.path}")
        return
    out.print(f"not equal: {result.run.path} ended with other weights than {source.path}")
    raise typer.Exit(1)
