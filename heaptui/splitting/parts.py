"""Files that are too large for one child, by ranges of their lines. They are read in pieces: the
memory this takes does not depend on the file, nor on the length of its lines."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from heaptui.errors import Unreadable
from heaptui.inputs import Item
from heaptui.splitting.plain import opened
from heaptui.splitting.sizes import bytes_of, tokens_of

_CHUNK = 256 << 10
_LOOKED_AT = 8 << 10
"""Bytes at the beginning that tell text from anything else, as git and grep do: no NUL in it."""

_BASE_MAX = 48
"""Letters of the file's own name in that of a part; four bytes each at most."""


def path_of(parts: Path, item: Item) -> Path:
    """Where the part is cut out to: told apart by the file and the lines, and with the file's
    ending, which tools go by."""
    key = hashlib.sha256(os.fsencode(item.of)).hexdigest()[:8]
    base = item.of.rpartition("/")[2][-_BASE_MAX:]
    return parts / f"{key}-{item.first}-{item.last}-{base}"


def cut(parts: Path, item: Item, cwd: Path) -> Path:
    """Copies the part's lines into its own file, 0600, whole or not at all, also when the power
    fails; one that is there stays as it is, for another attempt. Returns its path.

    Raises:
        Unreadable: the file is not there or cannot be read.
        OSError: the part cannot be written.
    """
    path = path_of(parts, item)
    if path.exists():
        return path
    parts.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = cwd / item.of
    try:
        file = opened(source)
    except OSError as error:
        raise Unreadable(
            f"{source} cannot be read: {error.strerror or error}.",
            "Put it back, or split the task again without it.",
        ) from error
    descriptor, name = tempfile.mkstemp(prefix=".cut-", dir=parts)
    try:
        with file, os.fdopen(descriptor, "wb") as copy:
            for piece in _lines(file, item.first, item.last):
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    return path


def in_ranges(items: Iterable[Item], budget_tokens: int, cwd: Path) -> list[Item]:
    """Those that are larger than the budget by ranges, where they can be; for items that are
    files."""
    divided: list[Item] = []
    for item in items:
        fits = item.tokens <= budget_tokens
        divided += [item] if fits else ranges(item, budget_tokens, cwd)
    return divided


def ranges(item: Item, budget_tokens: int, cwd: Path) -> list[Item]:
    """Parts of a file, or of a part of one, by lines: in their order, each as large as the budget
    allows. A line that is larger is a part of its own. What is not text, has one line only or
    cannot be read stays whole."""
    try:
        with opened(cwd / (item.of or item.name)) as file:
            if b"\0" in file.read(_LOOKED_AT):
                return [item]
            file.seek(0)
            lines = _lines(file, item.first or 1, item.last or None)
            first = item.first or 1
            found = [
                (first + begin, first + end, size)
                for begin, end, size in _budgeted(lines, bytes_of(budget_tokens))
            ]
    except OSError:
        return [item]
    if len(found) < 2:
        return [item]
    of = item.of or item.name
    return [
        Item(f"{of}:{begin}-{end}", tokens_of(size), of=of, first=begin, last=end)
        for begin, end, size in found
    ]


def lines_of(path: Path) -> int:
    """How many lines a file has; a last one without its end is one.

    Raises:
        Unreadable: it is not there or cannot be read.
    """
    try:
        with opened(path) as file:
            count, last = 0, b"\n"
            while chunk := file.read(_CHUNK):
                count += chunk.count(b"\n")
                last = chunk[-1:]
    except OSError as error:
        raise Unreadable(
            f"{path} cannot be read: {error.strerror or error}.", "Put it back, or leave it out."
        ) from error
    return count + (last != b"\n")


def _lines(file: BinaryIO, first: int, last: int | None) -> Iterator[bytes]:
    """The bytes of these lines, counted from 1, in pieces that end anywhere."""
    before = first - 1
    wanted = None if last is None else last - before
    while chunk := file.read(_CHUNK):
        begin = 0
        if before:
            ends = chunk.count(b"\n")
            if ends < before:
                before -= ends
                continue
            begin, before = _after(chunk, 0, before), 0
        if wanted is None:
            yield chunk[begin:]
            continue
        ends = chunk.count(b"\n", begin)
        if ends >= wanted:
            yield chunk[begin : _after(chunk, begin, wanted)]
            return
        wanted -= ends
        yield chunk[begin:]


def _after(chunk: bytes, begin: int, ends: int) -> int:
    """The place behind the line end that is the `ends`th from `begin` on."""
    for _ in range(ends):
        begin = chunk.index(b"\n", begin) + 1
    return begin


def _budgeted(pieces: Iterable[bytes], most: int) -> Iterator[tuple[int, int, int]]:
    """Ranges of at most `most` bytes: their first and last line, counted from 0, and their bytes;
    larger only where that is one line."""
    first = line = 0
    used = 0
    """Bytes of the whole lines of the range that is open: `first` up to before `line`."""
    begun = 0
    """Bytes of the line that has begun and not ended."""
    for piece in pieces:
        at = 0
        while at < len(piece):
            room = max(0, most - used - begun)
            end = piece.rfind(b"\n", at, at + room) + 1
            if end:
                line += piece.count(b"\n", at, end)
                used += begun + end - at
                begun, at = 0, end
            elif at + room >= len(piece) and used + begun <= most:
                begun += len(piece) - at
                break
            elif used:
                # the line that has begun does not fit any more
                yield first, line - 1, used
                first, used = line, 0
            else:
                end = piece.find(b"\n", at) + 1
                if not end:
                    begun += len(piece) - at
                    break
                yield first, line, begun + end - at
                line += 1
                first, begun, at = line, 0, end
    if begun and used and used + begun > most:
        yield first, line - 1, used
        first, used = line, 0
    if begun:
        line += 1
    if used + begun:
        yield first, line - 1, used + begun
