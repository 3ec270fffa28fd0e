"""The estimate of tokens: its two halves, whatever the text, and whatever its size."""

from __future__ import annotations

import base64
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.tools.tokens import estimate

PROSE = "the quick brown fox jumps over the lazy dog and comes back again in the evening\n" * 400


@given(st.binary(max_size=20_000))
def test_never_less_than_a_token_for_four_bytes(data: bytes) -> None:
    assert estimate(data) * 4 >= len(data)


@given(st.binary(max_size=20_000))
def test_never_less_than_what_is_left_of_it_compressed(data: bytes) -> None:
    assert estimate(data) >= (len(zlib.compress(data, 1)) if data else 0)


@given(st.text(max_size=5000))
def test_a_text_costs_what_its_utf8_does(text: str) -> None:
    assert estimate(text) == estimate(text.encode())


@given(st.binary(max_size=5000), st.binary(max_size=5000))
def test_more_text_hardly_ever_costs_less(first: bytes, second: bytes) -> None:
    # zlib chooses its tables anew: a longer text may be a few bytes shorter
    assert estimate(first + second) >= estimate(first) * 0.9 - 16


def test_nothing_costs_nothing_and_one_letter_something() -> None:
    assert estimate("") == estimate(b"") == 0
    assert estimate("x") >= 1


def test_repetitive_prose_costs_a_quarter_of_its_bytes() -> None:
    assert estimate(PROSE) == len(PROSE) // 4


def test_what_does_not_repeat_costs_far_more() -> None:
    noise = base64.b64encode(random.Random(1).randbytes(30_000))
    assert 0.7 * len(noise) < estimate(noise) < 0.8 * len(noise)


def test_half_a_letter_from_a_file_name_can_be_counted() -> None:
    assert estimate("a\udcff") >= 1


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_large_text_in_blocks_costs_what_it_does_at_once(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert estimate(data) == pytest.approx(len(zlib.compress(data, 1)), rel=1e-3)
