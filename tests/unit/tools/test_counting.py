"""Both ways to count line ends give the same number, whatever the bytes are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.tools.reading import counting
from heaptui.tools.reading.counting import line_ends

_BYTES = st.lists(
    st.sampled_from([b"\n", b"\0", b"a", b"\xff", b"line\n", b"\n" * 9, b"x" * 60]), max_size=30
).map(b"".join)


@given(data=_BYTES, spare=st.integers(0, 2), before=st.sampled_from([0, 1, 1 << 20]))
def test_the_number_of_line_ends(data: bytes, spare: int, before: int):
    buffer = bytearray(data + b"\n" * spare)
    assert line_ends(buffer, len(data), before) == data.count(b"\n")
    assert buffer == data + b"\n" * spare


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a", b"\na", b"a\n", b"\n\n", b"\0\n\0", b"a" * 9000]
)
def test_without_glibc_it_is_the_same(data: bytes, monkeypatch: pytest.MonkeyPatch):
    with_it = line_ends(bytearray(data), len(data), 0)
    monkeypatch.setattr(counting, "_argz_count", None)
    assert line_ends(bytearray(data), len(data), 0) == with_it == data.count(b"\n")
