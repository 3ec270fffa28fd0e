from __future__ import annotations

import pytest

from heaptui.cli.tables import Column, cells, fit, table_lines

COLUMNS = (
    Column("ID"),
    Column("NAME", least=6),
    Column("KIND", leaves=1),
    Column("SIZE", right=True),
    Column("WHY", least=4, leaves=2),
)
ROWS = [
    ("a1b2c3", "a-rather-long-name", "python", "1.93G", "exit code 1"),
    ("d4e5f6", "short", "node", "64M", ""),
]


def test_figures_stand_under_one_another():
    assert table_lines(COLUMNS, ROWS, None) == [
        "ID      NAME                KIND     SIZE  WHY",
        "a1b2c3  a-rather-long-name  python  1.93G  exit code 1",
        "d4e5f6  short               node      64M",
    ]


@pytest.mark.parametrize("width", range(1, 70))
def test_no_line_is_wider_than_the_terminal(width):
    assert all(cells(line) <= width for line in table_lines(COLUMNS, ROWS, width))


def test_long_texts_shrink_before_a_column_goes():
    assert table_lines(COLUMNS, ROWS, 45)[1] == "a1b2c3  a-rather-l…  python  1.93G  exit cod…"


def test_columns_go_in_their_order_and_ids_never():
    assert table_lines(COLUMNS, ROWS, 27)[:2] == [
        "ID      NAME     SIZE  WHY",
        "a1b2c3  a-rat…  1.93G  exi…",
    ]
    assert table_lines(COLUMNS, ROWS, 22)[:2] == [
        "ID      NAME      SIZE",
        "a1b2c3  a-rath…  1.93G",
    ]


def test_a_table_without_rows_is_its_head():
    assert table_lines(COLUMNS, [], 80) == ["ID  NAME  KIND  SIZE  WHY"]


def test_wide_letters_take_two_cells():
    lines = table_lines((Column("NAME", least=2), Column("N", right=True)), [("東京都", "1")], 7)
    assert lines == ["NAME  N", "東 …  1"]
    assert fit("東京都", 4) == "東 …"
