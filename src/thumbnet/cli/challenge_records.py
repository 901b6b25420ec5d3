"""`thumbnet challenge export`, `audit`, `backup`, `restore`: the records of a challenge."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from thumbnet.cli.challenge_teams import FolderArgument
from thumbnet.cli.moment import written
from thumbnet.cli.output import out


class Form(StrEnum):
    """How tables are written."""

    CSV = "csv"
    JSON = "json"


class What(StrEnum):
    """What can be exported."""

    BOARD = "board"
    ENTRIES = "entries"


def export(
    folder: FolderArgument,
    what: Annotated[What, typer.Argument(help="What to export.")] = What.BOARD,
    *,
    form: Annotated[Form, typer.Option("--format", help="How to write it.")] = Form.CSV,
    out_file: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write; else standard output.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="With private scores, also before the reveal.")
    ] = False,
) -> None:
    """Write the board, or all entries, as CSV or JSON."""
    from thumbnet.challenge import export as library
    from thumbnet.challenge.operate import open_store
    from thumbnet.predictions import replaced

    _, store = open_store(folder)
    try:
        tables = {What.BOARD: library.export_board, What.ENTRIES: library.export_entries}
        rows = tables[what](store, private=private)
    finally:
        store.close()
    text = library.as_csv(rows) if form is Form.CSV else library.as_json(rows)
    if out_file is None:
        out.print(text, end="")
        return
    with replaced(out_file, secret=private) as file:
        file.write(text)
    out.print(str(out_file))


def audit(
    folder: FolderArgument,
    limit: Annotated[int | None, typer.Option(min=1, help="Latest lines; else all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print the audit log, the latest line last."""
    from thumbnet.challenge.operate import open_store

    _, store = open_store(folder)
    try:
        lines = store.audit(limit)
    finally:
        store.close()
    for line in reversed(lines):
        if as_json:
            fields = {**vars(line), "at": line.at.isoformat()}
            out.print(json.dumps(fields, ensure_ascii=False))
        else:
            details = " ".join(f"{key}={value}" for key, value in line.details.items())
            out.print(f"{written(line.at)}  {line.actor}: {line.action} {line.target} {details}")


def backup(
    folder: FolderArgument,
    file: Annotated[Path, typer.Argument(help="File to write.")],
) -> None:
    """Write all of a challenge to one file; the server may keep running."""
    from thumbnet.challenge import backup as library

    path = library.backup(folder, file)
    out.print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def restore(
    file: Annotated[Path, typer.Argument(help="File that `backup` wrote.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write; new, or empty.")],
    database_url: Annotated[
        str, typer.Option(help="Empty database to fill; else SQLite in the folder.")
    ] = "",
) -> None:
    """Restore a challenge from a backup, also into PostgreSQL."""
    from thumbnet.challenge import backup as library

    library.restore(file, folder, database_url)
    out.print(str(folder))
