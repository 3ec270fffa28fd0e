from __future__ import annotations

import asyncio
import os
import socket

import pytest

from heaptui.paths import StateDir
from heaptui.peer import TooLong, lines, peer_uid
from heaptui.server import take_lock


def test_one_supervisor_at_a_time(tmp_path):
    state = StateDir(tmp_path / "s").prepare()
    first = take_lock(state)
    assert first is not None
    assert take_lock(state) is None
    assert state.supervisor_lock.read_text() == f"{os.getpid()}\n"
    os.close(first)
    again = take_lock(state)
    assert again is not None
    os.close(again)


def test_the_other_end_is_known():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_uid(ours) in (os.getuid(), None)


def reading(*pieces: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    return reader


@pytest.mark.parametrize(
    ("sent", "whole"),
    [
        (b"", []),
        (b"one\n", [b"one"]),
        (b"one\ntwo\n", [b"one", b"two"]),
        (b"\n\n", [b"", b""]),
        (b"whole\ncut", [b"whole"]),
        (b"x" * 1000 + b"\n" + b"y" * 1000 + b"\n", [b"x" * 1000, b"y" * 1000]),
    ],
)
async def test_lines_are_whole_or_left_out(sent, whole):
    assert [line async for line in lines(reading(sent), 1000)] == whole


@pytest.mark.parametrize("sent", [b"x" * 1001, b"x" * 1001 + b"\n", b"a\n" + b"x" * 5000 + b"\n"])
async def test_a_line_beyond_the_measure_is_an_error(sent):
    with pytest.raises(TooLong):
        [line async for line in lines(reading(sent), 1000)]
