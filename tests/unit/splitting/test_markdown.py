"""Markdown files as lists of things to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.inputs import NAME_MAX, Item, Source
from heaptui.splitting.markdown import boxes, checked, excerpt, sections

TASKS = """\
---
# not a heading
---
# Title

Read CONTRIBUTING first.

- [x] done
- [ ] one
  that goes on
  - [ ] nested in one
  ```
  - [ ] in code
  ```
- plain
  - [ ] below plain

## Login ##
With care.
1. [ ] first
   body
2. [x] second
   - [ ] left of second
* [ ] star
+ [ ] plus
3) [ ] paren
```md
- [ ] fenced
# fenced
```
<!-- - [ ] hidden
- [ ] hidden too -->
> - [ ] quoted
- [ ] one
- [ ]
- [ ]no box
- [] none either
- [ ] last"""

NAMES = ["one", "below plain", "first", "left of second", "star", "plus", "paren", "one (2)"]


def names(items: tuple[Item, ...]) -> list[str]:
    return [item.name for item in items]


@pytest.mark.parametrize(
    "text",
    [TASKS, TASKS + "\n", TASKS.replace("\n", "\r\n"), TASKS.replace("\n", "\r"), "\ufeff" + TASKS],
    ids=["no end", "end", "crlf", "cr", "bom"],
)
def test_boxes_are_found_wherever_they_may_stand(text: str) -> None:
    found = boxes(text)
    assert names(found) == [*NAMES, "last"]
    assert [item.under for item in found] == ["Title"] * 2 + ["Login"] * 7
    assert [item.nth for item in found] == [1] * 7 + [2, 1]
    assert checked(text) == {"done", "second"}


def test_a_box_is_as_large_as_what_belongs_to_it() -> None:
    one, below, *_ = boxes("- [ ] " + "x" * 26 + "\n  " + "y" * 29 + "\n\n\n- [ ] abc\n")
    assert (one.tokens, below.tokens) == (17, 3)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- [ ] open\n  - [ ] in open\n  - [x] done in open\n", ["open"]),
        ("- [x] done\n  - [ ] in done\n", ["in done"]),
        ("- [ ] g\n  - [x] p\n    - [ ] c\n", ["g"]),
        ("- [ ] p\n\n    - [ ] four blanks\n", ["p"]),
        ("- [ ] p\n\t- [ ] tab\n\t\t- [ ] two\n- [ ] q\n", ["p", "q"]),
        ("text\n\n    - [ ] code\n", []),
        ("- [ ] a\n\ntext\n\n    - [ ] code\n", ["a"]),
        ("```\n- [ ] never closed\n", []),
        ("- a\n  ```\n  - [ ] code\n- [ ] b\n", ["b"]),
        ("~~~~\n~~~\n- [ ] still code\n~~~~\n- [ ] b\n", ["b"]),
        ("<!-- one line --> \n- [ ] b\n", ["b"]),
        ("- [ ] `code` **bold** [link](x)\n", ["`code` **bold** [link](x)"]),
        ("- [ ] a\tb\x0b\x1bc\u2028d\n", ["a b c d"]),
        ("10. [ ] ten\n    - [ ] in ten\n", ["ten"]),
        ("10. [ ] ten\n  - [ ] in ten\n - [ ] not in it\n", ["ten", "not in it"]),
        ("- [ ] a\n  ## in a\n  - [ ] b\n## no more\n- [ ] c\n", ["a", "c"]),
    ],
)
def test_what_stands_where(text: str, found: list[str]) -> None:
    assert names(boxes(text)) == found


def test_no_two_names_are_alike_and_ticking_changes_none() -> None:
    text = "- [ ] a\n- [ ] a (2)\n- [x] a\n- [ ] a\n- [ ] a (3)\n"
    assert names(boxes(text)) == ["a", "a (2)", "a (4)", "a (3) (2)"]
    assert checked(text) == {"a (3)"}
    ticked = text.replace("- [ ] a\n", "- [x] a\n", 1)
    assert checked(ticked) == {"a", "a (3)"}


def test_a_name_is_bounded() -> None:
    long = "ü" * NAME_MAX
    one, two, three = boxes(f"- [ ] {long}\n- [ ] {long}x\n- [ ] {long}\n")
    assert len({one.name, two.name, three.name}) == 3
    assert all(len(item.name.encode()) <= NAME_MAX for item in (one, two, three))
    again = excerpt(f"- [ ] {long}\n- [ ] {long}x\n- [ ] {long}\n", [three, two], Source.BOXES)
    assert names(boxes(again)) == [two.name, three.name]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# T\nintro\n## A\n### x\n### y\n## B\n", ["A", "B"]),
        ("# A\n## x\n# B\n", ["A", "B"]),
        ("# T\n## S\n", ["T"]),
        ("## S\n# T\n", ["S", "T"]),
        ("# T\n### x\n## A\n## B\n# U\n", ["T", "U"]),
        ("# T\n### x\n## A\n## B\n", ["x", "A", "B"]),
        ("### c1\n### c2\n## D\n", ["c1", "c2", "D"]),
        ("One\n===\ntext\n\nTwo\n===\n", ["One", "Two"]),
        ("One\n---\ntext\n\nTwo\n---\n---\n", ["One", "Two"]),
        ("a paragraph of\ntwo lines\n---\n# A\n# B\n", ["A", "B"]),
        ("#\n# #\n#tag\n####### seven\n", ["untitled", "untitled (2)"]),
        ("```\n# code\n```\n# A #\n# A\n", ["A", "A (2)"]),
        ("prose\n", []),
        ("", []),
    ],
)
def test_sections_are_the_highest_headings_that_are_several(text: str, found: list[str]) -> None:
    assert names(sections(text)) == found


def test_an_excerpt_holds_its_items_under_their_headings_with_what_is_said_of_them() -> None:
    found = {item.name: item for item in boxes(TASKS)}
    wanted = [found["one (2)"], found["below plain"], found["first"], found["left of second"]]
    assert (
        excerpt(TASKS, wanted, Source.BOXES)
        == """\
---
# not a heading
---

# Title

Read CONTRIBUTING first.

- [ ] below plain

## Login ##
With care.

1. [ ] first
   body
- [ ] left of second
- [ ] one (2)
"""
    )


def test_an_excerpt_of_sections_has_the_title_of_all() -> None:
    text = "for all\n# T\nintro\n## A\na\n\n### Notes\n1\n\n\n## B\nb\n## Notes\n2\n"
    _, b, notes = sections(text)
    assert (b.under, notes.name) == ("T", "Notes (2)")
    assert excerpt(text, [notes, b], Source.SECTIONS) == (
        "for all\n\n# T\nintro\n\n## B\nb\n\n## Notes (2)\n2\n"
    )


@pytest.mark.parametrize("source", [Source.BOXES, Source.SECTIONS])
def test_what_was_taken_out_of_the_file_is_not_lost(source: Source) -> None:
    text = "# A\n- [ ] a\n# B\n- [ ] b\n"
    items = boxes(text) if source is Source.BOXES else sections(text)
    child = excerpt("# C\nall is new\n# D\n", items, source)
    again = boxes(child) if source is Source.BOXES else sections(child)
    assert names(again) == names(items)


LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "    ", "\t", "      "]),
        st.sampled_from(
            [
                "- [ ] ",
                "- [x] ",
                "* [ ] ",
                "1. [ ] ",
                "- ",
                "",
                "# ",
                "## ",
                "### ",
                "> ",
                "~~~",
                "<!--",
            ]
        ),
        st.sampled_from(["a", "b", "a (2)", "long text -->", ""]),
    ).map("".join),
    max_size=25,
).map("\n".join)


@given(LINES, st.data())
def test_an_excerpts_items_are_those_it_was_made_for(text: str, data: st.DataObject) -> None:
    """And so are those of an excerpt from it, for a child's child."""
    items = boxes(text)
    for _ in range(2):
        wanted = [item for item in items if data.draw(st.booleans())]
        text = excerpt(text, wanted, Source.BOXES)
        assert names(boxes(text)) == [item.name for item in wanted]
        items = tuple(wanted)


HEADINGS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from("abc")), min_size=1, max_size=12)


def marks(text: str) -> list[str]:
    """What stands below each heading."""
    return sorted(line for line in text.split("\n") if line.startswith("mark"))


@given(HEADINGS, st.data())
def test_sections_hold_everything_and_an_excerpt_its_own(
    headings: list[tuple[int, str]], data: st.DataObject
) -> None:
    """And so does an excerpt from it, for a child's child."""
    text = "".join(
        f"{'#' * level} {title}\nmark {place}\n" for place, (level, title) in enumerate(headings)
    )
    items = sections(text)
    each = {item.name: set(marks(excerpt(text, [item], Source.SECTIONS))) for item in items}
    assert set().union(*each.values()) == set(marks(text))
    assert sum(item.tokens for item in items) <= -(-len(text) // 4) + len(items)
    for _ in range(2):
        wanted = [item for item in items if data.draw(st.booleans())]
        text = excerpt(text, wanted, Source.SECTIONS)
        assert marks(text) == sorted(set().union(*(each[item.name] for item in wanted)))
        items = tuple(wanted)
