"""Read: some lines of a file, or some bytes, in memory that does not depend on the file.

What is asked for is found by counting line ends in chunks; only what is shown is decoded. Every
answer says where it ends, why, and where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from msgspec.structs import replace

from heaptui.errors import UsageError
from heaptui.tools.answers import (
    LINE_CHARACTERS,
    READ_BYTES,
    READ_BYTES_MOST,
    READ_LINES,
    READ_LINES_MOST,
    READ_TOKENS,
    WITHIN_S,
    Stopped,
    Text,
)
from heaptui.tools.reading.encoding import boundary
from heaptui.tools.reading.index import CHUNK, Counts, Indexes, settled
from heaptui.tools.reading.lines import lines_from
from heaptui.tools.reading.pieces import Piece, joined, piece_of, shortened, within_tokens
from heaptui.tools.reading.scanning import last_lines, line_at, line_start
from heaptui.tools.reading.source import Cancelled, Interrupted, Source, source_of
from heaptui.tools.workspace.regular import tag_of
from heaptui.tools.workspace.root import Workspace, shown

REACH = 8 << 20
"""Bytes that are looked through for the end of a line too long to be shown."""
_HASHED_MOST = READ_BYTES_MOST
"""Bytes of a file of which an answer with all of it has the SHA-256."""


@dataclass(slots=True)
class _Taken:
    """What was found and is shown. `start` is the byte it begins at, None where that is unknown
    yet or beyond the end; `number` the line that this is in, None where that is not known."""

    start: int | None = None
    number: int | None = None
    pieces: Sequence[Piece] = ()
    stopped: Stopped = Stopped.END
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class _Limits:
    """`short`: which limit it is when `room` bytes are used up. `characters` of a line, None where
    lines are not cut."""

    lines: int
    room: int
    short: Stopped
    characters: int | None


def read(
    workspace: Workspace,
    path: str,
    *,
    offset: int | None = None,
    limit: int | None = None,
    start_byte: int | None = None,
    max_bytes: int = READ_BYTES,
    max_tokens: int = READ_TOKENS,
    line_characters: int = LINE_CHARACTERS,
    index: Indexes | None = None,
    within_s: float = WITHIN_S,
    cancelled: Cancelled | None = None,
) -> Text:
    """Lines from `offset` on (the first is 1; -100: the last hundred), or bytes from `start_byte`
    on (-4096: the last 4 KiB), whichever limit comes first: `limit` lines, `max_bytes` of text,
    `max_tokens` (estimated), `within_s` seconds. More than READ_LINES_MOST lines and
    READ_BYTES_MOST bytes are never given, whatever is asked for.

    From a line on, whole lines are given, those longer than `line_characters` cut; from a byte on,
    all there is until a limit, which may be in the middle of a line. At least one character is
    given where there is one. A line's number that nobody asked for, and that would take long to
    count, is 0.

    With an `index` the next reading of the same file is immediate, and one that ran out of time
    goes on where it was. Where time ran out, or it is `cancelled`, the answer is what there was.

    Raises:
        UsageError: a number that means nothing, both a line and a byte, or no path.
        Refused: not a regular file, or outside the workspace.
        Unreadable: not there, binary, or the system cannot read it.
        StorageTrouble: no descriptor or memory for it.
    """
    _check(offset, limit, start_byte, max_bytes, max_tokens, line_characters)
    # a token of an estimate is never more than four bytes
    room = min(max_bytes, READ_BYTES_MOST, 4 * max_tokens)
    limits = _Limits(
        lines=min(limit or READ_LINES, READ_LINES_MOST),
        room=room,
        short=Stopped.TOKENS if room < min(max_bytes, READ_BYTES_MOST) else Stopped.BYTES,
        characters=line_characters if start_byte is None else None,
    )
    with source_of(workspace, path, within_s=within_s, cancelled=cancelled) as source:
        usable = index if source.made is None and settled(source.tag) else None
        counts = usable.of(source.tag) if usable else Counts()
        taken = _Taken()
        try:
            _find(source, counts, offset, start_byte, taken)
            _take(source, limits, taken)
            _hash(source, taken)
        except Interrupted as interrupted:
            taken.stopped = interrupted.why
        pieces, tokens = within_tokens(taken.pieces, max_tokens, source.encoding)
        if pieces is not taken.pieces:
            taken.pieces, taken.stopped, taken.sha256 = pieces, Stopped.TOKENS, ""
        changed = source.made is None and tag_of(source.fd) != source.tag
        if usable is not None and not changed:
            usable.keep(source.tag, counts)
    if taken.number is None and not taken.pieces and offset is not None and offset > 0:
        taken.number = offset  # interrupted on the way there: go on there
    return _answer(shown(workspace.relative(path)), source, counts, taken, tokens, changed=changed)


def _check(
    offset: int | None,
    limit: int | None,
    start_byte: int | None,
    max_bytes: int,
    max_tokens: int,
    line_characters: int,
) -> None:
    if offset is not None and start_byte is not None:
        raise UsageError(
            "A line and a byte to begin at were both given.", "Give one of them, or none."
        )
    if offset == 0:
        raise UsageError(
            "There is no line 0.", "The first line is 1; the last one is -1, from the end."
        )
    for name, value in (
        ("lines", limit),
        ("bytes", max_bytes),
        ("tokens", max_tokens),
        ("characters of a line", line_characters),
    ):
        if value is not None and value < 1:
            raise UsageError(f"{value} {name} are nothing to read.", "Ask for at least one.")


def _find(
    source: Source, counts: Counts, offset: int | None, start_byte: int | None, taken: _Taken
) -> None:
    if start_byte is not None:
        at = start_byte if start_byte >= 0 else source.size + start_byte
        taken.start = max(source.encoding.bom, min(at, source.size))
        taken.start = _character_start(source, taken.start)
        taken.number = line_at(source, counts, taken.start)
    elif offset is not None and offset < 0 and counts.lines is None:
        taken.start = last_lines(source, -offset)
        taken.number = line_at(source, counts, taken.start)
    else:
        line = 1 if offset is None else offset
        if line < 0 and counts.lines is not None:
            line = max(1, counts.lines + line + 1)
        taken.start = line_start(source, counts, line)
        taken.number = line


def _character_start(source: Source, at: int) -> int:
    """The byte where a character begins, there or behind it."""
    encoding = source.encoding
    at += -at % encoding.unit
    if at >= source.size:
        return at
    ahead = max(encoding.bom, at - (encoding.unit if encoding.unit > 1 else 3))
    return at + boundary(source.chunk(ahead, at - ahead), source.chunk(at, 4), encoding)


def _take(source: Source, limits: _Limits, taken: _Taken) -> None:
    if taken.start is None:
        return
    pieces: list[Piece] = []
    taken.pieces = pieces
    encoding = source.encoding
    whole_lines = limits.characters is not None
    if limits.characters is None:
        most, reach = limits.room * encoding.unit + 8, 0
    else:
        most, reach = 4 * limits.characters + 8, REACH
    room = limits.room
    for line in lines_from(source, taken.start, most, reach):
        piece = piece_of(line, encoding, limits.characters)
        if piece.size > room:
            if not pieces or not whole_lines:
                short = shortened(piece, room, encoding, least=0 if pieces else 1)
                pieces.extend([short] if short else [])
            taken.stopped = limits.short
            return
        pieces.append(piece)
        room -= piece.size
        if line.end is None:
            taken.stopped = Stopped.BYTES
            return
        if len(pieces) == limits.lines and line.end < source.size:
            taken.stopped = Stopped.LINES
            return
        if len(pieces) == limits.lines:
            break
    taken.stopped = Stopped.BYTES if source.made_more else Stopped.END


def _hash(source: Source, taken: _Taken) -> None:
    """Of a file that is shown as a whole."""
    whole = (
        taken.stopped is Stopped.END
        and taken.start == source.encoding.bom
        and source.made is None
        and source.size <= _HASHED_MOST
        and all(piece.rest is None for piece in taken.pieces)
    )
    if not whole:
        return
    digest = sha256()
    for at in range(0, source.size, CHUNK):
        digest.update(source.chunk(at, CHUNK))
    taken.sha256 = digest.hexdigest()


def _answer(
    path: str, source: Source, counts: Counts, taken: _Taken, tokens: int, *, changed: bool
) -> Text:
    pieces, number = taken.pieces, taken.number
    text, replaced = joined(pieces, source.encoding)
    numbered = number if pieces and number is not None else 0
    next_line, next_byte = _onward(taken)
    return Text(
        path=path,
        text=text,
        tag=replace(source.tag, sha256="" if changed else taken.sha256),
        first=numbered,
        last=numbered + len(pieces) - 1 if numbered else 0,
        stopped=taken.stopped,
        next_line=next_line,
        next_byte=next_byte,
        lines_total=None if changed else _lines_total(source, counts, taken),
        cut_lines=tuple(
            numbered + place
            for place, piece in enumerate(pieces)
            if numbered and piece.rest is not None
        ),
        changed=changed,
        ends=_ends({piece.crlf for piece in pieces}),
        encoding=source.encoding.name,
        bom=source.encoding.bom > 0,
        replaced=replaced,
        tokens=tokens,
    )


def _onward(taken: _Taken) -> tuple[int | None, int | None]:
    """The next line, and the next byte."""
    more = taken.stopped is not Stopped.END
    if not taken.pieces:
        return (taken.number, taken.start) if more else (None, None)
    last = taken.pieces[-1]
    byte = last.rest if last.rest is not None else last.end
    follows = more and last.end is not None and taken.number is not None
    line = taken.number + len(taken.pieces) if follows and taken.number is not None else None
    return line, byte if more or last.rest is not None else None


def _lines_total(source: Source, counts: Counts, taken: _Taken) -> int | None:
    if counts.lines is not None:
        return counts.lines
    seen = taken.pieces or taken.start == source.encoding.bom
    if taken.stopped is Stopped.END and taken.number is not None and seen:
        return taken.number + len(taken.pieces) - 1
    return None


def _ends(seen: set[bool | None]) -> str:
    if {True, False} <= seen:
        return "mixed"
    return "\r\n" if True in seen else "\n"
