"""Write: a file's contents given as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable

from heaptui.errors import Refused
from heaptui.tools.answers import Tag, Written
from heaptui.tools.giving_up import until
from heaptui.tools.reading.encoding import UTF8, detected
from heaptui.tools.reading.source import Cancelled
from heaptui.tools.replacing.copying import write_all
from heaptui.tools.replacing.places import place
from heaptui.tools.replacing.replacement import replace
from heaptui.tools.replacing.staleness import check_current, stale
from heaptui.tools.replacing.wording import (
    all_with_carriage_returns,
    encoded,
    is_all_text,
    with_carriage_returns,
)
from heaptui.tools.workspace.regular import BINARY_WITHIN
from heaptui.tools.workspace.root import Workspace, shown

_AT_ONCE = 1 << 20
_STAND_IN = "\ufffd"


def write(
    workspace: Workspace,
    path: str,
    content: bytes | str,
    *,
    expect: Tag | None = None,
    create_only: bool = False,
    parents: bool = False,
    cancelled: Cancelled | None = None,
) -> Written:
    """The file has these contents afterwards, or is as it was. Bytes are written as they are. A
    text takes over from the file that is there its encoding, its byte order mark and, where all of
    its lines end with `\\r\\n` and the text's with `\\n`, those; a new one is UTF-8.

    `expect` is the tag of the file as it was read; without it, any that is there is replaced.
    `create_only`: one that is there stays. `parents`: directories that miss are made.

    Raises:
        Refused: a read-only workspace, a path out of it, a read-only file or none
            that is regular, one that was changed or made meanwhile, or whose bytes that are no
            text would be lost; or `cancelled`.
        Unreadable: no such directory.
        UsageError: no path of a file, or a text that cannot be encoded.
        StorageTrouble: the disk is full or broken.
    """
    go_on = until(path, cancelled)
    with place(workspace, path, parents=parents) as found:
        if create_only and found.source is not None:
            raise Refused(
                f"{path!r} is there already. Nothing was changed.",
                "Read it, and change it; or write it without asking that it be new.",
            )
        if expect is not None:
            if found.source is None:
                raise stale(path, "it was deleted")
            check_current(path, expect, found.source, go_on)
        if found.source is not None:
            _check_stand_ins(path, found.source, content, go_on)
        data = content if isinstance(content, bytes) else _like(found.source, content)

        def fill(fd: int) -> None:
            for at in range(0, len(data), _AT_ONCE):
                go_on()
                write_all(fd, memoryview(data)[at : at + _AT_ONCE], at)

        done = replace(found, fill, go_on)
        return Written(
            path=shown(workspace.relative(path)),
            bytes=len(data),
            tag=done.tag,
            created=found.source is None,
            verified=done.verified,
            links=done.links,
        )


def _check_stand_ins(
    path: str, source: int, content: bytes | str, go_on: Callable[[], None]
) -> None:
    """Bytes that are no text are shown as U+FFFD: written back, they would be lost."""
    has_them = _STAND_IN in content if isinstance(content, str) else _STAND_IN.encode() in content
    if has_them and not is_all_text(source, detected(os.pread(source, BINARY_WITHIN, 0)), go_on):
        raise Refused(
            f"{path!r} has bytes that are no text, and what is to be written has U+FFFD, as which "
            "they are shown: they would be lost. Nothing was changed.",
            "Change the lines that are meant with Edit, which leaves all others as they are; or "
            "remove the file first, if none of it is to stay.",
        )


def _like(source: int | None, text: str) -> bytes:
    if source is None:
        return encoded(text, UTF8)
    head = os.pread(source, BINARY_WITHIN, 0)
    encoding = detected(head)
    if "\r\n" not in text and all_with_carriage_returns(source, encoding):
        text = with_carriage_returns(text)
    return head[: encoding.bom] + encoded(text.removeprefix("\ufeff"), encoding)
