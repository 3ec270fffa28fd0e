"""What may be searched for, and how rg is asked."""

from __future__ import annotations

import pytest

from heaptui.errors import UsageError
from heaptui.tools.searching.query import Query, query, rg_options


def made(pattern: str = "x", mode: str = "content", *globs: str, context: int = 0) -> Query:
    return query(pattern, mode, globs, ignore_case=False, fixed=False, context=context)


@pytest.mark.parametrize(
    ("pattern", "mode", "globs", "context", "says"),
    [
        ("", "content", (), 0, "empty"),
        ("a\0b", "content", (), 0, "NUL"),
        ("a\udcff", "content", (), 0, "UTF-8"),
        ("x" * 20_000, "content", (), 0, "bytes"),
        ("x", "lines", (), 0, "mode"),
        ("x", "content", ("a\0",), 0, "NUL"),
        ("x", "content", ("a",) * 101, 0, "globs"),
        ("x", "content", (), 51, "context"),
        ("x", "content", (), -1, "context"),
    ],
)
def test_what_no_searcher_can_be_asked(
    pattern: str, mode: str, globs: tuple[str, ...], context: int, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        made(pattern, mode, *globs, context=context)


def test_nothing_that_is_asked_can_be_taken_for_an_option() -> None:
    options = rg_options(made("--pre=./x.sh", "content", "--pre=./y.sh"))
    assert all(option.startswith("--") for option in options)
    assert options[-1] == "--regexp=--pre=./x.sh"
    assert "--glob=--pre=./y.sh" in options


def test_git_is_left_out_whatever_the_globs() -> None:
    options = rg_options(made("x", "files", "**", ".git/**"))
    globs = [option for option in options if option.startswith("--glob")]
    assert globs[-2:] == ["--glob=!.git", "--glob=!.heaptui-*.tmp"]


def test_a_count_is_not_cut_short() -> None:
    assert not [option for option in rg_options(made("x", "count")) if "max" in option]
