"""`thumbnet challenge team` and `token`: who takes part."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.output import Table, err, out

if TYPE_CHECKING:
    from thumbnet.challenge.entities import Team
    from thumbnet.challenge.store import Store

ACTOR = "command line"

team_app = typer.Typer(help="Add, list and disable teams.", no_args_is_help=True)
token_app = typer.Typer(help="Replace tokens.", no_args_is_help=True)

FolderArgument = Annotated[Path, typer.Argument(help="Folder of the challenge.")]
TeamArgument = Annotated[
    str, typer.Argument(help="Name of the team, or the last part of its address.")
]


@team_app.command()
def add(
    folder: FolderArgument,
    names: Annotated[list[str], typer.Argument(help="Names, 1 to 40 characters each.")],
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Shown on the board without a rank.")
    ] = False,
) -> None:
    """Add teams, all or none, and print the token of each, which is shown only once."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        added = store.add_teams(names, baseline, ACTOR)
    finally:
        store.close()
    for team, token in added:
        out.print(f"{token}  {team.name}")
    err.print("give each team its token now: it is shown only once")


@team_app.command("list")
def list_(folder: FolderArgument) -> None:
    """List all teams with their entries."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        rows = {row.team.id: row for row in store.board().rows}
        table = Table(
            "team, address",
            "rank, best, entries",
            "last entry (UTC), remarks",
            drop="last entry (UTC), address",
        )
        for team in store.teams():
            row = rows.get(team.id)
            remarks = [
                word
                for word, holds in (("baseline", team.is_baseline), ("disabled", team.disabled))
                if holds
            ]
            table.add_row(
                team.name,
                team.slug,
                str(row.rank) if row and row.rank else "-",
                f"{100 * row.best.value:.2f} %" if row else "-",
                str(row.num_entries) if row else "0",
                f"{row.last:%Y-%m-%d %H:%M:%S}" if row else "-",
                ", ".join(remarks),
            )
    finally:
        store.close()
    out.print(table)


@team_app.command()
def disable(
    folder: FolderArgument,
    team: TeamArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Enable the team again.")] = False,
) -> None:
    """Take a team off the board and refuse its submissions."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        found = find_team(store, team)
        store.disable_team(found, not undo, ACTOR)
    finally:
        store.close()
    out.print(f"{found.name}: {'enabled' if undo else 'disabled'}")


@team_app.command("reset-quota")
def reset_quota(folder: FolderArgument, team: TeamArgument) -> None:
    """Let a team submit now, for instance after the clock was wrong; its entries stay."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        found = find_team(store, team)
        store.reset_quota(found, ACTOR)
    finally:
        store.close()
    out.print(f"{found.name}: may submit now")


@token_app.command()
def rotate(
    folder: FolderArgument,
    team: Annotated[str | None, typer.Argument(help="Name of the team.")] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="Replace the admin's password instead.")
    ] = False,
) -> None:
    """Give a team a new token, or the admin a new password; the old one stops working at once."""
    from thumbnet.challenge.auth import new_password
    from thumbnet.challenge.operate import open_store

    if admin == (team is not None):
        raise typer.BadParameter("give a team, or --admin")
    _, store = open_store(folder)
    try:
        if team is not None:
            secret = store.rotate_token(find_team(store, team), ACTOR)
        else:
            secret = new_password()
            store.set_admin_password(secret, ACTOR)
    finally:
        store.close()
    out.print(secret)
    err.print("shown only once")


def find_team(store: "Store", word: str) -> "Team":
    """Return the team with this name or address.

    Raises: ChallengeError where there is none
    """
    from thumbnet.challenge.settings import ChallengeError
    from thumbnet.errors import did_you_mean

    teams = store.teams()
    for team in teams:
        if word in (team.slug, team.name):
            return team
    hint = did_you_mean(word, [team.name for team in teams])
    raise ChallengeError(f"there is no team {word!r}{hint}; see `thumbnet challenge team list`")
