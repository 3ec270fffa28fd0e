"""Edit: a piece of text replaced by another, in memory that does not depend on the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from heaptui.errors import Refused, Unreadable, UsageError
from heaptui.tools.answers import Tag, Written
from heaptui.tools.giving_up import until
from heaptui.tools.reading.encoding import Encoding, detected
from heaptui.tools.reading.source import Cancelled
from heaptui.tools.replacing.nearest import nearest
from heaptui.tools.replacing.occurrences import Occurrences, occurrences
from heaptui.tools.replacing.places import place
from heaptui.tools.replacing.replacement import replace
from heaptui.tools.replacing.staleness import check_current
from heaptui.tools.replacing.substituting import everywhere, once
from heaptui.tools.replacing.wording import (
    encoded,
    line_with_carriage_return,
    with_carriage_returns,
)
from heaptui.tools.workspace.regular import BINARY_WITHIN, check_text
from heaptui.tools.workspace.root import Workspace, shown

_COUNTED = 10_000
"""Places that a refusal counts."""
_NUMBERED = 256 << 20
"""Bytes from the beginning in which the line of the one place is told; 0.1 s of counting."""


class _Change(NamedTuple):
    wanted: bytes
    instead: bytes
    found: Occurrences


def edit(
    workspace: Workspace,
    path: str,
    old: str,
    new: str,
    *,
    all: bool = False,
    expect: Tag | None = None,
    cancelled: Cancelled | None = None,
) -> Written:
    """`new` stands where `old` stood, which must be in the file once; with `all`, wherever it
    stood, from the first on, where two overlap only the first of them. Everything else of the file
    stays as it is, byte for byte.

    Line ends: where `old` is not in the file, it is looked for with `\\r\\n` for `\\n`, and so is
    `new` written; and so it is in a line that ends that way.

    `expect` is the tag of the file as it was read; without it, it may be any.

    Raises:
        Refused: `old` is not there, or several times; a read-only workspace, a path out of
            it, a read-only file or none that is regular, one that is not the expected, or
            was changed meanwhile; `cancelled`. Nothing was changed.
        Unreadable: the file is not there, is binary, or may not be read.
        UsageError: no path of a file, or texts that say nothing.
        StorageTrouble: the disk is full or broken.
    """
    _check_texts(old, new)
    go_on = until(path, cancelled)
    with place(workspace, path) as found:
        source = found.source
        if source is None or found.status is None:
            raise Unreadable(
                f"{path!r} is not there.", "List the directory to see what is; Write makes files."
            )
        encoding = _encoding(path, source)
        if expect is not None:
            check_current(path, expect, source, go_on)
        wanted, instead, seen = _looked_for(source, old, new, encoding, all, go_on)
        if not seen.times:
            raise _missed(path, source, old, encoding, go_on)
        if seen.times > 1 and not all:
            raise _ambiguous(path, source, wanted, encoding, go_on)
        size = found.status.st_size
        bytes_then = size + seen.times * (len(instead) - len(wanted))

        def fill(fd: int) -> None:
            if seen.times == 1:
                once(source, fd, size, seen.first, wanted, instead, go_on)
            else:
                everywhere(source, fd, size, seen, wanted, instead, encoding.unit, go_on)
            os.ftruncate(fd, bytes_then)

        done = replace(found, fill, go_on)
        return Written(
            path=shown(workspace.relative(path)),
            bytes=bytes_then,
            tag=done.tag,
            replaced=seen.times,
            lines=tuple(dict.fromkeys(seen.lines)),
            verified=done.verified,
            links=done.links,
        )


def _check_texts(old: str, new: str) -> None:
    if not old:
        raise UsageError(
            "The text to be replaced is empty.",
            "Give a piece of the file; Write gives a file its contents as a whole.",
        )
    if old == new:
        raise UsageError(
            "The text to be replaced and the new one are the same: nothing would change.",
            "Give a new text that differs.",
        )
    if "\0" in old:
        raise UsageError(
            "The text to be replaced has a NUL character: no text file has one.",
            "Give a piece without it.",
        )


def _encoding(path: str, source: int) -> Encoding:
    head = os.pread(source, BINARY_WITHIN, 0)
    encoding = detected(head)
    if encoding.unit == 1:
        check_text(path, head)
    return encoding


def _looked_for(
    source: int, old: str, new: str, encoding: Encoding, all: bool, go_on: Callable[[], None]
) -> _Change:
    """What of the file is meant, and what comes instead of it."""

    def look(old: str, new: str) -> _Change:
        wanted = encoded(old, encoding)
        found = (
            occurrences(source, wanted, encoding, go_on)
            if all
            # two that overlap are two: which of them is meant makes a difference
            else occurrences(
                source,
                wanted,
                encoding,
                go_on,
                overlapping=True,
                stop_after=2,
                named=1,
                numbered=_NUMBERED,
            )
        )
        return _Change(wanted, encoded(new, encoding), found)

    plain = look(old, new)
    if "\n" not in old:
        end = plain.found.first + len(plain.wanted)
        if plain.found.times and "\n" in new and line_with_carriage_return(source, end, encoding):
            return plain._replace(instead=encoded(with_carriage_returns(new), encoding))
        return plain
    if plain.found.times and not old.startswith("\n"):
        return plain
    # a text that begins with \n is found behind any \r: the \r belongs to what is meant
    carried = with_carriage_returns(old)
    translated = look(carried, with_carriage_returns(new)) if carried != old else plain
    return translated if translated.found.times >= max(plain.found.times, 1) else plain


def _ambiguous(
    path: str, source: int, wanted: bytes, encoding: Encoding, go_on: Callable[[], None]
) -> Refused:
    found = occurrences(source, wanted, encoding, go_on, overlapping=True, stop_after=_COUNTED + 1)
    times = f"more than {_COUNTED}" if found.times > _COUNTED else str(found.times)
    lines = sorted(set(found.lines))
    more = " …" if found.times > len(found.lines) else ""
    return Refused(
        f"{path!r} has this text {times} times, in line{'s' if len(lines) > 1 or more else ''} "
        f"{', '.join(map(str, lines))}{more}: which is meant cannot be told. Nothing was changed.",
        "Give more of what surrounds the one that is meant, or ask for all of them (all).",
    )


def _missed(
    path: str, source: int, old: str, encoding: Encoding, go_on: Callable[[], None]
) -> Refused:
    what = f"{path!r} does not have this text. Nothing was changed."
    remedy = "Read the lines that are meant, and give them exactly as they are there."
    if "\ufffd" in old:
        remedy = "\ufffd stands for bytes that are no text: give a piece of the file without them."
    if encoding.unit > 1:
        return Refused(what, remedy)
    missed = nearest(source, encoded(old, encoding), go_on)
    if missed.line:
        of = f"Line {missed.line} of it" if "\n" in old.strip("\n") else "It"
        what += f" {of}, {missed.text!r}, is nowhere in the file"
    else:
        what += " Each of its lines is there, but not one after another with this white space"
    if missed.only is not None:
        what += f" (of which the first {missed.only >> 20} MiB were looked at)"
    near = "\n".join(f"  {one.line}: {one.text}" for one in missed.near)
    return Refused(f"{what}.\nNearest to it:\n{near}" if near else f"{what}.", remedy)
