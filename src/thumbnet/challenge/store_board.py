"""The scoreboard as a pure function of what was submitted: no database, no clock."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from thumbnet.challenge.entities import BoardRow, Rules, Score, Team
from thumbnet.challenge.ladder import shown_scores
from thumbnet.challenge.statistics import bands, score_of

Correct = NDArray[np.bool_]
LoadCorrect = Callable[[Sequence[str]], dict[str, Correct]]


@dataclass(frozen=True)
class Scored:
    """What the board needs of an entry; `version` orders entries as they were committed."""

    id: str
    team_id: int
    version: int
    received: datetime
    correct_public: int
    correct_private: int


@dataclass(frozen=True)
class TeamHistory:
    """The entries of one team that count, oldest first, and what the board makes of each.

    `best[i]`: position of the best among the first i + 1, the earlier of equal ones
    """

    entries: tuple[Scored, ...] = ()
    shown: tuple[Score, ...] = ()
    best: tuple[int, ...] = ()

    def extended(self, later: Iterable[Scored], num_public: int, rules: Rules) -> "TeamHistory":
        """Return the history with later entries behind."""
        entries = (*self.entries, *later)
        shown = shown_scores([one.correct_public for one in entries], num_public, rules)
        best = [*self.best]
        for place in range(len(best), len(entries)):
            leads = not best or shown[place].value > shown[best[-1]].value
            best.append(place if leads else best[-1])
        return TeamHistory(entries, tuple(shown), tuple(best))

    def num_until(self, until: datetime | None, before_version: int | None = None) -> int:
        """Count the entries received by a time, committed before a version."""
        count = len(self.entries)
        while count and (
            (until is not None and self.entries[count - 1].received > until)
            or (before_version is not None and self.entries[count - 1].version >= before_version)
        ):
            count -= 1
        return count


@dataclass(frozen=True)
class View:
    """Which board is asked for.

    `by_private`: rank by the private part; `show_private`: show its scores; `until`: the board as
    it stood then.
    """

    num_public: int
    num_private: int
    by_private: bool
    show_private: bool
    until: datetime | None


@dataclass(frozen=True)
class _Line:
    team: Team
    entry: Scored
    shown: Score
    num_entries: int
    last: datetime


def board_rows(
    teams: Iterable[Team],
    histories: Mapping[int, TeamHistory],
    public: Correct,
    view: View,
    load: LoadCorrect,
) -> tuple[BoardRow, ...]:
    """Rank the teams: the best entry of each, the earlier of equal ones first.

    Args: public: which images count on the board; load: returns which images entries got right
    """
    teams = [team for team in teams if not team.disabled and team.id in histories]
    lines = _lines(teams, histories, view, None)
    if not lines:
        return ()
    newest = max(
        history.entries[count - 1].version
        for history in (histories[team.id] for team in teams)
        if (count := history.num_until(view.until))
    )
    before = _ranks(_lines(teams, histories, view, newest))
    after = _ranks(line for line in lines if line.team.id in before)  # newcomers push nobody down
    changes = {team_id: before[team_id] - rank for team_id, rank in after.items()}
    ranks = _ranks(lines)
    counted = ~public if view.by_private else public
    correct = load([line.entry.id for line in lines])
    found = bands([correct[line.entry.id][counted] for line in lines])
    return tuple(
        _row(line, band, ranks, changes, view) for line, band in zip(lines, found, strict=True)
    )


def _lines(
    teams: Iterable[Team],
    histories: Mapping[int, TeamHistory],
    view: View,
    before_version: int | None,
) -> list[_Line]:
    lines = []
    for team in teams:
        history = histories[team.id]
        if count := history.num_until(view.until, before_version):
            best = history.best[count - 1]
            last = history.entries[count - 1].received
            lines.append(_Line(team, history.entries[best], history.shown[best], count, last))

    def key(line: _Line) -> tuple[float, datetime, int]:
        score = line.entry.correct_private if view.by_private else line.shown.value
        return -score, line.entry.received, line.entry.version

    return sorted(lines, key=key)


def _ranks(lines: Iterable[_Line]) -> dict[int, int]:
    ranked = [line.team.id for line in lines if not line.team.is_baseline]
    return {team_id: place for place, team_id in enumerate(ranked, 1)}


def _row(
    line: _Line, band: int, ranks: dict[int, int], changes: dict[int, int], view: View
) -> BoardRow:
    team_id, rank = line.team.id, ranks.get(line.team.id)
    private = None
    if view.show_private and view.num_private:
        private = score_of(line.entry.correct_private, view.num_private)
    return BoardRow(
        rank=rank,
        band=band,
        team=line.team,
        best=line.shown,
        private=private,
        num_entries=line.num_entries,
        last=line.last,
        change=changes.get(team_id, 0),
        is_new=rank is not None and team_id not in changes,
    )
