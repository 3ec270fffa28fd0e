"""The lines of a file that a text which is not in it was most likely meant to be.

Of a text of several lines, the first that is nowhere is looked for. The work is bounded: the file's
first 64 MiB, the lines that share words with that one, of those the 48 that share most, 160
characters of each.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_PIECE = 256 << 10
_LOOKED_AT = 64 << 20
_WANTED_LINES = 32
_CHARACTERS = 160
_WORDS = 4
_OF_EACH_WORD = 200
"""Lines remembered for one word."""
_COMPARED = 48
_ALIKE = 0.5
"""Share of letters in common, as difflib counts it, from which a line is worth naming."""
_WITHOUT_WORDS = 400
"""Lines from the beginning that are compared when no word of it is in the file."""
_WORD = re.compile(rb"\w{3,}")


class Near(NamedTuple):
    """A line of the file, cut; how alike (1: but for white space around it)."""

    line: int
    text: str
    alike: float


class Missed(NamedTuple):
    """`text` is line `line` of what was looked for, the first that is nowhere in the file; 0: each
    of them is there, but not one after another. `only`: bytes of the file that were looked at, None
    for all of it."""

    line: int
    text: str
    near: tuple[Near, ...]
    only: int | None


def nearest(fd: int, wanted: bytes, go_on: Callable[[], None], most: int = 3) -> Missed:
    """For a text that is not in the file. `go_on` is called for each piece of it, and raises when
    it is to stop.

    Raises:
        OSError: the file cannot be read.
    """
    lines = [line.strip() for line in wanted.split(b"\n")[:_WANTED_LINES]]
    absent = {number: line for number, line in enumerate(lines, 1) if line}
    for _, piece in _pieces(fd, go_on):
        absent = {number: line for number, line in absent.items() if line not in piece}
        if not absent:
            break
    number = min(absent, default=0)
    key = lines[number - 1] if number else max(lines, key=len)
    near = sorted(
        _alike(key, _candidates(fd, key, go_on)), key=lambda found: (-found.alike, found.line)
    )
    only = _LOOKED_AT if os.fstat(fd).st_size > _LOOKED_AT else None
    return Missed(number, _shown(key), tuple(near[:most]), only)


def _candidates(fd: int, key: bytes, go_on: Callable[[], None]) -> dict[int, bytes]:
    """Lines by their number: those with most of its words, or the first of the file."""
    words = sorted(set(_WORD.findall(key[: 8 * _CHARACTERS])), key=lambda word: (-len(word), word))
    shared: dict[int, int] = {}
    texts: dict[int, bytes] = {}
    often = dict.fromkeys(words[:_WORDS], 0)
    for before, piece in _pieces(fd, go_on):
        for word, times in often.items():
            for number, text in _lines_with(word, piece, before, _OF_EACH_WORD - times):
                texts[number] = text
                shared[number] = shared.get(number, 0) + 1
                often[word] += 1
        if all(times >= _OF_EACH_WORD for times in often.values()):
            break
    if not texts:
        _, head = next(_pieces(fd, go_on), (0, b""))
        return dict(enumerate(head.split(b"\n", _WITHOUT_WORDS)[:_WITHOUT_WORDS], 1))
    best = sorted(texts, key=lambda number: (-shared[number], number))
    return {number: texts[number] for number in best[:_COMPARED]}


def _lines_with(word: bytes, piece: bytes, before: int, most: int) -> Iterator[tuple[int, bytes]]:
    at = counted = 0
    while most and (at := piece.find(word, at)) >= 0:
        before += piece.count(b"\n", counted, at)
        counted = at
        begin = piece.rfind(b"\n", 0, at) + 1
        end = piece.find(b"\n", at)
        end = len(piece) if end < 0 else end
        # far inside a long line, what surrounds the word is what can be like it
        begin = max(begin, at - 4 * _CHARACTERS)
        yield before + 1, piece[begin : min(end, at + 4 * _CHARACTERS)]
        at, most = end, most - 1


def _alike(key: bytes, candidates: dict[int, bytes]) -> Iterator[Near]:
    wanted = _shown(key)
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    for number, line in candidates.items():
        text = _shown(line)
        matcher.set_seq1(text)
        if matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE:
            ratio = matcher.ratio()
            if ratio >= _ALIKE:
                yield Near(number, text, ratio)


def _shown(line: bytes) -> str:
    """One line as text, without the white space around it."""
    return line[: 4 * _CHARACTERS].decode("utf-8", "replace").strip()[:_CHARACTERS]


def _pieces(fd: int, go_on: Callable[[], None]) -> Iterator[tuple[int, bytes]]:
    """Whole lines of the file, and how many stand before them. A line that is longer than a piece
    comes in several."""
    at = before = 0
    end = min(os.fstat(fd).st_size, _LOOKED_AT)
    while at < end:
        go_on()
        piece = os.pread(fd, min(_PIECE, end - at), at)
        if not piece:
            return
        cut = piece.rfind(b"\n") + 1
        if cut and at + len(piece) < end:
            piece = piece[:cut]
        yield before, piece
        before += piece.count(b"\n")
        at += len(piece)
