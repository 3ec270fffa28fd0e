"""Searching where there is no rg: a program of its own that prints what rg would, by RE2.

RE2 takes time in proportion to the text, whatever the pattern; it sees a megabyte or two at a time,
and of a longer line each megabyte by itself. A file ends at its first NUL: what follows is binary.
`.git` is left out; of .gitignore and of UTF-16 it knows nothing. Links are not followed, and only
regular files are opened. It gives up the rest of the file system before it opens the first, where
the kernel can do that.

    python -m heaptui.tools.searching.last_resort QUERY PATH [FD...]

QUERY is a `Query` in JSON, PATH a file or `.`, and FD what it may read. Exit codes are rg's: 0
found, 1 not found, 2 trouble, described on standard error.
"""

from __future__ import annotations

import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, Protocol

import msgspec
import re2

from heaptui.tools.searching import confinement, globs
from heaptui.tools.searching.query import LINE_BYTES, Mode, Query

CHUNK = 1 << 20
_DEEPEST = 200
_BOM = b"\xef\xbb\xbf"
_OMITTED = b" [... omitted end of long line]"


class _Match(Protocol):
    def start(self) -> int: ...


Matches = Callable[[bytes, int], _Match | None]
"""The first match in a text from a place on."""


class _File(NamedTuple):
    path: bytes
    name: bytes
    directory: int | None


class _Line(NamedTuple):
    number: int
    text: bytes
    matches: bool


def _passed_over(name: str) -> bool:
    """As rg is asked to: git's own, and what a writer of ours has not finished."""
    return name == ".git" or (name.startswith(".heaptui-") and name.endswith(".tmp"))


def main(arguments: Sequence[str]) -> int:
    asked = msgspec.json.decode(arguments[0], type=Query)
    path = os.fsencode(arguments[1])
    try:
        search = _expression(asked)
        chosen = globs.chosen(asked.globs, _glob)
    except re2.error as error:
        return _complain(f"regex parse error: {_words(error)}")
    if confinement.possible():
        confinement.confine([int(fd) for fd in arguments[2:]])
    code = 1
    for file in (
        _beneath(os.open(path, os.O_RDONLY), b".") if path == b"." else [_File(path, path, None)]
    ):
        if file.directory is not None and not chosen(os.fsdecode(file.path)[2:]):
            continue
        try:
            with _opened(file) as opened:
                if _searched(opened, file.path, search, asked) and code == 1:
                    code = 0
        except OSError as error:
            code = _complain(f"{os.fsdecode(file.path)}: {error.strerror}")
    return code


def _expression(asked: Query) -> Matches:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not asked.ignore_case
    options.never_nl = True  # no match reaches into another line
    text = re2.escape(asked.pattern) if asked.fixed else asked.pattern
    pattern = re2.compile(f"(?m:{text})".encode(), options)
    search: Matches = pattern.search
    return search


def _glob(expression: str) -> globs.Fits:
    options = re2.Options()
    options.log_errors = False
    pattern = re2.compile(f"(?s:{expression})", options)
    return lambda path: pattern.fullmatch(path) is not None


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _complain(words: str) -> int:
    """Says it in rg's form, and is its exit code."""
    sys.stderr.buffer.write(f"rg: {words}\n".encode("utf-8", "surrogateescape"))
    return 2


def _beneath(directory: int, path: bytes, depth: int = 0) -> Iterator[_File]:
    """The regular files below a directory, in the order of their names; closes it."""
    try:
        with os.scandir(directory) as entries:
            kinds = sorted(
                (os.fsencode(entry.name), entry.is_dir(follow_symlinks=False))
                for entry in entries
                if not _passed_over(entry.name)
                and (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False))
            )
        for name, is_directory in kinds:
            below = path + b"/" + name
            if not is_directory:
                yield _File(below, name, directory)
                continue
            try:
                if depth == _DEEPEST:
                    raise OSError(0, f"more than {_DEEPEST} directories deep")
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                yield from _beneath(os.open(name, flags, dir_fd=directory), below, depth + 1)
            except OSError as error:
                _complain(f"{os.fsdecode(below)}: {error.strerror}")
    finally:
        os.close(directory)


def _opened(file: _File) -> BinaryIO:
    """Raises OSError where it is none any more."""
    flags = os.O_RDONLY | os.O_NONBLOCK
    if file.directory is None:
        fd = os.open(file.name, flags)
    else:
        fd = os.open(file.name, flags | os.O_NOFOLLOW, dir_fd=file.directory)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(0, "no regular file")
    return open(fd, "rb", buffering=0)  # noqa: PTH123 - a descriptor


def _searched(file: BinaryIO, path: bytes, search: Matches, asked: Query) -> bool:
    """Prints what is found; whether anything was."""
    lines = 0
    last = 0
    before: deque[_Line] = deque(maxlen=asked.context)
    after = 0
    for line in _lines(file, search, every=asked.context > 0):
        if line.number == last:  # another piece of the same line
            continue
        if not line.matches:
            if after:
                after -= 1
                _print(_printed(path, line))
            else:
                before.append(line)
            continue
        lines, last = lines + 1, line.number
        if asked.mode is Mode.FILES:
            _print(path + b"\0")
            return True
        if asked.mode is Mode.CONTENT:
            for one in before:
                if one.number < line.number:
                    _print(_printed(path, one))
            _print(_printed(path, line))
            before.clear()
            after = asked.context
    if lines and asked.mode is Mode.COUNT:
        _print(b"%b\0%d\n" % (path, lines))
    return lines > 0


def _print(record: bytes) -> None:
    """At once: what was found is known when the time is over."""
    sys.stdout.buffer.write(record)
    sys.stdout.buffer.flush()


def _printed(path: bytes, line: _Line) -> bytes:
    separator = b":" if line.matches else b"-"
    text = line.text if len(line.text) <= LINE_BYTES else line.text[:LINE_BYTES] + _OMITTED
    return b"%b\0%d%b%b\n" % (path, line.number, separator, text)


def _lines(file: BinaryIO, search: Matches, *, every: bool) -> Iterator[_Line]:
    """Those that match, or every one and whether it does."""
    number = 1
    for text in _chunks(file):
        at = 0
        while at < len(text):
            match = search(text, at)
            if match is not None and match.start() == len(text) and text.endswith(b"\n"):
                match = None  # there is no line behind the last one's end
            start = len(text) if match is None else text.rfind(b"\n", 0, match.start()) + 1
            if every:
                for one in text[at:start].split(b"\n")[: text.count(b"\n", at, start)]:
                    yield _Line(number, one, False)
                    number += 1
            else:
                number += text.count(b"\n", at, start)
            if match is None:
                if every and not text.endswith(b"\n"):
                    yield _Line(number, text[text.rfind(b"\n") + 1 :], False)
                break
            end = text.find(b"\n", start)
            yield _Line(number, text[start : end if end >= 0 else len(text)], True)
            if end < 0:
                break
            number += 1
            at = end + 1


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """A file in pieces that end with a line, or have no line's end in them; to its first NUL."""
    rest = b""
    first = True
    while data := file.read(CHUNK):
        text = rest + (data.removeprefix(_BOM) if first else data)
        first = False
        if (nul := text.find(b"\0")) >= 0:
            rest = text[: text.rfind(b"\n", 0, nul) + 1]
            break
        end = text.rfind(b"\n") + 1
        if end or len(text) < CHUNK:
            whole, rest = text[:end], text[end:]
        else:
            whole, rest = text, b""
        if whole:
            yield whole.replace(b"\r\n", b"\n")
    if rest:
        yield rest.replace(b"\r\n", b"\n")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MemoryError:
        os.abort()  # as rg ends then
