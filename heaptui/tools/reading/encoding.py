"""How a file's bytes are text: told by its byte order mark, UTF-8 otherwise.

Decoding never fails. What is none of the encoding becomes lone surrogates first, which a file
cannot contain by itself, so that a piece of text can be measured in the file's own bytes; `clean`
makes them U+FFFD at the end.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple


class Encoding(NamedTuple):
    """`unit` are the bytes of the smallest piece, to which every position in the file is a
    multiple; `bom` the bytes of the mark at its beginning; `newline` those of \\n."""

    name: str
    unit: int
    bom: int
    newline: bytes = b"\n"


_MARKS = (
    # UTF-32's first: UTF-16's is how it begins
    (codecs.BOM_UTF32_LE, Encoding("utf-32-le", 4, 4, b"\n\0\0\0")),
    (codecs.BOM_UTF32_BE, Encoding("utf-32-be", 4, 4, b"\0\0\0\n")),
    (codecs.BOM_UTF16_LE, Encoding("utf-16-le", 2, 2, b"\n\0")),
    (codecs.BOM_UTF16_BE, Encoding("utf-16-be", 2, 2, b"\0\n")),
    (codecs.BOM_UTF8, Encoding("utf-8", 1, 3)),
)
UTF8 = Encoding("utf-8", 1, 0)
_NONE_OF_IT = re.compile("[\ud800-\udfff]")
_STAND_IN = "heaptui-stand-in"


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udc80", error.end


codecs.register_error(_STAND_IN, _stand_in)


def detected(head: bytes) -> Encoding:
    """By the first four bytes of a file."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), UTF8)


def decoded(data: bytes, encoding: Encoding) -> str:
    """The text, with lone surrogates for what is none: one for each byte of UTF-8, one for each
    unit otherwise."""
    if encoding.unit == 1:
        return data.decode("utf-8", "surrogateescape")
    return data.decode(encoding.name, _STAND_IN)


def width(text: str, encoding: Encoding) -> int:
    """Bytes that such a text takes in its file."""
    if encoding.unit == 1:
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
    return len(text.encode(encoding.name, "surrogatepass"))


def clean(text: str, encoding: Encoding) -> tuple[str, int]:
    """The text as it can be shown, and how many bytes of it were none (whole units)."""
    text, times = _NONE_OF_IT.subn("\ufffd", text)
    return text, times * encoding.unit


def newlines(data: bytes | bytearray, start: int, end: int, encoding: Encoding) -> int:
    """How many there are; `start` is a multiple of the unit in the file."""
    if encoding.unit == 1:
        return data.count(10, start, end)
    return data[start:end].decode(encoding.name, "replace").count("\n")


def find_newline(data: bytes | bytearray, start: int, encoding: Encoding) -> int:
    """Where the next one begins, or -1; `data` begins at a multiple of the unit in the file."""
    newline = encoding.newline
    at = data.find(newline, start)
    while at >= 0 and at % encoding.unit:
        at = data.find(newline, at + 1)
    return at


def split(data: bytes, encoding: Encoding) -> list[bytes]:
    """What stands between the line ends, and before and after them; `data` begins at a multiple of
    the unit in the file."""
    if encoding.unit == 1:
        return data.split(b"\n")
    parts, start = [], 0
    while (found := find_newline(data, start, encoding)) >= 0:
        parts.append(data[start:found])
        start = found + encoding.unit
    return [*parts, data[start:]]


def boundary(before: bytes, after: bytes, encoding: Encoding) -> int:
    """How many bytes of `after` still belong to the character that began in `before` (the three
    bytes ahead of it, or fewer); 0 where a character begins."""
    if encoding.name.startswith("utf-16"):
        high, low = (1, 1) if encoding.name.endswith("le") else (0, 0)
        pair = len(before) >= 2 and len(after) >= 2
        split = pair and before[-2:][high] & 0xFC == 0xD8 and after[low] & 0xFC == 0xDC
        return 2 if split else 0
    if encoding.unit > 1 or not after or after[0] & 0xC0 != 0x80:
        return 0
    for back in range(1, min(3, len(before)) + 1):
        lead = before[-back]
        if lead & 0xC0 != 0x80:
            size = 2 if lead & 0xE0 == 0xC0 else 3 if lead & 0xF0 == 0xE0 else 4
            rest = size - back
            try:
                (before[-back:] + after[:rest]).decode("utf-8")
            except UnicodeDecodeError:
                return 0  # it belongs to none
            return rest
    return 0
