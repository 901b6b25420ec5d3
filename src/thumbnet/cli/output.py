"""Where commands print: results to standard output, the rest to standard error."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, ConsoleOptions
from rich.text import Text

from thumbnet.errors import RankError
from thumbnet.training.world import find_world

PIPED_WIDTH = 100_000  # columns: in a pipe or a file each row of a table is one line
TEXT_WIDTH = 32  # columns that a longer text needs to stand beside others
GAP, INDENT, LINE = "  ", "    ", "─"


def _is_silent() -> bool:
    """Tell whether this process is one of several that train together, and not the first."""
    try:
        return not find_world().is_first
    except RankError:
        return False  # the command itself will say so


class Output(Console):
    """A console whose lines are as long as they need to be in a pipe or a file.

    On a terminal, or where COLUMNS is set, the width is that of the terminal.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(
            highlight=False, soft_wrap=True, markup=False, stderr=stderr, quiet=_is_silent()
        )

    @property  # type: ignore[misc]  # nobody sets it
    def size(self) -> ConsoleDimensions:
        """Return the width and height to print at, as they are now."""
        if self.is_terminal or os.environ.get("COLUMNS", "").isdigit():
            return super().size
        return ConsoleDimensions(PIPED_WIDTH, 25)


out, err = Output(), Output(stderr=True)


class Table:
    """A table in the one look all commands share, which never cuts a cell.

    Where its columns do not fit side by side, headings wrap; then texts wrap or move below their
    row; then the columns to drop are left out, which a line says; else each row is a list.

    Args:
        left, right, more: names of columns, separated by commas, aligned to the left, then to the
            right, then to the left again
        text: the columns of words, which may wrap and stand below a row
        drop: the columns to leave out where room is short, the first first
    """

    def __init__(
        self,
        left: str,
        right: str = "",
        *more: str,
        title: str | None = None,
        text: str = "",
        drop: str = "",
    ) -> None:
        groups = [_split(names) for names in (left, right, *more)]
        self.names = [name for group in groups for name in group]
        self.title = title
        self.rows: list[tuple[str, ...]] = []
        self._sections = {0}
        self._right = range(len(groups[0]), len(groups[0]) + len(groups[1]))
        self._text = {self.names.index(name) for name in _split(text)}
        self._drop = [self.names.index(name) for name in _split(drop)]

    def add_row(self, *cells: str) -> None:
        """Add a row with a cell for each column."""
        assert len(cells) == len(self.names), f"{len(cells)} cells for {len(self.names)} columns"
        self.rows.append(tuple(" ".join(cell.split()) for cell in cells))

    def add_section(self) -> None:
        """Draw a line before the next row."""
        self._sections.add(len(self.rows))

    def lines(self, width: int) -> Iterator[tuple[str, str]]:
        """Yield the lines of the table and the style of each."""
        if self.title:
            yield from ((line, "italic") for line in _wrap(self.title, width))
        for num_dropped in range(len(self._drop) + 1):
            dropped = self._drop[:num_dropped]
            shown = [i for i in range(len(self.names)) if i not in dropped]
            beside = [i for i in shown if i not in self._text]
            for columns in (shown, beside):
                widths = self._fit(columns, width)
                if widths:
                    below = [] if columns is shown else [i for i in shown if i in self._text]
                    yield from self._side_by_side(widths, below, width)
                    if dropped:
                        names = ", ".join(self.names[i] for i in sorted(dropped))
                        note = f"not shown for want of room: {names}; a wider window shows all"
                        yield from ((line, "dim") for line in _wrap(note, width))
                    return
        yield from self._listed(width)

    def _fit(self, columns: Sequence[int], width: int) -> dict[int, int]:
        """Return the widths of columns that fit side by side; none where they do not."""
        least: dict[int, int] = {}
        most: dict[int, int] = {}
        for i in columns:
            words = max(map(cell_len, self.names[i].split()), default=0)
            cells = max((cell_len(row[i]) for row in self.rows), default=0)
            most[i] = max(cell_len(self.names[i]), cells)
            if i in self._text and cells > TEXT_WIDTH:
                longest = max(cell_len(word) for row in self.rows for word in row[i].split())
                cells = max(TEXT_WIDTH, longest)
            least[i] = max(words, cells)
        room = width - sum(least.values()) - len(GAP) * (len(columns) - 1)
        if room < 0:
            return {}
        for i in columns:
            more = min(room, most[i] - least[i])
            least[i] += more
            room -= more
        return least

    def _side_by_side(
        self, widths: dict[int, int], below: Sequence[int], width: int
    ) -> Iterator[tuple[str, str]]:
        heads = {i: _wrap(self.names[i], widths[i]) for i in widths}
        height = max(map(len, heads.values()))
        heads = {i: [""] * (height - len(head)) + head for i, head in heads.items()}
        rule = GAP.join(LINE * size for size in widths.values())
        yield from ((line, "bold") for line in self._row(heads, widths))
        for number, row in enumerate(self.rows):
            if number in self._sections:
                yield rule, "dim"
            cells = {i: _wrap(row[i], size) for i, size in widths.items()}
            yield from ((line, "") for line in self._row(cells, widths))
            for i in below:
                lines = _wrap(row[i], width - len(INDENT))
                yield from ((INDENT + line, "") for line in lines if line)

    def _row(self, cells: dict[int, list[str]], widths: dict[int, int]) -> Iterator[str]:
        for number in range(max(map(len, cells.values()))):
            parts = []
            for i, size in widths.items():
                part = cells[i][number] if number < len(cells[i]) else ""
                space = " " * (size - cell_len(part))
                parts.append(space + part if i in self._right else part + space)
            yield GAP.join(parts).rstrip()

    def _listed(self, width: int) -> Iterator[tuple[str, str]]:
        for number, row in enumerate(self.rows):
            if number:
                yield (
                    (LINE * min(width, TEXT_WIDTH), "dim") if number in self._sections else ("", "")
                )
            facts = ((name, cell) for name, cell in zip(self.names, row, strict=True) if cell)
            yield from ((line, "") for line in _list_facts(facts, width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the lines for this console."""
        for line, style in self.lines(options.max_width):
            yield Text(line, style)


def print_tables(tables: Iterable[Table]) -> None:
    """Print tables one after the other, with a line between them."""
    for number, table in enumerate(tables):
        if number:
            out.print()
        out.print(table)


def print_json(value: Any) -> None:
    """Print JSON; a number that is not finite becomes null."""
    out.print(json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names with their values, a line each; what is too long for it goes on below."""
    for line in _list_facts(facts, out.width):
        out.print(line)


def _list_facts(facts: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    facts = list(facts)
    size = max((cell_len(name) for name, _ in facts), default=0)
    for name, value in facts:
        head = name + " " * (size - cell_len(name)) + GAP
        for line in _wrap(value, width - cell_len(head)):
            yield (head + line).rstrip()
            head = " " * cell_len(head)


def _wrap(text: str, width: int) -> list[str]:
    """Break a text between words; a word that is too long stands alone and whole."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) > width:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _split(names: str) -> list[str]:
    return [name for name in (word.strip() for word in names.split(",")) if name]
