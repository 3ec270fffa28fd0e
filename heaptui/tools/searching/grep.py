"""Grep: lines, files or counts, in a directory or one file, by a program that is kept in bounds.

What is guaranteed of links: the path is resolved beneath the workspace; below it the searcher
follows none. Should a directory be exchanged for a link just while it is being entered, the kernel
refuses what lies outside of the workspace (`confinement`: Linux with Landlock); where it cannot,
the searcher could be led out in that moment.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from heaptui.errors import StorageTrouble, Unreadable, UsageError
from heaptui.tools.answers import GREP_BYTES, GREP_LINES, WITHIN_S, Found, Stopped
from heaptui.tools.searching import searchers
from heaptui.tools.searching.child import (
    MEMORY_BYTES,
    Confined,
    Ended,
    followed,
    started,
)
from heaptui.tools.searching.page import Page
from heaptui.tools.searching.query import Mode, Query, query
from heaptui.tools.searching.records import Records
from heaptui.tools.searching.searchers import Searcher
from heaptui.tools.threads import waited_for
from heaptui.tools.workspace import regular
from heaptui.tools.workspace.root import Workspace, shown

LINES_MOST = 2000
BYTES_MOST = 4 << 20
_SKIPPED_MOST = 20
_SKIPPED_LETTERS = 300
_PREFIX = "rg: "
_TROUBLE = 2
"""The exit code for a pattern that is none, and for files that could not be searched."""


async def grep(
    workspace: Workspace,
    pattern: str,
    path: str = ".",
    *,
    mode: str = "content",
    globs: tuple[str, ...] = (),
    ignore_case: bool = False,
    fixed: bool = False,
    context: int = 0,
    offset: int = 0,
    limit: int = GREP_LINES,
    max_bytes: int = GREP_BYTES,
    within_s: float = WITHIN_S,
    searcher: Searcher | None = None,
) -> Found:
    """What is found from the `offset`-th line (of context too), file or count on, in the order of
    names; at most `limit` of them, `max_bytes` of names and text, and `within_s` seconds of work.
    `searcher`: another than the best that is here.

    When the caller is cancelled, the searcher has ended before this has.

    Raises:
        UsageError: the pattern or a glob is none, in the searcher's words, or a limit is.
        Refused: the path leads out of the workspace or is no file or directory; nothing can search.
        Unreadable: the path is not there, or may not be read.
        StorageTrouble: no process can be started.
    """
    asked = query(pattern, mode, globs, ignore_case=ignore_case, fixed=fixed, context=context)
    if not (offset >= 0 and 1 <= limit <= LINES_MOST and 1 <= max_bytes <= BYTES_MOST):
        raise UsageError(
            f"Not an offset from 0, with 1 to {LINES_MOST:,} lines and {BYTES_MOST:,} bytes: "
            f"{offset}, {limit}, {max_bytes}.",
            "Leave them out, or go on from next_offset.",
        )
    if not 0 < within_s <= 600:
        raise UsageError(f"{within_s} seconds are no time limit.", "Give it 1 to 600 seconds.")
    unwanted, let_go = os.pipe()
    search = asyncio.ensure_future(
        asyncio.to_thread(
            _search,
            workspace,
            path,
            asked,
            searcher=searcher,
            within_s=within_s,
            bounds=(offset, limit, max_bytes),
            unwanted=unwanted,
        )
    )
    try:
        # a moment to wait for: the child is killed, not asked
        return await waited_for(search, lambda: os.write(let_go, b"\0"))
    finally:
        os.close(let_go)
        os.close(unwanted)


def _search(
    workspace: Workspace,
    path: str,
    asked: Query,
    *,
    searcher: Searcher | None,
    within_s: float,
    bounds: tuple[int, int, int],
    unwanted: int,
) -> Found:
    began = time.monotonic()
    with ExitStack() as closing:
        fd, is_directory = _place(workspace, path)
        closing.callback(os.close, fd)
        named = _naming(workspace.relative(path), is_directory=is_directory)
        offset, limit, max_bytes = bounds
        page = Page(asked.mode, offset=offset, limit=limit, max_bytes=max_bytes, named=named)
        target = "." if is_directory else f"/dev/fd/{fd}"
        records = Records(target.encode(), lines=asked.mode is not Mode.FILES)
        by = searcher or searchers.best()
        readable = (fd, workspace.fileno())
        try:
            process = started(
                searchers.command(by, asked, target, readable),
                cwd=_path_of(fd) if is_directory else "/",
                env=by.env,
                keep=readable,
                confined=None if by.programs is None else Confined(by.programs, readable),
            )
        except OSError as error:
            raise StorageTrouble(
                f"No search could be started: {error.strerror}.", "Make room, and try again."
            ) from error

        def take(data: bytes) -> bool:
            return all(page.add(record) for record in records.feed(data))

        try:
            ended = followed(process, take, within_s=within_s, unwanted=unwanted)
        except ValueError as error:
            raise Unreadable(
                f"{by.name} printed what no search prints: {error}.", "Search for something else."
            ) from error
        records.close()
    return _answer(page, ended, records, by.name, named, time.monotonic() - began)


def _answer(
    page: Page,
    ended: Ended,
    records: Records,
    by: str,
    named: Callable[[bytes], str],
    seconds: float,
) -> Found:
    complaints = _complaints(ended.said)
    if ended.code == _TROUBLE and not page.printed_any and not _of_files(complaints):
        raise UsageError(
            f"{by} cannot search for that: {ended.said.strip().removeprefix(_PREFIX)}",
            "Mend the pattern, or search for it as a fixed string.",
        )
    stopped = page.full or ended.stopped or _killed(ended.code)
    more = page.full is not None or (stopped is Stopped.TIME and page.taken > 0)
    skipped = [f"{named(name)}: binary" for name in records.binary]
    skipped += [_renamed(one, named) for one in complaints]
    if ended.code == -signal.SIGBUS:
        skipped.append("a file was cut while it was searched: search again")
    if stopped is Stopped.MEMORY:
        skipped.append(
            f"the search was ended: it took more than {MEMORY_BYTES >> 20} MB, as for a line "
            "that is as long; look elsewhere, or read that file by bytes"
        )
    if len(skipped) > _SKIPPED_MOST:
        rest = len(skipped) - _SKIPPED_MOST + 1
        skipped[_SKIPPED_MOST - 1 :] = [f"and {rest} more"]
    return Found(
        mode=str(page.mode),
        by=by,
        stopped=stopped or Stopped.END,
        matches=tuple(page.matches),
        files=tuple(page.files),
        counts=tuple(page.counts),
        offset=page.offset,
        next_offset=page.next_offset if more else None,
        skipped=tuple(skipped),
        seconds=seconds,
    )


def _place(workspace: Workspace, path: str) -> tuple[int, bool]:
    """A descriptor of what is to be searched, and whether it is a directory."""
    try:
        return workspace.open_file(path, os.O_RDONLY | os.O_DIRECTORY), True
    except Unreadable as error:
        if not isinstance(error.__cause__, NotADirectoryError):
            raise
    return regular.opened(workspace, path), False


def _path_of(directory: int) -> str:
    """A name that leads to this very directory."""
    if sys.platform == "darwin":
        path = fcntl.fcntl(directory, fcntl.F_GETPATH, bytes(1024))
        return os.fsdecode(path.partition(b"\0")[0])
    return f"/proc/self/fd/{directory}"


def _naming(path: str, *, is_directory: bool) -> Callable[[bytes], str]:
    """What a name that was printed is called in the answer: from the workspace on."""
    above = os.path.normpath(path)

    def named(printed: bytes) -> str:
        if not is_directory:
            return shown(above)
        below = os.fsdecode(printed.removeprefix(b"./"))
        return shown(below if above == "." else f"{above}/{below}")

    return named


def _complaints(said: str) -> list[str]:
    return [
        line.removeprefix(_PREFIX)[:_SKIPPED_LETTERS]
        for line in said.splitlines()
        if line.startswith(_PREFIX)
    ]


def _of_files(complaints: Sequence[str]) -> bool:
    """Whether they begin with names, as rg's and RE2's do that are not of the pattern."""
    return bool(complaints) and complaints[0].startswith(("./", "/"))


def _renamed(complaint: str, named: Callable[[bytes], str]) -> str:
    name, colon, rest = complaint.partition(": ")
    return f"{named(os.fsencode(name))}{colon}{rest}" if colon else complaint


def _killed(code: int) -> Stopped | None:
    """What a signal means that was not ours."""
    if code in (-signal.SIGABRT, -signal.SIGKILL, -signal.SIGSEGV):
        return Stopped.MEMORY
    return Stopped.TIME if code == -signal.SIGXCPU else None
