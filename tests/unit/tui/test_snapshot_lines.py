"""What the screen says of a snapshot that is read: paths, places, where one is."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from heaptui.heap.answers import ObjectRow, Retainers
from heaptui.tui.glyphs import UNICODE
from heaptui.tui.lines import text_of
from heaptui.tui.snapshot.frame import trail_line
from heaptui.tui.snapshot.levels import Level
from heaptui.tui.snapshot.lines import object_spans, path_lines


def step(number: int, **fields: Any) -> ObjectRow:
    return ObjectRow(
        **({"node": number, "id": number, "name": f"n{number}", "kind": "object"} | fields)
    )


def test_a_long_path_keeps_the_end_that_is_near_the_object() -> None:
    path = [step(number) for number in range(20)]
    lines = [text_of(line).strip() for line in path_lines(path, 80, 8, UNICODE)]
    assert len(lines) == 8
    assert [line.split()[-1] for line in lines[:2]] == ["n0", "n1"]
    assert "13 steps" in lines[2]
    assert [line.split()[-1] for line in lines[3:]] == ["n15", "n16", "n17", "n18", "n19"]
    assert len(path_lines(path[:8], 80, 8, UNICODE)) == 8
    assert "garbage" in text_of(path_lines([], 80, 8, UNICODE)[0])


def test_a_closures_place_is_said_once() -> None:
    closure = step(1, name="tick()", function="tick", file="a.js", line=3, preview="tick (a.js:3)")
    assert "".join(text for text, _ in object_spans(closure)) == "tick()  a.js:3"
    inside = step(2, name="Map", function="tick", file="a.js", line=3, preview="(2)")
    assert "".join(text for text, _ in object_spans(inside)) == "Map  tick a.js:3  (2)"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_path_of_lists_ends_with_where_one_is(width: int) -> None:
    stack = [
        Level(f"a list with a long name {n} 名前", Retainers(node=n), rows=[step(1)], total=1)
        for n in range(6)
    ]
    stack[-1].answered = True
    line = text_of(trail_line(stack, width, UNICODE))
    assert cell_len(line) == width
    assert "name 5" in line and "1 of 1" in line
