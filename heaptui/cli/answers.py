"""What the file tools answer, put where it belongs: what was found on stdout, what is told of it on
stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from heaptui.output import printable

if TYPE_CHECKING:
    from heaptui.tools.answers import Found, Listed, Tag, Text, Written


def put(text: str) -> None:
    """To a terminal harmless, to a pipe or a file as it is."""
    if sys.stdout.isatty():
        sys.stdout.write(printable(text))
        if text and not text.endswith("\n"):
            sys.stdout.write("\n")
        sys.stdout.flush()
        return
    sys.stdout.buffer.write(text.encode(errors="replace"))
    sys.stdout.buffer.flush()


def put_json(answer: Text | Found | Listed | Written, tag: Tag | None = None) -> None:
    """As UTF-8 whatever the locale, and `tag` as --expect takes it."""
    from heaptui.tools.workspace.tags import spelled

    fields = msgspec.to_builtins(answer)
    if tag is not None:
        fields["tag"] = spelled(tag)
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(fields)) + b"\n")
    sys.stdout.buffer.flush()


def tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(printable(line), file=sys.stderr)


def one_place() -> bool:
    """Whether stdout and stderr go to the same file or pipe, where what is told would stand on the
    last line of a text that does not end it. (A terminal is given the line's end in any case.)"""
    try:
        out, told = os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno())
    except OSError:  # neither is a file's
        return False
    return os.path.samestat(out, told) and not sys.stdout.isatty()
