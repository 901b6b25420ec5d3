"""Every table at narrow widths: no name and no number is cut."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import Thumbnet

from thumbnet.cli import output, reproduce, scoreboard, search
from thumbnet.cli.output import Table
from thumbnet.data.packed import PackedDataset
from thumbnet.evaluation.evaluate import Scores
from thumbnet.recipes.registry import load_recipe, recipe_names
from thumbnet.reproduce import Outcome, Row
from thumbnet.runs import RunFolder
from thumbnet.search.outcome import Outcome as Searched
from thumbnet.search.outcome import TrialRow
from thumbnet.search.space import parse_space
from thumbnet.search.study import SearchSpec, StudyFolder
from thumbnet.training.engine import Picks

LONG = "zheng2018-alchnet19-relu-bn-flat-batch-64"
WIDTHS = (60, 80, 120)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[Table]:
    """Print at the narrowest width, and return the tables that are printed."""
    tables: list[Table] = []
    lines = Table.lines

    def noting(self: Table, width: int) -> Iterator[tuple[str, str]]:
        if self not in tables:
            tables.append(self)
        return lines(self, width)

    monkeypatch.setattr(Table, "lines", noting)
    monkeypatch.setattr(output.out, "width", WIDTHS[0])
    return tables


def check(text: str, tables: list[Table]) -> None:
    """Check that no cell is cut, in what was printed and at the other widths."""
    assert tables
    _check(text, tables, WIDTHS[0])
    for width in WIDTHS[1:]:
        _check("\n".join(line for one in tables for line, _ in one.lines(width)), tables, width)
    tables.clear()


def _check(text: str, tables: list[Table], width: int) -> None:
    """Check that each cell stands in the text, or its column is named as left out."""
    assert "…" not in text
    words = " ".join(text.split())
    notes = re.findall(r"not shown for want of room: (.*?); a wider", words)
    left_out = {name for note in notes for name in note.split(", ")}
    for table in tables:
        cells = [pair for row in table.rows for pair in zip(table.names, row, strict=True)]
        for name, cell in cells:
            assert cell in words or name in left_out, (width, name, cell)
        longest = max(len(word) for _, cell in cells for word in cell.split())
        names = max(map(len, table.names)) + 2  # before the value, in a list
        for line, _ in table.lines(width):
            assert len(line) <= max(width, names + longest), (width, line)


@pytest.fixture
def two_runs(trained: RunFolder, thumbnet: Thumbnet) -> tuple[str, str]:
    """Two runs of long names; `thumbnet` has gone to their folder."""
    for name in (LONG, f"{LONG}.2"):
        shutil.copytree(trained.path, Path("runs") / name)
    return LONG, f"{LONG}.2"


def test_recipes_and_networks(thumbnet: Thumbnet, printed: list[Table]) -> None:
    for command in (
        ("recipe", "list"),
        ("recipe", "list", "--ablations"),
        ("model", "show", "alchnet19_relu_bn_flat"),
    ):
        said = thumbnet(*command)
        assert said.status == 0
        check(said.out, printed)


def test_networks_listed(thumbnet: Thumbnet, printed: list[Table]) -> None:
    check(thumbnet("model", "list").out, printed)


def test_runs_evaluated_and_compared(
    two_runs: tuple[str, str], thumbnet: Thumbnet, printed: list[Table]
) -> None:
    for command in (("runs", "list"), ("evaluate", LONG), ("compare", *two_runs)):
        said = thumbnet(*command)
        assert said.status == 0
        check(said.out, printed)


def test_an_ensemble(two_runs: tuple[str, str], thumbnet: Thumbnet, printed: list[Table]) -> None:
    said = thumbnet("ensemble", *two_runs, "-o", "together")
    assert said.status == 0
    check(said.out, printed)


def test_facts_of_the_machine_and_of_data(
    thumbnet: Thumbnet, tiny: PackedDataset, printed: list[Table]
) -> None:
    said = thumbnet("doctor", "--size", 8, "--data", tiny.path)
    assert str(tiny.path) in said.out
    said = thumbnet("data", "info", tiny.path)
    assert str(tiny.path) in said.out
    assert tiny.fingerprint in said.out


def test_rows_to_reproduce(capsys: pytest.CaptureFixture[str], printed: list[Table]) -> None:
    picks = Picks("cpu", "fp32", "contiguous", 1)
    specs = [load_recipe(name) for name in recipe_names()]
    rows = [Row(spec, (spec,), 123_456.7, 1234.5, 12.3e9, picks) for spec in specs]
    reproduce._print_forecast(rows, 2.5)
    check(capsys.readouterr().out, printed)
    scores = Scores(loss=3.21, top1=0.4567, top5=0.6789, num_images=10_000)
    runs = (RunFolder(Path("runs") / LONG), RunFolder(Path("runs") / f"{LONG}.2"))
    reproduce._print_outcomes([Outcome(row, runs, scores, scores, 4321.0) for row in rows])
    check(capsys.readouterr().out, printed)


def test_a_scoreboard(capsys: pytest.CaptureFixture[str], printed: list[Table]) -> None:
    team = "The Very Long Team Name of Forty Letters"
    score = {"value": 0.5678, "half_width": 0.0123}
    row: dict[str, Any] = {
        "team": team, "rank": 1, "score": score, "private": score, "num_entries": 123, "band": 1,
        "is_new": False, "change": 12, "last": "2026-11-28T12:34:56+00:00", "is_baseline": True,
    }  # fmt: skip
    board = {
        "rows": [row, {**row, "band": 2}],
        "state": "open",
        "num_entries": 246,
        "at": row["last"],
    }
    scoreboard._show_board(board)
    check(capsys.readouterr().out, printed)
    entry = {
        "number": 12, "score": score, "received": row["last"], "sha256": "0123456789abcdef",
        "hidden": True, "note": "alchnet19 without dropout, seed 3, batches of 64, " * 3,
    }  # fmt: skip
    answer = {
        "team": team, "rank": 1, "entries": [entry], "next_slot": row["last"], "entries_left": 3,
    }  # fmt: skip
    scoreboard._show_entries(answer, datetime.now(UTC))
    check(capsys.readouterr().out, printed)


def test_trials_of_a_search(capsys: pytest.CaptureFixture[str], printed: list[Table]) -> None:
    keys = ("training.schedule.lr", "training.optimizer.weight_decay", "training.label_smoothing")
    space = parse_space([f"{key}=0.001..0.5" for key in keys])
    spec = SearchSpec(load_recipe("thumbnet/quick"), space, 0)
    point = dict.fromkeys(keys, 0.123456)
    rows = tuple(
        TrialRow(i, point, "finished", 0.4567, 12, 4321.0, f"{LONG}/trial-{i:04d}", i == 0, ())
        for i in range(12)
    )
    search._print(Searched(spec, StudyFolder(Path(LONG)), rows, 5000))
    check(capsys.readouterr().out, printed)


def test_teams_of_a_challenge(
    thumbnet: Thumbnet, tiny: PackedDataset, printed: list[Table]
) -> None:
    team = "The Very Long Team Name of Forty Letters"
    made = thumbnet("challenge", "create", "course", "--data", tiny.path, "--name", "Small images")
    assert made.status == 0, made.err
    assert thumbnet("challenge", "team", "add", "course", team, "--baseline").status == 0
    check(thumbnet("challenge", "team", "list", "course").out, printed)
    assert "sqlite:///" in thumbnet("challenge", "status", "course").out
