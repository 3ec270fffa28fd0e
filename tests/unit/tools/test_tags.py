"""A tag survives being copied from an answer into a call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.errors import UsageError
from heaptui.tools.answers import Tag
from heaptui.tools.workspace.tags import parsed, spelled

numbers = st.integers(0, (1 << 63) - 1)
# 64 bits of seconds, in nanoseconds
times = st.integers(-(10**9 << 63), (10**9 << 63) - 1)
hashes = st.one_of(st.just(""), st.text("0123456789abcdef", min_size=64, max_size=64))


@given(st.builds(Tag, numbers, numbers, numbers, times, times, hashes))
def test_what_was_spelled_is_parsed_to_the_same(tag: Tag) -> None:
    word = spelled(tag)
    assert parsed(word) == tag
    assert parsed(f" {word}\n") == tag
    assert word.isascii() and not set(word) & set(" \"'\\$*?!")


@pytest.mark.parametrize(
    "word", ["", "1.2.3.4", "1.2.3.4.x", "1.2.3.4.5.", "1.2.3.4.5.abc", "1.2.3.4.5.6.7", "1" * 99]
)
def test_what_is_no_tag_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is no tag"):
        parsed(word)
