"""A window on an output: the same bytes wherever it stands, in bounded memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from heaptui.output import give_back
from heaptui.tui.lines import text_of, width_of
from heaptui.tui.widgets.dock.output import STEP, WINDOW, Window, laid_out, last_window, window_at


def numbered(path: Path, count: int) -> Path:
    path.write_text("".join(f"line {number:06}\n" for number in range(count)))
    return path


def texts(window: Window) -> list[str]:
    return [text for _, text in window.lines]


def test_the_end_is_what_was_printed_last(tmp_path: Path) -> None:
    window = last_window(numbered(tmp_path / "out", 100_000))
    assert texts(window)[-1] == "line 099999"
    assert window.at_end
    assert not window.at_start


def test_offsets_are_where_lines_begin(tmp_path: Path) -> None:
    path = numbered(tmp_path / "out", 50_000)
    raw = path.read_bytes()
    for window in (last_window(path), window_at(path, 100_003)):
        assert all(raw[at : at + len(text)] == text.encode() for at, text in window.lines)


def test_windows_side_by_side_miss_nothing(tmp_path: Path) -> None:
    path = numbered(tmp_path / "out", 40_000)
    window = window_at(path, 0)
    seen = texts(window)
    while not window.at_end:
        window = window_at(path, window.end)
        seen += texts(window)
    assert seen == [f"line {number:06}" for number in range(40_000)]


def test_a_window_at_a_line_begins_with_it(tmp_path: Path) -> None:
    path = numbered(tmp_path / "out", 1000)
    assert texts(window_at(path, 12 * 300))[0] == "line 000300"
    assert texts(window_at(path, 12 * 300 + 1))[0] == "line 000301"


def test_one_line_of_300_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file:
        for _ in range(300):
            file.write(b"x" * (1 << 20))
    tracemalloc.start()
    end, middle = last_window(path), window_at(path, 150 << 20)
    lines = laid_out(end, 80).lines + laid_out(middle, 80).lines
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 * WINDOW
    assert {width_of(line) for line in lines} <= set(range(81))
    assert sum(len(text) for text in texts(middle)) == WINDOW
    assert middle.start == (150 << 20) - 1


def test_a_match_deep_in_a_long_line_is_in_the_window(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"a" * (1 << 20) + b"needle" + b"b" * 20_000 + b"\nlast\n")
    window = window_at(path, (1 << 20) - STEP)
    assert any("needle" in text for text in texts(window))


def test_what_was_given_back_is_said(tmp_path: Path) -> None:
    path = numbered(tmp_path / "out", 100_000)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        gone = give_back(fd, 200_000)
    finally:
        os.close(fd)
    window = window_at(path, 0)
    assert gone > 0
    assert window.gone == gone
    assert window.at_start
    assert texts(window)[1].startswith("line ")
    assert "\0" not in "".join(texts(window))


def test_an_empty_output_is_an_empty_window(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    assert last_window(tmp_path / "out").lines == ()
    assert window_at(tmp_path / "out", 0).lines == ()


def test_nothing_raw_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"\x1b]0;owned\x07\x1b[31mred\x1b[0m [bold]not bold[/bold]\r\n\xff\xfe\x00\n")
    for window in (last_window(path), window_at(path, 0)):
        shown = "".join(text_of(line) for line in laid_out(window, 80).lines)
        assert "[bold]not bold[/bold]" in shown
        assert "owned" not in shown
        assert all(char.isprintable() for char in shown)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200), st.integers(2, 50))
def test_laid_out_lines_are_the_text_within_the_width(text: str, width: int) -> None:
    window = Window(((0, text),), 0, len(text), len(text), 0)
    laid = laid_out(window, width)
    assert "".join(map(text_of, laid.lines)) == text
    assert all(width_of(line) <= width for line in laid.lines)
    assert list(laid.offsets) == sorted(laid.offsets)


def test_what_was_searched_for_is_marked_as_the_search_finds_it() -> None:
    window = Window(((0, "Error: an error [x]"),), 0, 19, 19, 0)

    def marked(needle: str) -> list[str]:
        line = laid_out(window, 80, needle).lines[0]
        return [text for text, role in line if role == "chosen"]

    assert marked("error") == ["Error", "error"]
    assert marked("Error") == ["Error"]
    assert marked("[x]") == ["[x]"]
