"""Entries and the board as tables for other programs."""

import csv
import io
import json
import re
from collections.abc import Sequence

from thumbnet.challenge.entities import Score
from thumbnet.challenge.store import Store

Cell = str | int | float | bool | None
Row = dict[str, Cell]
BREAKS = re.compile(r"\s*[\t\n\v\f\r\x85\u2028\u2029]\s*")
# What a spreadsheet computes: a cell that begins so, where a semicolon or bar may part cells too.
FORMULA = re.compile(r"""(^|[;|])([\s"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])""")


def export_board(store: Store, *, private: bool = False) -> list[Row]:
    """Return the board, best first. Private scores are in it after the reveal, or if asked for."""
    return [
        {
            "rank": row.rank,
            "band": row.band,
            "team": row.team.name,
            "is_baseline": row.team.is_baseline,
            **_score("public", row.best),
            **_score("private", row.private),
            "num_entries": row.num_entries,
            "last": row.last.isoformat(),
        }
        for row in store.board(for_admin=private).rows
    ]


def export_entries(store: Store, *, private: bool = False) -> list[Row]:
    """Return all entries of all teams, hidden ones too, in order of team and time."""
    return [
        {
            "team": team.name,
            "disabled": team.disabled,
            "entry": entry.id,
            "number": entry.number,
            "received": entry.received.isoformat(),
            **_score("public", entry.shown),
            **_score("private", entry.private),
            "hidden": entry.hidden,
            "sha256": entry.sha256,
            "size_bytes": entry.size_bytes,
            "note": entry.note,
        }
        for team in store.teams()
        for entry in reversed(store.team_page(team, private).entries)
    ]


def as_csv(rows: Sequence[Row]) -> str:
    """Write rows as CSV (RFC 4180), each row in one line and each cell in quotes.

    Text that a spreadsheet would compute as a formula gets an apostrophe before it.
    """
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows({name: _safe(cell) for name, cell in row.items()} for row in rows)
    return text.getvalue()


def as_json(rows: Sequence[Row]) -> str:
    """Write rows as a JSON list."""
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _score(part: str, score: Score | None) -> Row:
    names = (part, f"{part}_half_width")
    values = (None, None) if score is None else (score.value, score.half_width)
    return dict(zip(names, values, strict=True))


def _safe(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    return FORMULA.sub(r"\1\2'", BREAKS.sub(" ", cell).strip())
