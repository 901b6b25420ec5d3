"""`thumbnet challenge`: create a challenge with hidden labels, serve it, look after it."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli import challenge_records, challenge_rules, challenge_serve, challenge_times
from thumbnet.cli.challenge_rules import CapOption, QuotaOption, parse_cap, parse_quota
from thumbnet.cli.challenge_teams import ACTOR, FolderArgument, team_app, token_app
from thumbnet.cli.extras import needs
from thumbnet.cli.moment import ClosesOption, OpensOption, parse_moment, written
from thumbnet.cli.output import err, out, print_facts
from thumbnet.errors import SubmissionError

if TYPE_CHECKING:
    from thumbnet.challenge.entities import Rules
    from thumbnet.challenge.operate import Created

app = typer.Typer(
    help="Run a challenge: hidden labels, one entry per quota, a live board.", no_args_is_help=True
)
app.add_typer(team_app, name="team")
app.add_typer(token_app, name="token")
for command in (
    challenge_serve.serve,
    challenge_serve.demo,
    challenge_rules.edit,
    challenge_times.dates,
    challenge_times.freeze,
    challenge_times.reveal,
    challenge_records.export,
    challenge_records.audit,
    challenge_records.backup,
    challenge_records.restore,
):
    app.command()(command)


SERVER = ("fastapi", "sqlalchemy", "alembic", "argon2")


@app.callback()
def needs_server() -> None:
    """Run a challenge: hidden labels, one entry per quota, a live board."""
    needs("a challenge", "server", *SERVER, error=SubmissionError)


class Part(StrEnum):
    """Which part of val may be hidden."""

    VAL = "val"
    HALF = "val-second-half"


class Metric(StrEnum):
    """What is counted."""

    TOP1 = "top1"
    TOP5 = "top5"


@app.command()
def create(
    folder: Annotated[Path, typer.Argument(help="Folder to write; new, or empty.")],
    *,
    name: Annotated[str, typer.Option(help="Name of the challenge.")],
    data: Annotated[Path | None, typer.Option(help="Data set; searched for if not given.")] = None,
    hide: Annotated[
        Part | None,
        typer.Option(metavar="PART", help="Labels to hide: val (default), or val-second-half."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="`image wnid` lines: labels of the test images, to hide.")
    ] = None,
    description: Annotated[str, typer.Option(help="Shown with the rules.")] = "",
    opens: OpensOption = "now",
    closes: ClosesOption = "+30d",
    quota: QuotaOption = "2h",
    max_entries: CapOption = "50",
    metric: Annotated[Metric, typer.Option(help="What is counted.")] = Metric.TOP1,
    public_share: Annotated[float, typer.Option(help="Share of the images on the board.")] = 0.3,
    rounding: Annotated[float, typer.Option(help="Step of shown scores; 0.001 is 0.1 %.")] = 0.001,
    ladder: Annotated[
        bool, typer.Option(help="Show a new score only if it beats the best by a step.")
    ] = True,
    ladder_step: Annotated[float, typer.Option(help="The Ladder's step.")] = 0.005,
    seed: Annotated[
        int | None, typer.Option(help="Draws names and the public part; keep it secret.")
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Put a team that guesses on the board.")
    ] = False,
    public_url: Annotated[str | None, typer.Option(help="Address that participants use.")] = None,
    database_url: Annotated[
        str, typer.Option(help="postgresql+psycopg://...; else SQLite in the folder.")
    ] = "",
) -> None:
    """Hide labels, write the participants' bundle, and print the admin's password once."""
    from thumbnet.challenge import operate
    from thumbnet.challenge.entities import Rules
    from thumbnet.challenge.store import utc_now
    from thumbnet.data.sources import load_dataset

    if hide and labels:
        raise typer.BadParameter("give --hide or --labels, not both")
    now = utc_now()
    begin = parse_moment(opens, now)
    rules = Rules(
        name=name,
        opens=begin,
        closes=parse_moment(closes, begin, end=True),
        quota=parse_quota(quota),
        max_entries=parse_cap(max_entries),
        metric=metric.value,
        rounding=rounding,
        ladder=ladder,
        ladder_step=ladder_step,
        public_share=public_share,
        description=description,
    )
    dataset = load_dataset(data, download=False)
    if labels:
        hidden = operate.hide_labelled(dataset, labels)
    else:
        hidden = operate.hide_part(dataset, (hide or Part.VAL).value)
    made = operate.create(
        folder,
        dataset,
        hidden,
        rules,
        seed=seed,
        database_url=database_url,
        public_url=public_url,
        baseline=baseline,
    )
    _print_created(folder, made, rules)


@app.command()
def status(
    folder: FolderArgument,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Show state and numbers, and check the whole database."""
    from thumbnet.challenge.operate import status_of

    facts = status_of(folder)
    if as_json:
        out.print(json.dumps(facts, indent=1, ensure_ascii=False, default=str))
    else:
        print_facts(
            (key, "; ".join(value) or "none" if isinstance(value, list) else str(value))
            for key, value in facts.items()
        )
    if facts["problems"]:
        raise typer.Exit(1)


@app.command()
def hide(
    folder: FolderArgument,
    entry: Annotated[str, typer.Argument(help="Id of an entry.")],
    undo: Annotated[bool, typer.Option("--undo", help="Count it again.")] = False,
) -> None:
    """Remove an entry from the ranking; its slot stays used."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        store.hide(entry, not undo, ACTOR)
    finally:
        store.close()
    out.print(f"{entry}: {'counts again' if undo else 'hidden'}")


@app.command()
def rescore(
    folder: FolderArgument,
    labels: Annotated[
        Path | None, typer.Option(help="New hidden labels: `image wnid` lines, bundle's names.")
    ] = None,
) -> None:
    """Score all entries again, with corrected labels if given."""
    from thumbnet.challenge.operate import open_store, rescore_by

    _, store = open_store(folder)
    try:
        changed = rescore_by(store, labels, ACTOR)
    finally:
        store.close()
    out.print(f"{changed} entries changed")


def _print_created(folder: Path, made: "Created", rules: "Rules") -> None:
    if made.warning:
        err.print(f"\nWARNING: {made.warning}\n", style="bold red")
    out.print(f"{folder}: {made.num_images:,} hidden images, {made.num_public:,} of them public")
    out.print(f"opens   {written(rules.opens)}")
    out.print(f"closes  {written(rules.closes)}")
    out.print(f"admin password: {made.password}")
    if made.baseline_token:
        out.print(f"token of the baseline: {made.baseline_token}")
    err.print(
        "write the password down now: it is shown only once\n"
        f"next: thumbnet challenge team add {folder} NAME; thumbnet challenge serve {folder}"
    )
