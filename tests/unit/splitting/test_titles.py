"""What an operator would call a share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.inputs import Item, Source
from heaptui.output import printable
from heaptui.splitting.titles import TITLE_MAX, anew, clean, title, titles


def files(*names: str) -> list[Item]:
    return [Item(name, 1) for name in names]


def part(of: str, first: int, last: int) -> Item:
    return Item(f"{of}:{first}-{last}", 1, of=of, first=first, last=last)


@pytest.mark.parametrize(
    ("items", "called"),
    [
        (files("tests/login/a.ts", "tests/login/b.ts"), "tests/login (2 files)"),
        (files("tests/login/a.ts", "tests/reset/b.ts"), "tests (2 files)"),
        (files("/srv/a/x", "/srv/b/y", "/srv/c"), "/srv (3 files)"),
        (files("a.py", "src/b.py", "c.py"), "a.py and 2 more"),
        (files("./a.py", "./b.py"), "./a.py and 1 more"),
        (files("tests/a.py"), "tests/a.py"),
        ([part("2fa/a.ts", 1, 1900)], "2fa/a.ts lines 1-1,900"),
        ([part("a.ts", 1, 9), part("a.ts", 10, 20)], "a.ts lines 1-20"),
        ([part("a.ts", 1, 9), part("a.ts", 30, 40)], "a.ts lines 1-9 and 1 more"),
        ([part("x/a.ts", 1, 9), *files("x/b.ts")], "x (2 files)"),
    ],
)
def test_files_are_called_by_what_they_have_in_common(items: list[Item], called: str) -> None:
    assert title(items, Source.FILES) == called


def test_boxes_are_called_by_their_heading() -> None:
    one, two = Item("write it", 1, under="Login"), Item("test it", 1, under="Login")
    assert title([one, two], Source.BOXES) == "Login (2 boxes)"
    assert title([one], Source.BOXES) == "write it"
    other = Item("x", 1, under="Reset")
    assert title([two, other], Source.BOXES) == "test it and 1 more"


def test_shares_of_one_directory_are_told_apart() -> None:
    groups = [files("src/a", "src/b"), files("src/c", "src/d"), files("lib/a", "lib/b")]
    assert titles(groups, Source.FILES) == [
        "src/a and 1 more",
        "src/c and 1 more",
        "lib (2 files)",
    ]


def test_a_long_path_is_told_by_its_end() -> None:
    called = title(files("deep/" * 40 + "login.spec.ts"), Source.FILES)
    assert called.startswith("…")
    assert called.endswith("deep/login.spec.ts")
    assert len(called) == TITLE_MAX


def test_nothing_that_a_terminal_would_obey() -> None:
    assert title(files("a\x1b[31mb\x07\u202e"), Source.LINES) == "ab"
    assert title(files("\x1b]0;x\x07"), Source.LINES) == "part 1"
    assert clean("  two\r\nlines\t ") == "two lines"
    assert clean("one\rtwo") == "one two"
    assert clean("\x00", "as before") == "as before"


ITEMS = st.lists(
    st.builds(Item, st.text(min_size=1), st.just(1), under=st.text())
    | st.builds(part, st.text(min_size=1), st.integers(1, 10**12), st.integers(1, 10**12)),
    min_size=1,
    max_size=5,
)


@given(st.lists(ITEMS, min_size=1, max_size=4), st.sampled_from(Source))
def test_titles_are_one_short_line_that_is_not_empty(
    groups: list[list[Item]], source: Source
) -> None:
    for called in titles(groups, source):
        assert called.strip()
        assert printable(called) == called
        assert "\n" not in called
        assert len(called) <= TITLE_MAX + 10


FILES = tuple(Item(f"src/{name}.py", 10) for name in "abcd")


@pytest.mark.parametrize(
    ("text", "before", "after", "now"),
    [
        ("src (4 files)", FILES, FILES[1:], "src (3 files)"),
        ("src (3 files)", FILES[1:], FILES, "src (4 files)"),
        ("src/a.py and 3 more", FILES, FILES[2:], "src/c.py and 1 more"),
        ("src/a.py", FILES[:1], FILES, "src (4 files)"),
        ("the parser", FILES, FILES[1:], "the parser"),
        ("src (4 files)", FILES, FILES, "src (4 files)"),
        ("src (4 files)", FILES, (), "src (4 files)"),
    ],
)
def test_a_title_that_was_made_of_the_items_is_made_again_and_no_other(text, before, after, now):
    assert anew(text, before, after) == now
