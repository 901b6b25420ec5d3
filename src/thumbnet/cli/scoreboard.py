"""`thumbnet submissions` and `thumbnet scoreboard`, and what they share with `thumbnet submit`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thumbnet.cli.output import Table, err, out

if TYPE_CHECKING:
    from thumbnet.challenge.client import Client

ChallengeOption = Annotated[
    str | None,
    typer.Option("--challenge", envvar="THUMBNET_CHALLENGE", help="The server, https://..."),
]
TokenOption = Annotated[
    str | None,
    typer.Option(help="Your team's (default: THUMBNET_TOKEN, else the token file)."),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(help="A file only you can read (default: ~/.config/thumbnet/token)."),
]
HttpOption = Annotated[
    bool, typer.Option("--allow-http", help="Send the token unencrypted over a network.")
]


def submissions(
    challenge: ChallengeOption = None,
    token: TokenOption = None,
    token_file: TokenFileOption = None,
    allow_http: HttpOption = False,
) -> None:
    """List your team's entries, and say when the next one may come."""
    client = make_client(challenge, token, token_file, allow_http)
    with _reading(client):
        _show_entries(client.submissions(), client.now())


def _show_entries(answer: dict[str, Any], now: datetime) -> None:
    from thumbnet.challenge.client import moment

    place = "" if answer["rank"] is None else f", rank {answer['rank']}"
    title = plain(answer["team"]) + place
    table = Table(
        "", "entry, score", "received, sha256, note", title=title, text="note", drop="sha256"
    )
    for entry in answer["entries"]:
        table.add_row(
            str(entry["number"]),
            score_words(entry["score"]),
            time_words(entry["received"]),
            plain(entry["sha256"])[:12],
            ("(hidden) " if entry["hidden"] else "") + plain(entry["note"]),
        )
    out.print(table)
    show_next(moment(answer["next_slot"]), answer["entries_left"], now)


def scoreboard(challenge: ChallengeOption = None, allow_http: HttpOption = False) -> None:
    """Show the scoreboard; a line parts teams that noise cannot tell apart from the next ones."""
    client = make_client(challenge, None, None, allow_http, needs_token=False)
    with _reading(client):
        _show_board(client.board())


def _show_board(board: dict[str, Any]) -> None:
    revealed = any(row["private"] is not None for row in board["rows"])
    right = "rank, score," + ("final," if revealed else "") + "entries, change"
    title = f"{plain(board['state'])}, {board['num_entries']} entries, {time_words(board['at'])}"
    table = Table("team", right, "last", title=title, drop="last, change, entries")
    band = None
    for row in board["rows"]:
        if band is not None and row["band"] != band:
            table.add_section()
        band = row["band"]
        table.add_row(
            plain(row["team"]) + (" (baseline)" if row["is_baseline"] else ""),
            "" if row["rank"] is None else str(row["rank"]),
            score_words(row["score"]),
            *([score_words(row["private"]) if row["private"] else ""] if revealed else []),
            str(row["num_entries"]),
            "new" if row["is_new"] else f"{row['change']:+d}" if row["change"] else "",
            time_words(row["last"]),
        )
    out.print(table)


def make_client(
    challenge: str | None,
    token: str | None,
    token_file: Path | None,
    allow_http: bool,
    needs_token: bool = True,
) -> Client:
    """Make a client of what was given, or stands in the environment or the token file.

    Raises: SubmissionError
    """
    from thumbnet.challenge.client import Client
    from thumbnet.challenge.token import default_file, find_token
    from thumbnet.errors import SubmissionError

    if challenge is None:
        raise SubmissionError("give the server with --challenge URL, or in THUMBNET_CHALLENGE")
    found = find_token(token, token_file) if needs_token else None
    if needs_token and found is None:
        raise SubmissionError(
            "no token of your team: give it with --token or --token-file, set THUMBNET_TOKEN, or "
            f"put it into {default_file()}"
        )
    return Client(
        challenge,
        found,
        allow_http=allow_http,
        on_busy=lambda wait_s: err.print(
            f"the server is busy; trying again in {wait_s:.0f} s", style="dim"
        ),
    )


@contextmanager
def _reading(client: Client) -> Iterator[None]:
    try:
        with client:
            yield
    except (KeyError, TypeError, ValueError) as error:
        raise client.strange(f"something else than was asked for ({error!r})") from None


def show_next(slot: datetime | None, entries_left: int | None, now: datetime) -> None:
    """Print when the next entry may come."""
    from thumbnet.challenge.limits import countdown

    left = "" if entries_left is None else f"; {entries_left:,} entries left"
    if entries_left == 0:
        out.print("no entries left")
        return
    when = countdown(slot, now)
    at = "" if when == "now" or slot is None else f" ({time_words(slot)})"
    out.print(f"next slot {when}{at}{left}")


def score_words(score: dict[str, Any]) -> str:
    """Return a score of the API in percent."""
    return f"{100 * score['value']:.1f} ± {100 * score['half_width']:.1f} %"


def time_words(when: str | datetime) -> str:
    """Return a time, or one of the API, in UTC."""
    moment = datetime.fromisoformat(when) if isinstance(when, str) else when
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain(text: object) -> str:
    """Make what others wrote harmless for a terminal: no control or direction characters."""
    return "".join(char if char.isprintable() else "?" for char in str(text))
