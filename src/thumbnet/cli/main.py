"""The `thumbnet` command: its families of commands, and how errors end."""

import io
import sys
import warnings
from typing import Annotated

import typer
from rich.console import Console

from thumbnet.cli import (
    challenge,
    compare,
    control,
    data,
    doctor,
    ensemble,
    export,
    judge,
    models,
    predict,
    quickstart,
    recipes,
    report,
    reproduce,
    runs,
    scoreboard,
    search,
    show,
    submit,
    train,
)
from thumbnet.cli.output import err
from thumbnet.errors import DivergedError, LostRankError, RankError, ThumbnetError
from thumbnet.training.world import find_world
from thumbnet.version import __version__

app = typer.Typer(
    name="thumbnet",
    help="Train, judge and use image classifiers on Tiny ImageNet and any folder of small images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.add_typer(recipes.app, name="recipe")
app.add_typer(models.app, name="model")
app.add_typer(runs.app, name="runs")
app.add_typer(show.app, name="show")
app.add_typer(challenge.app, name="challenge")
app.command()(train.train)
app.command()(train.resume)
app.command()(control.control)
app.command()(control.replay)
app.command()(reproduce.reproduce)
app.command()(judge.evaluate)
app.command()(predict.predict)
app.command()(compare.compare)
app.command()(report.report)
app.command()(ensemble.ensemble)
app.command()(search.search)
app.command()(export.export)
app.command()(submit.submit)
app.command()(scoreboard.submissions)
app.command()(scoreboard.scoreboard)
app.command()(doctor.doctor)
app.command()(quickstart.quickstart)


def _version(asked: bool) -> None:
    if asked:
        print(f"thumbnet {__version__}")
        raise typer.Exit


TOGETHER = ("train", "resume")  # what several processes of torchrun do together


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, judge and use image classifiers on Tiny ImageNet and any folder of small images."""
    command = context.invoked_subcommand
    if command not in TOGETHER and find_world().size > 1:
        raise RankError(
            f"`thumbnet {command}` runs in one process; torchrun takes {' and '.join(TOGETHER)}"
        )


def main() -> None:
    """Run the command line; a user's error is one message and exit status 2."""
    warnings.filterwarnings("ignore", module="PIL")  # of odd photos; what is broken is an error
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a class name that a terminal cannot show is "?"
            stream.reconfigure(errors="replace")
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app()
    except ThumbnetError as error:
        if _has_word(error):
            errors.print(f"error: {error}", markup=False)
        sys.exit(1 if isinstance(error, DivergedError | LostRankError) else 2)
    except KeyboardInterrupt:
        if _has_word():
            errors.print("interrupted", markup=False)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _has_word(error: ThumbnetError | None = None) -> bool:
    """Tell whether this process is to print how it ended: of several, one is enough."""
    if "torch" not in sys.modules:  # they have not met
        return not err.quiet
    from thumbnet.training.distributed import has_word

    return has_word(error)
