"""Which bytes of a file a text stands for: the file's own encoding and line ends.

Readers are shown `\n` alone, and no byte order mark; so that is what they send.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable

from heaptui.errors import UsageError
from heaptui.tools.reading.encoding import Encoding, find_newline

_LOOKED_AT = 64 << 10
_PIECE = 256 << 10


def encoded(text: str, encoding: Encoding) -> bytes:
    """
    Raises:
        UsageError: the text has half a character (a lone surrogate).
    """
    try:
        return text.encode(encoding.name)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"Character {error.start + 1} of the text is only half of one and cannot be written.",
            "Send the text without it, or the file's contents as bytes.",
        ) from error


def with_carriage_returns(text: str) -> str:
    """Each of its lines ends with `\\r\\n`."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def all_with_carriage_returns(fd: int, encoding: Encoding) -> bool:
    """Whether the lines of the file's first 64 KiB end with `\\r\\n`, each that has an end.

    Raises:
        OSError: the file cannot be read.
    """
    text = os.pread(fd, _LOOKED_AT, encoding.bom).decode(encoding.name, "replace")
    return 0 < text.count("\n") == text.count("\r\n")


def is_all_text(fd: int, encoding: Encoding, go_on: Callable[[], None]) -> bool:
    """Whether every byte of the file is one of its encoding's. `go_on` is called for each piece of
    it, and raises when it is to stop.

    Raises:
        OSError: the file cannot be read.
    """
    decoder = codecs.getincrementaldecoder(encoding.name)()
    at = encoding.bom
    try:
        while piece := os.pread(fd, _PIECE, at):
            go_on()
            decoder.decode(piece)
            at += len(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def line_with_carriage_return(fd: int, at: int, encoding: Encoding) -> bool:
    """Whether the line with the byte `at` ends with `\\r\\n`; where it is the last and has no end,
    the one before. Looks 64 KiB far.

    Raises:
        OSError: the file cannot be read.
    """
    unit = encoding.unit
    begin = max(0, at - unit)
    data = os.pread(fd, _LOOKED_AT, begin)
    end = find_newline(data, at - begin, encoding)
    if end < 0:
        begin = max(0, at - _LOOKED_AT)
        data = os.pread(fd, at - begin, begin)
        end = data.rfind(encoding.newline)
    return end >= unit and data[end - unit : end] == "\r".encode(encoding.name)
