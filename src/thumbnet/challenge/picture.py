"""Where intervals and histories are drawn: numbers for the pages' SVG, no markup here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, log10

from thumbnet.challenge.entities import Board, BoardRow, Entry, Rules, Score

NUM_TICKS = 4
WIDTH, HEIGHT = 680.0, 180.0


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis; `x` in percent of its length."""

    x: float
    label: str


@dataclass(frozen=True)
class Line:
    """A row of the board, its interval in percent of the axis, and what is said when it changes."""

    row: BoardRow
    low: float
    middle: float
    high: float
    sum: str
    says: str


@dataclass(frozen=True)
class Band:
    """Rows that noise cannot tell apart."""

    rows: tuple[Line, ...]


@dataclass(frozen=True)
class BoardView:
    """A board, ready to be drawn."""

    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Point:
    """An entry in the picture of a history."""

    x: float
    y: float
    best: bool


@dataclass(frozen=True)
class Level:
    """A labelled height."""

    y: float
    label: str


@dataclass(frozen=True)
class History:
    """Entries of a team in order, and the best so far as the points of a line."""

    points: tuple[Point, ...]
    steps: str
    ticks: tuple[Level, ...]


@dataclass(frozen=True)
class Axis:
    """A range of fractions that begins and ends at round numbers."""

    low: float
    high: float
    step: float

    def place(self, value: float) -> float:
        """Return where a value stands, 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def ticks(self) -> list[float]:
        """Return the round values of the axis, both ends among them."""
        count = round((self.high - self.low) / self.step)
        return [self.low + index * self.step for index in range(count + 1)]


def axis(values: Iterable[float]) -> Axis:
    """Return the shortest axis with about four round steps that holds all values.

    Example: axis([0.412, 0.633]) reaches from 0.4 to 0.7 in steps of 0.1
    """
    low, high = _ends(values)
    wide = max(high - low, 0.01) / NUM_TICKS
    unit = 10.0 ** floor(log10(wide))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= wide * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return Axis(first * step, max(last, first + 1) * step, step)


def decimals(rules: Rules) -> int:
    """Return how many decimals of a percentage the rounding of the rules leaves.

    Example: 1 where scores are rounded to 0.001
    """
    return max(0, min(4, ceil(-log10(rules.rounding * 100) - 1e-9))) if rules.rounding > 0 else 2


def percent(value: float, rules: Rules) -> str:
    """Write a fraction as a percentage, without its sign."""
    return f"{100 * value:.{decimals(rules)}f}"


def board_view(board: Board, rules: Rules) -> BoardView:
    """Lay out the rows of a board in bands, with intervals on one axis."""
    if not board.rows:
        return BoardView((), ())
    scores = [_ranked(row) for row in board.rows]
    ends = [end for score in scores for end in (_low(score), _high(score))]
    scale = axis(ends)
    lines = [_line(row, score, scale, rules) for row, score in zip(board.rows, scores, strict=True)]
    bands = (Band(tuple(rows)) for _, rows in groupby(lines, key=lambda line: line.row.band))
    ticks = tuple(Tick(_share(scale.place(value)), _label(value)) for value in scale.ticks())
    return BoardView(tuple(bands), ticks)


def history(entries: Sequence[Entry], best: str | None) -> History:
    """Lay out the entries of a team that count, in order."""
    counted = sorted((entry for entry in entries if not entry.hidden), key=lambda one: one.number)
    if not counted:
        return History((), "", ())
    scale = axis(entry.shown.value for entry in counted)
    gap = WIDTH / max(len(counted) - 1, 1)
    points, steps, top = [], [], 0.0
    for index, entry in enumerate(counted):
        x, y = round(index * gap, 1), _height(scale, entry.shown.value)
        points.append(Point(x, y, entry.id == best))
        if index:
            steps.append(f"{x},{_height(scale, top)}")
        top = max(top, entry.shown.value)
        steps.append(f"{x},{_height(scale, top)}")
    ticks = tuple(Level(_height(scale, value), _label(value)) for value in scale.ticks())
    return History(tuple(points), " ".join(steps), ticks)


def _line(row: BoardRow, score: Score, scale: Axis, rules: Rules) -> Line:
    place = "not ranked" if row.rank is None else f"rank {row.rank}"
    return Line(
        row,
        low=_share(scale.place(_low(score))),
        middle=_share(scale.place(score.value)),
        high=_share(scale.place(_high(score))),
        sum=f"{score.value:.6f} {row.num_entries}",
        says=f"{row.team.name}: {place}, {percent(score.value, rules)} %",
    )


def _ranked(row: BoardRow) -> Score:
    """Return the score that the rank follows: the private one as soon as it may be seen."""
    return row.private or row.best


def _low(score: Score) -> float:
    return max(0.0, score.value - score.half_width)


def _high(score: Score) -> float:
    return min(1.0, score.value + score.half_width)


def _ends(values: Iterable[float]) -> tuple[float, float]:
    known = list(values)
    return min(known), max(known)


def _share(place: float) -> float:
    return round(100 * place, 2)


def _height(scale: Axis, value: float) -> float:
    return round(HEIGHT * (1 - scale.place(value)), 1)


def _label(value: float) -> str:
    return f"{100 * value:.4g}"
