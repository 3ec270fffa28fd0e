"""Output made harmless: whatever an agent prints, no terminal obeys it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.output import printable

HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x00\x07\x08\x1b[]P^_X\\m0;?\r\n\t\x7f\x85\x90\x9b\x9c\x9d\u202e\u2066"),
        st.characters(exclude_categories=()),
    )
)


@given(HOSTILE)
def test_no_control_gets_through(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in {"Cc", "Cs"}]
    assert not [c for c in shown if unicodedata.bidirectional(c) in BIDI]
    shown.encode()


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(HOSTILE)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"), exclude_characters="\u00a0")))
def test_harmless_text_is_left_alone(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x9b31mC1", "C1"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;cm0gLXJm\nnext line", "\nnext line"),
        ("\x1bPq#0;2;0\x1b\\after", "after"),
        ("\x1b(Bascii", "ascii"),
        ("\x1b\x1b[31m[32m", "[32m"),
        ("lone \x1b", "lone "),
        ("10%\r55%\r100%\ndone", "100%\ndone"),
        ("100%\r", "100%"),
        ("dos\r\nline\r\n", "dos\nline\n"),
        ("a\tb", "a       b"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800", "\ufffd"),
        ("[bold]markup[/]", "[bold]markup[/]"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
    ],
)
def test_what_is_left(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_megabyte_of_unfinished_sequences_is_cleaned_in_one_pass() -> None:
    assert printable("\x1b]" * 500_000) == ""
    assert printable("\x1b[" * 500_000) == ""
