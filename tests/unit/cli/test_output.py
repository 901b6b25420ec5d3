"""Tables that fit the width they are printed at, and never cut a cell."""

import pytest
from rich.cells import cell_len

from thumbnet.cli.output import Table

NAME = "zheng2018/alchnet19+relu-bn-flat"
WORDS = "AlchNet19 with ReLU before batch norm, its head as flat as the report's"


def make_table() -> Table:
    table = Table("run, network", "epochs done, top-1", "what", text="what", drop="network")
    table.add_row(NAME, "alchnet19_relu_bn_flat", "72", "47.60 %", WORDS)
    table.add_section()
    table.add_row("short", "lenet5", "3", "1.00 %", "few words")
    return table


def lines(table: Table, width: int) -> list[str]:
    return [line for line, _ in table.lines(width)]


def test_where_there_is_room_a_row_is_a_line() -> None:
    printed = lines(make_table(), 1000)
    assert printed[0].split() == ["run", "network", "epochs", "done", "top-1", "what"]
    assert printed[2].endswith(f"         72  47.60 %  {WORDS}")
    assert printed[3] == printed[1], "a line between sections"
    assert len(printed) == 5


def test_headings_and_words_wrap_first() -> None:
    printed = lines(make_table(), 108)
    assert max(map(len, printed)) <= 108
    assert printed[0].strip() == "epochs"
    assert printed[1].split() == ["run", "network", "done", "top-1", "what"]
    assert len(printed) > 6, "the words take several lines"
    assert NAME in printed[3]


def test_words_move_below_their_row() -> None:
    printed = lines(make_table(), 80)
    assert max(map(len, printed)) <= 80
    assert "what" not in " ".join(printed[:2])
    assert printed[2].startswith(f"{NAME}  alchnet19_relu_bn_flat")
    assert printed[3] == f"    {WORDS}"


def test_what_is_left_out_is_said() -> None:
    printed = lines(make_table(), 60)
    assert max(map(len, printed)) <= 60
    text = " ".join(printed)
    assert "lenet5" not in text
    assert "not shown for want of room: network; a wider window shows all" in text
    assert NAME in text
    assert "47.60 %" in text


def test_where_nothing_fits_each_row_is_a_list() -> None:
    printed = lines(make_table(), 30)
    assert f"run          {NAME}" in printed, "a name is never broken"
    assert "network      alchnet19_relu_bn_flat" in printed
    assert "epochs done 72" in [" ".join(line.split()) for line in printed]
    words = " ".join(" ".join(printed).split())
    assert f"what {WORDS}" in words


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160])
def test_no_cell_is_cut_at_any_width(width: int) -> None:
    table = make_table()
    printed = " ".join(" ".join(lines(table, width)).split())
    for row in table.rows:
        for name, cell in zip(table.names, row, strict=True):
            assert cell in printed or f"not shown for want of room: {name}" in printed


def test_wide_characters_take_two_columns() -> None:
    table = Table("name", "value")
    table.add_row("日本語", "1")
    table.add_row("abc", "22")
    printed = lines(table, 80)
    assert {cell_len(line) for line in printed} == {len("日本語") * 2 + 2 + len("value")}


def test_a_line_break_in_a_cell_is_a_space() -> None:
    table = Table("name")
    table.add_row("a\nb  c")
    assert table.rows == [("a b c",)]
