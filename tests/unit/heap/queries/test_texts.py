"""Strings as V8 holds them: plain, put together, cut out of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from heaptui.errors import UsageError
from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.objects import row
from heaptui.heap.analysis.texts import beginning, strings
from tests.unit.heap.core.hand_made import Drawing, drawn


def rope(drawing: Drawing, *pieces: str) -> int:
    """Put together from the left, as `text += piece` does."""
    at = drawing.node(pieces[0], "string", 24)
    for piece in pieces[1:]:
        both = drawing.node("(concatenated string)", "concatenated string", 32)
        drawing.edge(both, at, "first", "internal")
        drawing.edge(both, drawing.node(piece, "string", 24), "second", "internal")
        at = both
    return at


def held(directory: Path, drawing: Drawing, *nodes: int) -> Indexed:
    top = drawing.root()
    for number, node in enumerate(nodes):
        drawing.edge(top, node, f"text{number}")
    return Indexed(drawn(directory, drawing))


def test_a_text_put_together_is_read_in_order(tmp_path):
    drawing = Drawing()
    snapshot = held(tmp_path, drawing, at := rope(drawing, "one ", "two ", "three"))
    assert beginning(snapshot, at, 100) == "one two three"
    assert beginning(snapshot, at, 6) == "one tw"
    assert row(snapshot, Places(snapshot), at).preview == '"one two three"'


def test_one_put_together_of_very_many_is_no_recursion(tmp_path):
    drawing = Drawing()
    snapshot = held(tmp_path, drawing, at := rope(drawing, *(["ab"] * 3000)))
    assert beginning(snapshot, at, 10_000) == "ab" * 3000


def test_a_text_that_holds_itself_ends(tmp_path):
    drawing = Drawing()
    at = drawing.node("(concatenated string)", "concatenated string", 32)
    drawing.edge(at, at, "first", "internal")
    drawing.edge(at, at, "second", "internal")
    snapshot = held(tmp_path, drawing, at)
    assert beginning(snapshot, at, 100) == ""


def test_a_part_says_of_what(tmp_path):
    drawing = Drawing()
    whole = drawing.node("the whole text", "string", 32)
    part = drawing.node("(sliced string)", "sliced string", 32)
    drawing.edge(part, whole, "parent", "internal")
    snapshot = held(tmp_path, drawing, part)
    assert beginning(snapshot, part, 100) == "(part of) the whole text"


def test_equal_ones_are_one_row_with_what_is_wasted(tmp_path):
    drawing = Drawing()
    copies = [drawing.node("equal", "string", 24) for _ in range(5)]
    alone = drawing.node("x" * 50, "string", 72)
    snapshot = held(tmp_path, drawing, *copies, alone)
    rows = strings(snapshot, order="bytes", match="", limit=10)
    assert [(one.preview, one.count, one.bytes, one.wasted, one.length) for one in rows] == [
        ("equal", 5, 120, 96, 5),
        ("x" * 50, 1, 72, 0, 50),
    ]
    assert strings(snapshot, order="length", match="", limit=1)[0].length == 50
    assert strings(snapshot, order="wasted", match="", limit=1)[0].preview == "equal"
    assert len(strings(snapshot, order="bytes", match="", limit=1)) == 1


def test_texts_that_v8_has_cut_are_equal_only_where_their_sizes_are(tmp_path):
    drawing = Drawing()
    shown = "y" * 1024
    nodes = [drawing.node(shown, "string", size) for size in (5016, 5016, 9016)]
    snapshot = held(tmp_path, drawing, *nodes)
    rows = strings(snapshot, order="bytes", match="", limit=10)
    assert [(one.count, one.length) for one in rows] == [(2, 5000), (1, 9000)]


def test_one_put_together_counts_with_what_it_alone_holds(tmp_path):
    drawing = Drawing()
    snapshot = held(tmp_path, drawing, rope(drawing, "aaaa", "bbbb", "cccc"))
    best = strings(snapshot, order="bytes", match="", limit=1)[0]
    assert (best.preview, best.length, best.count) == ("aaaabbbbcccc", 12, 1)
    assert best.bytes == 3 * 24 + 2 * 32


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("ERR", {"an Error: ü", "error\nof two lines"}),
        ("ü", {"an Error: ü"}),
        ("two L", {"error\nof two lines"}),
        ("\nof", {"error\nof two lines"}),
        ("nof", set()),
        ('"quo', {'a "quoted" one'}),
        ("nothing has this", set()),
    ],
)  # fmt: skip
def test_a_match_looks_at_the_text_itself_in_either_case(tmp_path, match, found):
    drawing = Drawing()
    texts = ("an Error: ü", "error\nof two lines", 'a "quoted" one')
    snapshot = held(tmp_path, drawing, *(drawing.node(text, "string", 32) for text in texts))
    rows = strings(snapshot, order="bytes", match=match, limit=10)
    assert {one.preview for one in rows} == found


def test_an_order_that_is_none(tmp_path):
    snapshot = held(tmp_path, Drawing())
    with pytest.raises(UsageError, match="no order 'size'"):
        strings(snapshot, order="size", match="", limit=1)
