"""The strings of a snapshot: where each stands in the file, decoded when it is asked for."""

from __future__ import annotations

import json
import mmap
import re

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled

DONE, FULL, CUT_OFF, BROKEN = 0, 1, 2, 3

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class FileStrings:
    """The snapshot's strings over its mapped file; `starts` and `lengths` in bytes, as escaped."""

    def __init__(
        self, text: mmap.mmap, starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> None:
        self._text = text
        self.starts = starts
        self.lengths = lengths
        self._added: list[str] = []

    def __len__(self) -> int:
        return len(self.starts) + len(self._added)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index >= len(self.starts):
            return self._added[index - len(self.starts)]
        start = int(self.starts[index])
        return decoded(self._text[start : start + int(self.lengths[index])])

    def length(self, index: int) -> int:
        """Bytes as escaped in the file: no less than the characters."""
        if index >= len(self.starts):
            return len(self._added[index - len(self.starts)])
        return int(self.lengths[index])

    def add(self, text: str) -> int:
        """Puts a string behind those of the file; returns its index."""
        self._added.append(text)
        return len(self) - 1

    @property
    def bytes(self) -> NDArray[np.uint8]:
        """The whole file."""
        return np.frombuffer(self._text, np.uint8)


def decoded(raw: bytes) -> str:
    """A JSON string's text; what is no text (half a pair of surrogates, bytes that are not UTF-8,
    an unknown escape) becomes U+FFFD or stays as it is written."""
    plain = raw.decode("utf-8", "replace")
    if "\\" not in plain:
        return plain
    try:
        text: str = json.loads(f'"{plain}"', strict=False)
    except ValueError:
        text = _ESCAPE.sub(_unescaped, plain)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(escape: re.Match[str]) -> str:
    if escape[1]:
        return chr(int(escape[1], 16))
    return _SHORT.get(escape[2], escape[2])


def find_strings(
    text: NDArray[np.uint8], start: int
) -> tuple[int, int, NDArray[np.int64], NDArray[np.int64]]:
    """Where the strings of the array that opens before `start` stand: status, position of the
    closing bracket (or of what is wrong), starts, lengths."""
    starts = np.empty(1 << 16, np.int64)
    lengths = np.empty(1 << 16, np.int64)
    count, position, status = 0, start, FULL
    while True:
        status, position, count = scan(text, position, starts, lengths, count)
        if status != FULL:
            return status, position, starts[:count].copy(), lengths[:count].copy()
        starts = np.concatenate((starts, np.empty_like(starts)))
        lengths = np.concatenate((lengths, np.empty_like(lengths)))


def first_equal(strings: FileStrings, text: str) -> int:
    """Index of the first string that is `text` (plain ASCII), -1 if none is."""
    wanted = np.frombuffer(text.encode("ascii"), np.uint8)
    return equal_to(strings.bytes, strings.starts, strings.lengths, wanted)


def weak_map_names(
    strings: FileStrings,
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
    """The strings that name a WeakMap's value, `N / part of key (K @1) -> value (V @2) pair in
    WeakMap (table @3)`: their indexes, a digest of all behind N, and the table's id."""
    text, starts, lengths = strings.bytes, strings.starts, strings.lengths
    count = weak_map_entries(text, starts, lengths, *_no_entries())
    if not count:
        return _no_entries()
    index = np.empty(count, np.int64)
    digest, table = np.empty(count, np.uint64), np.empty(count, np.uint64)
    weak_map_entries(text, starts, lengths, index, digest, table)
    return index, digest, table


def _no_entries() -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
    return np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.uint64)


_KEY = np.frombuffer(b" / part of key (", np.uint8)
_VALUE = np.frombuffer(b") -> value (", np.uint8)
_TABLE = np.frombuffer(b") pair in WeakMap (table @", np.uint8)
_SEPARATOR = np.frombuffer(b"u202", np.uint8)


@compiled
def blank(byte: np.uint8) -> bool:
    """Whether JSON takes it for white space. Compared one by one: looking into a tuple makes the
    whole reader four times as slow."""
    return bool(byte == 10 or byte == 32 or byte == 13 or byte == 9)  # noqa: PLR1714


@compiled
def equal_to(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    wanted: NDArray[np.uint8],
) -> int:
    for index in range(starts.size):
        if lengths[index] == wanted.size and _stands(text, starts[index], wanted):
            return index
    return -1


@compiled
def _stands(text: NDArray[np.uint8], position: int, wanted: NDArray[np.uint8]) -> bool:
    same = True
    for i in range(wanted.size):
        same = same and text[position + i] == wanted[i]
    return same


@compiled
def _digits_before(text: NDArray[np.uint8], position: int, least: int) -> int:
    """Where the run of digits that ends before `position` begins."""
    while position > least and 48 <= text[position - 1] <= 57:
        position -= 1
    return position


@compiled
def _weak_map_name(text: NDArray[np.uint8], start: int, end: int) -> int:
    """The position behind the leading number, or -1 if this is no such name. What is between the
    fixed parts may hold anything but the end of a line."""
    at = start
    while at < end and 48 <= text[at] <= 57:
        at += 1
    if at == start or end - at < 60 or text[end - 1] != 41 or not _stands(text, at, _KEY):
        return -1
    table = _digits_before(text, end - 1, at)
    suffix = table - _TABLE.size
    if table == end - 1 or suffix < at + _KEY.size or not _stands(text, suffix, _TABLE):
        return -1
    value = _digits_before(text, suffix, at) - 2
    if value + 2 == suffix or text[value] != 32 or text[value + 1] != 64:
        return -1
    begin = at + _KEY.size
    for i in range(begin, value):
        if text[i] == 92 and (text[i + 1] in (110, 114) or _stands(text, i + 1, _SEPARATOR)):
            return -1
    for i in range(begin, value - _VALUE.size - 2):
        if text[i] == 32 and text[i + 1] == 64:
            digits = i + 2
            while 48 <= text[digits] <= 57:
                digits += 1
            if digits > i + 2 and digits + _VALUE.size <= value and _stands(text, digits, _VALUE):
                return at
    return -1


@compiled
def weak_map_entries(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    index: NDArray[np.int64],
    digest: NDArray[np.uint64],
    table: NDArray[np.uint64],
) -> int:
    """Fills the arrays while they have room; returns how many there are."""
    count = 0
    for i in range(starts.size):
        start, end = starts[i], starts[i] + lengths[i]
        if end == start or not 48 <= text[start] <= 57:
            continue
        at = _weak_map_name(text, start, end)
        if at < 0:
            continue
        if count < index.size:
            mixed = np.uint64(0xCBF29CE484222325)
            for j in range(at, end):
                mixed = (mixed ^ np.uint64(text[j])) * np.uint64(0x100000001B3)
            number = np.uint64(0)
            for j in range(_digits_before(text, end - 1, at), end - 1):
                number = number * np.uint64(10) + np.uint64(text[j] - 48)
            index[count] = i
            digest[count] = mixed
            table[count] = number
        count += 1
    return count


@compiled
def scan(
    text: NDArray[np.uint8],
    position: int,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    count: int,
) -> tuple[int, int, int]:
    """Goes on from `position`, before the string number `count` and its comma."""
    size = text.size
    while True:
        while position < size and blank(text[position]):
            position += 1
        if position >= size:
            return CUT_OFF, position, count
        byte = text[position]
        if byte == 93:
            return DONE, position, count
        at = position
        if count > 0:
            if byte != 44:
                return BROKEN, position, count
            position += 1
            while position < size and blank(text[position]):
                position += 1
            if position >= size:
                return CUT_OFF, position, count
            byte = text[position]
        if byte != 34:
            return BROKEN, position, count
        if count == starts.size:
            return FULL, at, count
        position += 1
        begin = position
        while position < size and text[position] != 34:
            position += 2 if text[position] == 92 else 1
        if position >= size:
            return CUT_OFF, size, count
        starts[count] = begin
        lengths[count] = position - begin
        count += 1
        position += 1
