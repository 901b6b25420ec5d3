"""What a soak test measured, beside what was asked: said, kept for the record, then demanded."""

import json
import os
from pathlib import Path
from typing import Any

VARIABLE = "THUMBNET_FIGURES"  # names a file that gets a line of JSON a figure
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def figure(what: str, where: str, asked: str, measured: str, holds: bool, **values: Any) -> None:
    """Keep a figure, and fail where it does not hold what was asked.

    Args: where: the database, by its name or address; measured: in words; values: in numbers
    """
    where = NAMES.get(where.partition(":")[0].partition("+")[0], where)
    print(f"\n{what}, {where}: {measured} (asked: {asked})")
    if file := os.environ.get(VARIABLE):
        kept = {"what": what, "where": where, "asked": asked, "measured": measured}
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(json.dumps({**kept, "holds": bool(holds), **values}) + "\n")
    assert holds, f"{what}, {where}: {measured} instead of {asked}"
