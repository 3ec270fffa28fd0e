"""What an output ends with: the notice that a runtime gives when memory, or an option, ended it.

All of it is untrusted: a program may print whatever it likes. What a runtime prints when it dies is
the last that its process prints, and has a form: V8's trace of collections before the line, frames
after it; Python's traceback before; Node's frames and version after. Only lines in that form, with
nothing else after them, count as a notice (`LastWords.notice`); a line that merely stands
somewhere is kept in `words` for whoever reads the verdict.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from heaptui.output import printable, tail

LINES, LOOKED_AT = 250, 1 << 16
"""How much of the output's end is looked at."""

_WORDS_MAX, _WIDTH = 8, 200


class Notice(StrEnum):
    """What a line speaks of."""

    V8_HEAP = "V8's heap"
    V8_REFUSED = "memory that the system refused to V8's heap"
    RESERVATION = "address space that V8 could not reserve"
    BUFFER = "a buffer"
    WORKER_THREAD = "the limit of a worker thread"
    PYTHON = "Python's memory"
    NATIVE = "memory of a native program"
    BAD_OPTION = "a refused option"


_NOTICES = tuple(
    (notice, re.compile(form))
    for notice, form in (
        (Notice.V8_REFUSED, r"FATAL ERROR: (Committing semi space failed|Scavenger: semi-space)"),
        (Notice.V8_HEAP, r"FATAL ERROR: .*JavaScript heap out of memory"),
        (Notice.V8_REFUSED, r"FATAL ERROR: .*process out of memory"),
        (Notice.RESERVATION, r"# Fatal process (OOM|out of memory)"),
        (Notice.BUFFER, r"RangeError: (Array buffer allocation failed|Failed to allocate memory)"),
        (Notice.BUFFER, r"\w*Error \[ERR_MEMORY_ALLOCATION_FAILED\]"),
        (Notice.WORKER_THREAD, r"Error \[ERR_WORKER_OUT_OF_MEMORY\]"),
        (Notice.PYTHON, r"([\w.]+\.)?_?(Array)?MemoryError(: .*)?$"),
        (Notice.NATIVE, r"terminate called after throwing an instance of 'std::bad_alloc'"),
        (Notice.NATIVE, r"memory allocation of \d+ bytes failed"),
        (Notice.BAD_OPTION, r"\S+: bad option: "),
        (Notice.BAD_OPTION, r"\S+: \S+ is not allowed in NODE_OPTIONS"),
    )
)

COLLECTIONS = "<--- Last few GCs --->"
TRACEBACK = "Traceback (most recent call last):"
DURING = "During handling of the above exception, another exception occurred:"
"""Between bare names of errors, when there was no memory left to print a traceback with."""

_VERSION = re.compile(r"Node\.js v\d+\.\d+\.\d+\S*")
_MARKS = {
    Notice.V8_HEAP: re.compile(re.escape(COLLECTIONS)),
    Notice.V8_REFUSED: re.compile(re.escape(COLLECTIONS)),
    Notice.BUFFER: _VERSION,
    Notice.WORKER_THREAD: _VERSION,
    Notice.PYTHON: re.compile(f"{re.escape(TRACEBACK)}|{re.escape(DURING)}"),
}
_COLLECTIONS_WITHIN = 80

_AFTER = re.compile(
    r"""
      \s*\d+:\ (0x[0-9a-f]+\ .*|.+:\d+:\d+\)?)      # frames of V8's two stacks
    | -----\ .*\ stack\ trace\ -----
    | Writing\ Node\.js\ report\ .+ | Node\.js\ report\ completed
    | \#+ | \#FailureMessage\ .+
    | \s+what\(\):\ .+
    | (\S+:\ line\ \d+:\s+\d+\ |\S+:\ \d+:\ )?      # how a shell tells of a child's signal
      (Aborted|Killed|Segmentation\ fault|Trace/breakpoint\ trap|Illegal\ instruction)\b.*
    """,
    re.VERBOSE,
)
_OF_AN_ERROR = re.compile(
    r"\s+at\ .+|Emitted 'error' event on .+|\s+\[?[\w.]+\]?: .+|\s*[\]})],?|.* \{"
)
"""Frames and properties that Node prints below an uncaught error, before its version."""


class LastWords(Struct, frozen=True):
    """`words`: the last lines that speak of memory or of a refused option, oldest first, each
    notice after its mark. `last_line`: the last that is not blank, what a runtime or a shell adds
    to a notice left out. All made harmless."""

    words: tuple[str, ...] = ()
    last_line: str = ""


def notice_of(line: str) -> Notice | None:
    """What a line speaks of; None for any other."""
    return next((notice for notice, form in _NOTICES if form.match(line)), None)


def closing_notice(words: Sequence[str], last_line: str) -> Notice | None:
    """The notice, in its due form, with which the output ends; None where it ends otherwise."""
    notice = notice_of(last_line)
    if notice is None or not words or words[-1] != last_line:
        return None
    mark = _MARKS.get(notice)
    marked = mark is None or (len(words) > 1 and mark.fullmatch(words[-2]) is not None)
    return notice if marked else None


def last_words(output: Path) -> LastWords:
    """Of this file; empty when it cannot be read."""
    try:
        # a pipe in its place would hold up whoever opens it
        lines = tail(output, LINES, LOOKED_AT).lines if output.is_file() else []
    except OSError:
        return LastWords()
    return closing(lines)


def closing(lines: Sequence[str]) -> LastWords:
    """Of these lines."""
    shown = [printable(line)[:_WIDTH].rstrip() for line in lines]
    at, version = _last_of(shown)
    if at is None:
        return LastWords()
    words = [line for line in shown[: at + 1] if notice_of(line) is not None]
    notice = notice_of(shown[at])
    mark = None if notice is None else _mark_of(notice, shown[:at], version)
    if mark is not None:
        words.insert(len(words) - 1, mark)
    return LastWords(tuple(words[-_WORDS_MAX:]), shown[at])


def _last_of(lines: Sequence[str]) -> tuple[int | None, str | None]:
    """Where the last line stands that belongs to no epilogue, and Node's version if that follows
    it."""
    version: str | None = None
    for at in range(len(lines) - 1, -1, -1):
        line = lines[at]
        if not line or _AFTER.fullmatch(line):
            continue
        if version is None and _VERSION.fullmatch(line):
            version = line
        elif version is None or notice_of(line) is not None or not _OF_AN_ERROR.fullmatch(line):
            return at, version
    return None, None


def _mark_of(notice: Notice, above: Sequence[str], version: str | None) -> str | None:
    match notice:
        case Notice.V8_HEAP | Notice.V8_REFUSED:
            return COLLECTIONS if COLLECTIONS in above[-_COLLECTIONS_WITHIN:] else None
        case Notice.BUFFER | Notice.WORKER_THREAD:
            return version
        case Notice.PYTHON:
            return _above_an_error(above)
        case _:
            return None


def _above_an_error(above: Sequence[str]) -> str | None:
    """What stands above a Python error's name: its traceback, or another error before it."""
    rest = list(above)
    while rest and rest[-1].startswith("  "):
        rest.pop()
    if rest and rest[-1] == TRACEBACK:
        return TRACEBACK
    while rest and not rest[-1]:
        rest.pop()
    return DURING if rest and rest[-1] == DURING else None
