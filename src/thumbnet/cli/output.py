"""Where commands print: results to standard output, the rest to standard error."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 160  # columns; a pipe has no width of its own

_width = None if sys.stdout.isatty() else PIPED_WIDTH
out = Console(highlight=False, soft_wrap=True, markup=False, width=_width)
err = Console(highlight=False, soft_wrap=True, markup=False, stderr=True)


def make_table(left: str, right: str = "", *more: str, title: str | None = None) -> Table:
    """Make a table in the one look all commands share.

    Args: left, right: names of columns, separated by commas, aligned to the left, then to the
        right; more: columns to the left again
    """
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for number, names in enumerate((left, right, *more)):
        for name in filter(None, (word.strip() for word in names.split(","))):
            table.add_column(name, justify="right" if number == 1 else "left")
    return table
