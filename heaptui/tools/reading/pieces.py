"""What is shown of each line, and how much of it fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from heaptui.tools.reading.encoding import Encoding, clean, decoded, width
from heaptui.tools.reading.lines import Line
from heaptui.tools.tokens import estimate


class Piece(NamedTuple):
    """`text` is what is shown, with lone surrogates for what is none of the encoding; `newline`:
    and a line end. `size` of both in UTF-8. `rest` is the byte where what is not shown of the line
    begins, None where all of it is. `end` is where the next line begins, None where nobody knows.
    `crlf` is how the line ended, None where that was not seen, or not at all."""

    start: int
    text: str
    newline: bool
    size: int
    rest: int | None
    end: int | None
    crlf: bool | None


def piece_of(line: Line, encoding: Encoding, characters: int | None) -> Piece:
    """The line without its line end, and no more of it than so many characters."""
    text = decoded(line.data, encoding)
    crlf = None if line.cut or not line.terminated else text.endswith("\r")
    if crlf:
        text = text[:-1]
    rest = None
    if characters is not None and len(text) > characters:
        text = text[:characters]
        rest = line.start + width(text, encoding)
    elif line.cut:
        rest = line.start + len(line.data)
    size = _utf8(text) + line.terminated
    return Piece(line.start, text, line.terminated, size, rest, line.end, crlf)


def shortened(piece: Piece, room: int, encoding: Encoding, *, least: int) -> Piece | None:
    """As much of it as fits into `room` bytes of UTF-8, but at least so many characters, without
    its line end; None where that is nothing."""
    text = piece.text
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > room:
        while room > 0 and data[room] & 0xC0 == 0x80:
            room -= 1
        text = data[:room].decode("utf-8", "surrogatepass")
    return _begun(piece, text or piece.text[:least], encoding) if text or least else None


def within_tokens(
    pieces: Sequence[Piece], most: int, encoding: Encoding
) -> tuple[Sequence[Piece], int]:
    """As many of them as are within so many tokens, by estimate, and how many tokens these are. Of
    the first one at least a character is left, and no more than fits where it does not as a
    whole."""
    count = _tokens(pieces, encoding)
    if count <= most or not pieces:
        return pieces, count
    fit = _most_within(lambda n: _tokens(pieces[:n], encoding), len(pieces), count, most)
    if fit:
        return pieces[:fit], _tokens(pieces[:fit], encoding)
    first = pieces[0]
    whole = _tokens(pieces[:1], encoding)
    if not first.text:
        return pieces[:1], whole
    fit = _most_within(lambda n: estimate(first.text[:n]), len(first.text), whole, most)
    begun = [_begun(first, first.text[: max(fit, 1)], encoding)]
    return begun, _tokens(begun, encoding)


def joined(pieces: Sequence[Piece], encoding: Encoding) -> tuple[str, int]:
    """The text of all, and how many bytes of it were none of the encoding."""
    text = "".join([piece.text + "\n" if piece.newline else piece.text for piece in pieces])
    return (text, 0) if text.isascii() else clean(text, encoding)


def _begun(piece: Piece, text: str, encoding: Encoding) -> Piece:
    return piece._replace(
        text=text,
        newline=False,
        size=_utf8(text),
        rest=piece.start + width(text, encoding),
    )


def _tokens(pieces: Sequence[Piece], encoding: Encoding) -> int:
    return estimate(joined(pieces, encoding)[0])


def _most_within(measure: Callable[[int], int], most: int, all_of_it: int, limit: int) -> int:
    """The largest n below `most` (which measures too much) that measures no more than the limit,
    for what grows with n. Every other guess is where it would be if it grew evenly: it nearly does,
    and one measure is dear."""
    low, low_is, high, high_is = 0, 0, most, all_of_it
    evenly = True
    while high - low > 1:
        share = (limit - low_is) / max(1, high_is - low_is) if evenly else 0.5
        guess = min(high - 1, max(low + 1, low + int((high - low) * share)))
        is_there = measure(guess)
        if is_there <= limit:
            low, low_is = guess, is_there
        else:
            high, high_is = guess, is_there
        evenly = not evenly
    return low


def _utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
