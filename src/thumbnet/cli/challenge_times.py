"""`thumbnet challenge dates`, `freeze`, `reveal`: when a challenge runs, pauses and ends."""

from typing import Annotated

import typer

from thumbnet.cli.challenge_teams import ACTOR, FolderArgument
from thumbnet.cli.moment import MOMENT, parse_moment, written
from thumbnet.cli.output import out


def dates(
    folder: FolderArgument,
    opens: Annotated[str | None, typer.Option(help=f"New opening: {MOMENT}")] = None,
    closes: Annotated[
        str | None,
        typer.Option(help=f"New end: {MOMENT} A date alone means the end of that day."),
    ] = None,
) -> None:
    """Show when the challenge opens, closes and is frozen, or move opening and end."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        challenge, now = store.challenge(), store.clock()
        rules = challenge.rules
        begin = parse_moment(opens, now) if opens else rules.opens
        end = parse_moment(closes, now, end=True) if closes else rules.closes
        if (begin, end) != (rules.opens, rules.closes):
            store.move(begin, end, ACTOR)
    finally:
        store.close()
    out.print(f"opens   {written(begin)}")
    out.print(f"closes  {written(end)}")
    if challenge.state != "revealed" and (at := challenge.frozen_at):
        out.print(f"{'frozen ' if at <= now else 'freezes'} {written(at)}")


def freeze(
    folder: FolderArgument,
    at: Annotated[str, typer.Option(help=f"When: {MOMENT}")] = "now",
    undo: Annotated[
        bool, typer.Option("--undo", help="End the freeze, or cancel a planned one.")
    ] = False,
) -> None:
    """Keep the board as it is, and take no entry until --undo."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        moment = None if undo else parse_moment(at, store.clock())
        store.freeze(moment, ACTOR)
    finally:
        store.close()
    out.print(f"frozen from {written(moment)}" if moment else "not frozen")


def reveal(
    folder: FolderArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Show the final ranking, by private scores; this ends the challenge and cannot be undone."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        state = store.challenge().state
        if state not in ("closed", "revealed") and not yes:
            typer.confirm(
                f"the challenge is {state}; end it now? This cannot be undone", abort=True, err=True
            )
        store.reveal(ACTOR)
        for row in store.board().rows:
            private = f"{100 * row.private.value:.2f} %" if row.private else "-"
            out.print(f"{row.rank or '-':>4}  {private:>8}  {row.team.name}")
    finally:
        store.close()
