"""The first and the last bytes of a stream, in whole lines and letters."""

from __future__ import annotations

from typing import NamedTuple


class Shown(NamedTuple):
    """What is shown of it. `head_lines` and `tail_lines` are how many lines are whole in them."""

    head: str
    tail: str
    head_lines: int
    tail_lines: int


class Ends:
    """Feed it the stream in pieces: it holds `head` bytes of its beginning, and `tail` of the end
    that come after those. Where that is all there was, it is one head."""

    def __init__(self, head: int, tail: int) -> None:
        self._most_head = head
        self._most_tail = tail
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = False

    def feed(self, data: bytes) -> None:
        room = self._most_head - len(self._head)
        self._head += data[:room]
        self._tail += data[room:][-self._most_tail :] if self._most_tail else b""
        beyond = len(self._tail) - self._most_tail
        self._dropped |= len(data) - room > self._most_tail or beyond > 0
        if beyond > 0:
            del self._tail[:beyond]

    def shown(self) -> Shown:
        head, tail = bytes(self._head), bytes(self._tail)
        if not self._dropped:
            head, tail = head + tail, b""
        else:
            # where a line is longer than all there is room for, a part of it says more than nothing
            head = head[: head.rfind(b"\n") + 1] or _without_half_a_letter(head)
            begin = tail.find(b"\n") + 1
            tail = tail[begin:] if 0 < begin < len(tail) else tail.lstrip(_CONTINUATION)
        return Shown(
            head=head.decode("utf-8", "replace"),
            tail=tail.decode("utf-8", "replace"),
            head_lines=head.count(b"\n"),
            tail_lines=tail.count(b"\n"),
        )


_CONTINUATION = bytes(range(0x80, 0xC0))
_LETTER_BYTES = 4


def _without_half_a_letter(data: bytes) -> bytes:
    for back in range(1, min(_LETTER_BYTES, len(data)) + 1):
        first = data[-back]
        if first >= 0xC0:
            whole = 2 + (first >= 0xE0) + (first >= 0xF0)
            return data if back >= whole else data[:-back]
        if first < 0x80:
            break
    return data
