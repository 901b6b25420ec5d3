"""`thumbnet challenge edit`: rules that may change after the challenge was created."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import typer

from thumbnet.cli.challenge_teams import ACTOR, FolderArgument
from thumbnet.cli.duration import parse_duration
from thumbnet.cli.output import out
from thumbnet.errors import RecipeError

NONE = "none"
QUOTA = "Time from a team's entry to its next: 30m, 2h, 2d, or none."
CAP = "Entries of a team in all: a number, or none."
CapOption = Annotated[str, typer.Option(help=CAP)]
QuotaOption = Annotated[str, typer.Option(help=QUOTA)]


def edit(
    folder: FolderArgument,
    name: Annotated[str | None, typer.Option(help="New name of the challenge.")] = None,
    description: Annotated[str | None, typer.Option(help="Shown with the rules.")] = None,
    quota: Annotated[str | None, typer.Option(help=QUOTA)] = None,
    max_entries: Annotated[str | None, typer.Option(help=CAP)] = None,
) -> None:
    """Change name, description, quota or cap; the rules page shows what changed and when."""
    from thumbnet.challenge.operate import check_rules, open_store
    from thumbnet.challenge.store_rules import WORDS

    values: dict[str, Any] = {"name": name, "description": description}
    values = {key: value for key, value in values.items() if value is not None}
    if quota is not None:
        values["quota"] = parse_quota(quota)
    if max_entries is not None:
        values["max_entries"] = parse_cap(max_entries)
    _, store = open_store(folder)
    try:
        challenge = store.challenge()
        rules = replace(challenge.rules, **values)
        check_rules(rules, challenge.num_classes)
        store.edit(challenge.rules, rules, ACTOR)
    finally:
        store.close()
    for key, words in WORDS.items():
        out.print(f"{key.replace('_', ' '):<12} {words(getattr(rules, key))}")


def parse_quota(text: str) -> timedelta:
    """Return the time from an entry to the next; none is 0.

    Raises: RecipeError
    """
    if text.strip().lower() == NONE:
        return timedelta(0)
    try:
        return timedelta(seconds=parse_duration(text))
    except RecipeError:
        raise RecipeError(
            f"cannot read the quota '{text}'; write 30m, 2h or 2d, or none where teams may submit "
            "at any time"
        ) from None


def parse_cap(text: str) -> int | None:
    """Return how many entries a team has in all, None for no limit.

    Raises: RecipeError
    """
    if text.strip().lower() == NONE:
        return None
    try:
        return int(text)
    except ValueError:
        raise RecipeError(f"cannot read --max-entries '{text}'; write a number, or none") from None
