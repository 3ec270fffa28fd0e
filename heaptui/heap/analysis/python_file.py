"""Reads a file that heaptui's probe wrote of a Python heap; PYTHON_FORMAT.md says what is in it.

Nothing that a file claims is believed before it is held against the file's size, and nothing is
allocated before. Needs neither numpy nor numba, but for `load_python`.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from heaptui.errors import Unreadable

if TYPE_CHECKING:
    from heaptui.heap.analysis.graph import Graph

MAGIC = b"HEAPTUI PYTHON HEAP 1\n"
_ANY_VERSION = b"HEAPTUI PYTHON HEAP "
_HEADER_MAX = 4096
_CHUNK = struct.Struct("<4sIII")
_CHUNK_MAX = 16 << 20
_TAIL = struct.Struct("<6Q")
_DEFLATE_MOST = 1040
"""Bytes that one byte of zlib's format can stand for at the most (1,032), with a margin."""

ROW_BYTES = {
    "NODE": 44,
    "EDGE": 8,
    "NAME": 4,
    "TLEN": 4,
    "TEXT": 1,
    "PLAC": 12,
    "TYPE": 8,
    "TRAC": 24,
}
_COUNTED = ("NODE", "EDGE", "NAME", "TLEN", "PLAC", "TYPE")
_TAKE_ANOTHER = "Take another snapshot: this one was not written to its end."

Progress = Callable[[str, float], None]


class About(msgspec.Struct, frozen=True):
    """The header line: CPython's version, the process, when, and the machine's byte order."""

    python: str
    pid: int
    at: float
    order: str


@dataclass(slots=True, frozen=True)
class Allocation:
    """A line that tracemalloc knew: what is allocated there now, in bytes and blocks."""

    file: str
    line: int
    bytes: int
    blocks: int


class _Texts(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> str: ...


@dataclass(slots=True)
class Sections:
    """The file's arrays as bytes, each as long as its count says."""

    about: About
    counts: dict[str, int]
    data: dict[str, bytearray]

    def texts(self) -> list[str]:
        """All texts, decoded."""
        return list(_texts(self.data["TLEN"], self.data["TEXT"]))


def is_python(head: bytes) -> bool:
    """Whether a file that begins like this is one of ours, of whatever version."""
    return head.startswith(_ANY_VERSION)


def load_python(path: Path, progress: Progress) -> Graph:
    """The graph of a file; `class_of` and `class_names` are filled, what tracemalloc knew stands in
    `notes`.

    Raises:
        Unreadable: another format or version, cut off, or changed.
    """
    from heaptui.heap.analysis import python_graph

    return python_graph.build(read(path, progress), path, progress)


def read(path: Path, progress: Progress) -> Sections:
    """Raises:
    Unreadable: another format or version, cut off, or changed.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return _sections(text, path, progress)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is empty"
        raise Unreadable(f"{path} cannot be read: {reason}.", _TAKE_ANOTHER) from error


def allocations(sections: Sections, texts: _Texts) -> tuple[Allocation, ...]:
    """What tracemalloc knew, largest first; empty where it was off."""
    rows = struct.iter_unpack("<QQII", sections.data["TRAC"])
    return tuple(
        Allocation(texts[name] if name < len(texts) else "", line, size, blocks)
        for size, blocks, name, line in rows
    )


def _sections(text: mmap.mmap, path: Path, progress: Progress) -> Sections:
    if text[: len(MAGIC)] != MAGIC:
        if is_python(text[: len(_ANY_VERSION)]):
            raise Unreadable(
                f"{path} is a Python snapshot of another version of heaptui.",
                "Read it with the heaptui that took it, or take another.",
            )
        raise Unreadable(f"{path} is not a Python snapshot of heaptui's.")
    end = text.find(b"\n", len(MAGIC), len(MAGIC) + _HEADER_MAX)
    if end < 0:
        raise Unreadable(f"{path} is cut off in its header.", _TAKE_ANOTHER)
    try:
        about = msgspec.json.decode(text[len(MAGIC) : end], type=About)
    except (msgspec.DecodeError, ValueError) as error:
        raise Unreadable(f"{path} is damaged: its header says {error}.") from error
    places: dict[str, list[_Place]] = {tag: [] for tag in ROW_BYTES}
    tail = b""
    for tag, place in _chunks(text, end + 1, path):
        if tag == "DONE":
            tail = text[place.start : place.start + place.stored]
        elif tag in places:
            places[tag].append(place)
    counts = _counts(tail, places, path)
    data: dict[str, bytearray] = {}
    total = sum(one.raw for found in places.values() for one in found)
    done = 0
    for tag, found in places.items():
        held = data[tag] = bytearray()
        for one in found:
            held += _unpacked(text, one, path)
            done += one.raw
            progress("reading", done / total)
    return Sections(about, counts, data)


@dataclass(slots=True, frozen=True)
class _Place:
    """A chunk's bytes in the file: where, how many, how many when they are unpacked."""

    start: int
    stored: int
    raw: int
    packed: bool


def _chunks(text: mmap.mmap, position: int, path: Path) -> Iterator[tuple[str, _Place]]:
    while True:
        if position + _CHUNK.size > len(text):
            raise Unreadable(f"{path} is cut off after {len(text):,} bytes.", _TAKE_ANOTHER)
        tag, codec, raw, stored = _CHUNK.unpack_from(text, position)
        start = position + _CHUNK.size
        name = tag.decode("latin-1")
        row = ROW_BYTES.get(name)
        if name != "DONE" and row is None:
            raise Unreadable(f"{path} is damaged: byte {position:,} begins no part of it.")
        if start + stored > len(text):
            raise Unreadable(f"{path} is cut off after {len(text):,} bytes.", _TAKE_ANOTHER)
        if codec > 1 or raw > _CHUNK_MAX or raw > stored * (_DEFLATE_MOST if codec else 1):
            raise Unreadable(f"{path} is damaged: byte {position:,} claims more than it can hold.")
        yield name, _Place(start, stored, raw, bool(codec))
        position = start + stored
        if name == "DONE":
            if position != len(text):
                raise Unreadable(f"{path} is damaged: something follows its end.")
            return


def _counts(tail: bytes, places: dict[str, list[_Place]], path: Path) -> dict[str, int]:
    if len(tail) != _TAIL.size:
        raise Unreadable(f"{path} is damaged: its end does not say what it holds.")
    counts = dict(zip(_COUNTED, _TAIL.unpack(tail), strict=True))
    for tag, claimed in counts.items():
        held = sum(one.raw for one in places[tag])
        if held != claimed * ROW_BYTES[tag]:
            raise Unreadable(
                f"{path} says that it has {claimed:,} rows of {tag}; it has "
                f"{held / ROW_BYTES[tag]:,.10g}.",
                "It was changed. Take another snapshot.",
            )
    if sum(one.raw for one in places["TRAC"]) % ROW_BYTES["TRAC"]:
        raise Unreadable(f"{path} is damaged: half a row of TRAC.")
    return counts


def _unpacked(text: mmap.mmap, place: _Place, path: Path) -> bytes:
    stored = text[place.start : place.start + place.stored]
    if not place.packed:
        found = stored
    else:
        try:
            found = zlib.decompressobj().decompress(stored, place.raw + 1)
        except zlib.error as error:
            raise Unreadable(
                f"{path} is damaged: byte {place.start:,} cannot be unpacked ({error})."
            ) from error
    if len(found) != place.raw:
        raise Unreadable(f"{path} is damaged: byte {place.start:,} holds another length.")
    return found


def _texts(lengths: bytearray, data: bytearray) -> Iterator[str]:
    start = 0
    for (length,) in struct.iter_unpack("<I", lengths):
        yield data[start : start + length].decode("utf-8", "replace")
        start += length
