"""What a task works through, as an operator names it: files, lines of a list, a markdown file."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from heaptui.errors import UsageError
from heaptui.inputs import ITEMS_MAX, NAME_MAX, Inputs, Item, Source
from heaptui.splitting import markdown
from heaptui.splitting.sizes import bytes_of, tokens_of

_BREAKS = frozenset("\n\r\0")


class Measured(NamedTuple):
    """Items with the sizes of now; `gone` are the names of those whose files are not there."""

    items: tuple[Item, ...]
    gone: tuple[str, ...]


def files(patterns: Sequence[str], cwd: Path) -> Inputs:
    """The files that paths and globs name, from `cwd` on: a pattern's in the order of their names,
    and a file that is named twice once. `**` is any number of directories; hidden files must be
    named as such. A path that is there is itself, whatever letters it has.

    Raises:
        UsageError: a pattern fits no file, a path is a directory, a name cannot be in a list, or
            they are too many.
    """
    found: dict[str, Item] = {}
    for pattern in patterns:
        for name, size in _matches(pattern, cwd):
            found.setdefault(_spelling(name), Item(name, tokens_of(size)))
            if len(found) > ITEMS_MAX:
                raise _too_many(f"{pattern!r} fits")
    inputs = Inputs(
        source=Source.FILES, items=tuple(found.values()), origin=" ".join(patterns)[:NAME_MAX]
    )
    check(inputs)
    return inputs


def from_lines(text: str, cwd: Path, origin: str) -> Inputs:
    """The lines of a list that are not empty, without blanks around them; a line that is there
    twice counts once. They are files when every one of them is, from `cwd` on.

    Raises:
        UsageError: none, too many, or one that cannot be a name.
    """
    lines = [line.strip() for line in text.removeprefix("\ufeff").split("\n")]
    # more than there may be are not looked at one by one on the disk
    names = list(islice(dict.fromkeys(filter(None, lines)), ITEMS_MAX + 1))
    if len(names) > ITEMS_MAX:
        raise _too_many(f"{origin} has")
    sizes = _sizes(names, cwd)
    if len(sizes) == len(names):
        spelt = {_spelling(name): name for name in reversed(names)}
        once = [name for name in names if spelt[_spelling(name)] == name]
        source, items = Source.FILES, [Item(name, tokens_of(sizes[name])) for name in once]
    else:
        source = Source.LINES
        items = [Item(name, tokens_of(len(name.encode(errors="replace")))) for name in names]
    inputs = Inputs(source=source, items=tuple(items), origin=origin)
    check(inputs)
    return inputs


def from_markdown(path: Path) -> Inputs:
    """The unchecked boxes of a markdown file; where it has no boxes at all, its sections.

    Raises:
        Unreadable: it is not there, is not text, or is too large.
        UsageError: it has neither, or all of its boxes are checked.
    """
    text = markdown.read(path)
    origin = str(path.absolute())
    boxes = markdown.boxes(text)
    if not boxes and markdown.checked(text):
        raise UsageError(
            f"Every box of {path} is checked: nothing of it is left to do.",
            "Uncheck what is to be done again: - [ ] what.",
        )
    sections = () if boxes else markdown.sections(text)
    if not boxes and not sections:
        raise UsageError(
            f"{path} names nothing to work through: it has neither open boxes nor headings.",
            "Write a box for each thing to do: - [ ] what.",
        )
    source = Source.BOXES if boxes else Source.SECTIONS
    inputs = Inputs(source=source, items=boxes or sections, origin=origin)
    check(inputs)
    return inputs


def check(inputs: Inputs) -> None:
    """Raises UsageError where they could not be kept, listed in a file, or told apart."""
    if not inputs.items:
        raise UsageError(
            "There is nothing to work through.", "Name files, a list or a markdown file."
        )
    if len(inputs.items) > ITEMS_MAX:
        raise _too_many("There are")
    seen: set[str] = set()
    for item in inputs.items:
        _check_name(item.name)
        if item.name in seen:
            raise UsageError(
                f"{item.name[:200]!r} is named twice.",
                "Name each thing once: what is done is told by its name.",
            )
        seen.add(item.name)
        if item.tokens < 0 or not _whole_or_part(item):
            raise UsageError(
                f"{item.name[:200]!r} is no part of a file, and not a whole one.",
                "A part has a file, and lines from 1 on, the last one not before the first; it is "
                "called file:first-last.",
            )


def measured(items: Sequence[Item], source: Source, cwd: Path) -> Measured:
    """Files with their sizes of now, one look at each. A part of a file keeps its size, and so does
    a file that cannot be looked at; what is no file stays as it is."""
    if source is not Source.FILES:
        return Measured(tuple(items), ())
    there: dict[str, int | None] = {}
    now, gone = [], []
    for item in items:
        path = item.of or item.name
        if path not in there:
            there[path] = _size_now(cwd / path, item)
        size = there[path]
        if size is None:
            gone.append(item.name)
        unchanged = size is None or item.of or (tokens := tokens_of(size)) == item.tokens
        now.append(item if unchanged else replace(item, tokens=tokens))
    return Measured(tuple(now), tuple(gone))


def _size_now(path: Path, item: Item) -> int | None:
    """Bytes; None when no such file is there."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return bytes_of(item.tokens)
    return None if stat.S_ISDIR(status.st_mode) else status.st_size


def _matches(pattern: str, cwd: Path) -> Iterable[tuple[str, int]]:
    """Names and bytes."""
    if pattern and "\0" not in pattern:
        path = cwd / pattern
        try:
            status = path.stat()
        except OSError:
            status = None
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise UsageError(
                f"{pattern!r} is a directory.",
                f"Name the files in it: {pattern.rstrip('/')}/** for all of them.",
            )
        if status is not None:
            return [(pattern, status.st_size)]
        names = list(islice(_files_of(pattern, cwd), ITEMS_MAX + 1))
        if len(names) > ITEMS_MAX:
            raise _too_many(f"{pattern!r} fits")
        if names:
            return sorted(names)
    raise UsageError(
        f"{pattern[:200]!r} fits no file in {cwd}.",
        "Name files or globs from the task's directory on: src/*.py, 'tests/**/*.ts'.",
    )


def _files_of(pattern: str, cwd: Path) -> Iterator[tuple[str, int]]:
    for name in glob.iglob(pattern, root_dir=cwd, recursive=True):  # noqa: PTH207 - names as given
        try:
            status = (cwd / name).stat()
        except OSError:
            continue  # a link to nothing, or gone since it was listed
        if stat.S_ISREG(status.st_mode):
            yield name, status.st_size


def _sizes(names: Sequence[str], cwd: Path) -> dict[str, int]:
    """Bytes of each; ends with the first that is no file."""
    sizes: dict[str, int] = {}
    for name in names:
        try:
            status = (cwd / name).stat()
        except (OSError, ValueError):
            return sizes
        if not stat.S_ISREG(status.st_mode):
            return sizes
        sizes[name] = status.st_size
    return sizes


def _spelling(name: str) -> str:
    return os.path.normpath(name)


def _whole_or_part(item: Item) -> bool:
    if not item.of:
        return item.first == item.last == 0
    named = item.name == f"{item.of}:{item.first}-{item.last}"
    return named and 1 <= item.first <= item.last


def _check_name(name: str) -> None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The name {ascii(name)[:200]} is not UTF-8.", "Rename it, or leave it out."
        ) from error
    if not name.strip() or not _BREAKS.isdisjoint(name):
        raise UsageError(
            f"{name[:200]!r} cannot be a line of a list.",
            "A name is one line that is not empty: rename it, or leave it out.",
        )
    if size > NAME_MAX:
        raise UsageError(
            f"{name[:80]!r}… is {size} bytes long.", f"A name has at most {NAME_MAX} bytes."
        )


def _too_many(what: str) -> UsageError:
    return UsageError(
        f"{what} more than {ITEMS_MAX:,} things to work through.",
        "Name fewer, or start several tasks.",
    )
