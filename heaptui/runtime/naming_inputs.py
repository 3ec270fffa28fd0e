"""What a task works through, as an operator names it: by patterns, by a list, or by a markdown
file of tasks; on the command line, in a task file, in the launch dialog."""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec import Struct

from heaptui.errors import Unreadable, UsageError
from heaptui.inputs import Inputs

STANDARD_INPUT = "-"

LIST_MAX = 64 << 20
"""Bytes of a list."""


class Named(Struct, frozen=True, kw_only=True):
    """At most one of the three says what it works through.

    `inputs` are paths and patterns, from the task's own directory on; nothing but heaptui expands
    them. `inputs_from` is the path of a list, a line each, `-` for standard input: of files, from
    the task's directory on, when all of its lines are, else of anything. `task_file` is the path of
    a markdown file: its unchecked boxes, else its headings.
    """

    inputs: tuple[str, ...] = ()
    inputs_from: str | None = None
    task_file: str | None = None


def read(named: Named, *, cwd: Path, base: Path, count: int = 1, where: str = "") -> Inputs | None:
    """What is named, looked up now; None where nothing is. `cwd` is the task's directory, `base`
    the one that the path of a list or of a task file starts from, `count` how many copies of the
    task are wanted, `where` the beginning of what is said about a mistake.

    Raises:
        UsageError: it is named twice or for copies, or is nothing to work through.
        Unreadable: the markdown file cannot be read.
    """
    given = [field for field in Named.__struct_fields__ if getattr(named, field) not in (None, ())]
    if not given:
        return None
    options = [field.replace("_", "-") for field in given]
    if len(given) > 1:
        raise UsageError(
            f"{where}{' and '.join(options)} each say what a task works through.",
            "Keep one of inputs, inputs-from and task-file.",
        )
    if count > 1:
        raise UsageError(
            f"{where}each of {count} copies would work through the same {options[0]}.",
            "Leave the count out: `heaptui split` divides a task among children.",
        )
    try:
        return _looked_up(named, cwd, base)
    except (UsageError, Unreadable) as error:
        raise type(error)(f"{where}{error.what}", error.remedy) from error


def _looked_up(named: Named, cwd: Path, base: Path) -> Inputs:
    from heaptui.splitting import listed

    if named.inputs:
        return listed.files(named.inputs, cwd)
    if named.task_file is not None:
        return listed.from_markdown(base / Path(named.task_file).expanduser())
    name = named.inputs_from or ""
    return listed.from_lines(_list(name, base), cwd, name)


def _list(name: str, base: Path) -> str:
    what = "Standard input" if name == STANDARD_INPUT else f"The list {name}"
    try:
        if name == STANDARD_INPUT:
            data = sys.stdin.buffer.read(LIST_MAX + 1)
        else:
            with (base / Path(name).expanduser()).open("rb") as file:
                data = file.read(LIST_MAX + 1)
    except OSError as error:
        raise UsageError(
            f"{what} cannot be read: {error.strerror or error}.",
            "Name a file with one item a line, or - for standard input.",
        ) from error
    if len(data) > LIST_MAX:
        raise UsageError(
            f"{what} is longer than {LIST_MAX >> 20} MB.", "Name fewer items for one task."
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{what} is not UTF-8 text: line {line}.",
            "Leave such names out, or rename the files.",
        ) from error
