"""What of a task's inputs is done, and what is left: nothing twice, nothing forgotten."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from heaptui.errors import StorageTrouble, Unreadable
from heaptui.inputs import ITEMS_MAX, NAME_MAX, Inputs, Item, Source
from heaptui.splitting import markdown
from heaptui.splitting.known import Known
from heaptui.splitting.parts import path_of
from heaptui.splitting.plain import opened

LINE_MAX = 2 * NAME_MAX
"""Bytes of a line that can name anything: a path from the root on, and what is in front of it."""

BYTES_MAX = ITEMS_MAX * (LINE_MAX + 1)
"""Of the longest list there can be; what a worker writes beyond that is not read."""


class Left(NamedTuple):
    """Both in the order of the inputs, and together all of them."""

    left: tuple[Item, ...]
    done: tuple[Item, ...]


def read_done(path: Path) -> Iterator[str]:
    """The lines of a file of what is done, one at a time: a worker may have written anything there,
    and any amount of it. A missing file has none. A last line without its end does not count:
    whoever wrote it may not have finished it.

    Raises:
        StorageTrouble: it cannot be read.
    """
    try:
        with opened(path) as file:
            for line in _whole_lines(file.readline):
                if b"\0" not in line:  # else a torn one, ended so that it names nothing
                    yield line.rstrip(b"\r\n").decode(errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageTrouble(
            f"What is done cannot be read from {path}: {error.strerror or error}.",
            "Mend its permissions; nothing is divided before that is known.",
        ) from error


def _whole_lines(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """Those that end, and are short enough to name anything."""
    begins, read = True, 0
    while read < BYTES_MAX and (line := readline(LINE_MAX)):
        read += len(line)
        ends = line.endswith(b"\n")
        if begins and ends:
            yield line
        begins = ends


def ticked(inputs: Inputs, path: Path) -> frozenset[str]:
    """The names of the inputs whose boxes in that file are checked by now. What stands nested below
    a box does not matter: whoever checks it says that it is done. None, where they are no boxes or
    the file cannot be read."""
    if inputs.source is not Source.BOXES:
        return frozenset()
    try:
        checked = markdown.checked(markdown.read(path))
    except Unreadable:
        return frozenset()
    return checked & {item.name for item in inputs.items}


def remaining(inputs: Inputs, reported: Iterable[str], *, cwd: Path, parts: Path) -> Left:
    """What is done by what was reported: by an item's name; where they are files, by any spelling
    of the path from `cwd` on, or by the path of a part in the directory `parts`. A report that
    names nothing of these says nothing."""
    places = {item.name: place for place, item in enumerate(inputs.items)}
    spelt: dict[str, int] | None = None
    here = str(cwd.absolute())
    done = set()
    for text in reported:
        bare = text.strip()
        place = places.get(text, places.get(bare))
        if place is None and bare and inputs.source is Source.FILES:
            if spelt is None:
                spelt = _spellings(inputs.items, cwd, parts)
            place = spelt.get(_normal(here, bare))
        if place is not None:
            done.add(place)
    return Left(
        tuple(item for place, item in enumerate(inputs.items) if place not in done),
        tuple(item for place, item in enumerate(inputs.items) if place in done),
    )


def within(left: Iterable[Item]) -> Callable[[Item], bool]:
    """Whether an item is one of these, or a part of one of these."""
    known = Known(left)
    return lambda item: known.holding(item) is not None


def _spellings(items: Iterable[Item], cwd: Path, parts: Path) -> dict[str, int]:
    """Where the items are, by their absolute paths, through links in `cwd` and `parts` or not."""
    bases = {str(cwd.absolute()), os.path.realpath(cwd)}
    cut = {str(parts.absolute()), os.path.realpath(parts)}
    spelt: dict[str, int] = {}
    for place, item in enumerate(items):
        if item.of:
            name = path_of(parts, item).name
            spelt |= {_normal(base, name): place for base in cut}
        # a part has its file's path in its name
        spelt |= {_normal(base, item.name): place for base in bases}
    return spelt


def _normal(base: str, path: str) -> str:
    return os.path.normpath(f"{base}/{path}" if not path.startswith("/") else path)
