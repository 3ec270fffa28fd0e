"""The first and last bytes of a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heaptui.tools.artifacts.ends import Ends


def fed(data: bytes, head: int, tail: int, piece: int) -> Ends:
    ends = Ends(head, tail)
    for at in range(0, len(data), piece):
        ends.feed(data[at : at + piece])
    return ends


TEXT = st.text("aé€😀\n", max_size=300)


@given(TEXT, st.integers(0, 120), st.integers(0, 120), st.integers(1, 90))
def test_ends_are_true_ends_in_whole_letters(text: str, head: int, tail: int, piece: int) -> None:
    data = text.encode()
    shown = fed(data, head, tail, piece).shown()
    if len(data) <= head + tail:
        assert (shown.head, shown.tail) == (text, "")
        return
    assert text.startswith(shown.head)
    assert text.endswith(shown.tail)
    assert len(shown.head.encode()) <= head
    assert len(shown.tail.encode()) <= tail


@given(st.lists(st.text("ab", max_size=6), min_size=30, max_size=60), st.integers(1, 50))
def test_lines_are_whole(texts: list[str], piece: int) -> None:
    data = "".join(text + "\n" for text in texts).encode() + b"x" * 20
    shown = fed(data, 10, 25, piece).shown()
    assert shown.head.endswith("\n")
    assert shown.head.splitlines() == texts[: shown.head_lines]
    assert shown.tail.splitlines()[:-1] == texts[len(texts) - shown.tail_lines :]


def test_one_endless_line_is_shown_in_parts() -> None:
    shown = fed(b"a" * 1000 + b"b" * 1000, 10, 10, 64).shown()
    assert (shown.head, shown.tail) == ("a" * 10, "b" * 10)
    assert (shown.head_lines, shown.tail_lines) == (0, 0)
