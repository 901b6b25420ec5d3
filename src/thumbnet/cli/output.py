"""Where commands print: results to standard output, the rest to standard error."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

from thumbnet.errors import RankError
from thumbnet.training.world import find_world

PIPED_WIDTH = 160  # columns; a pipe has no width of its own


def _is_silent() -> bool:
    """Tell whether this process is one of several that train together, and not the first."""
    try:
        return not find_world().is_first
    except RankError:
        return False  # the command itself will say so


_width, _quiet = None if sys.stdout.isatty() else PIPED_WIDTH, _is_silent()
out = Console(highlight=False, soft_wrap=True, markup=False, width=_width, quiet=_quiet)
err = Console(highlight=False, soft_wrap=True, markup=False, stderr=True, quiet=_quiet)


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
