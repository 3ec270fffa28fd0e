"""The five tools as whoever serves them calls them: one workspace, one place for what is kept.

No call blocks an event loop: each works in a thread (Grep in a process besides), and what it began
has ended when its caller is told so, cancelled or not. What an answer has no room for is spilled:
the answer names an artifact, which Read and Grep take for a path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from heaptui.errors import Refused, StorageTrouble, Unreadable
from heaptui.tools import telling
from heaptui.tools.answers import (
    GREP_BYTES,
    GREP_LINES,
    LIST_ENTRIES,
    READ_BYTES,
    READ_TOKENS,
    Artifact,
    Found,
    Listed,
    Stopped,
    Tag,
    Text,
    Written,
)
from heaptui.tools.artifacts import shelf
from heaptui.tools.listing import list_directory
from heaptui.tools.reading.index import Indexes
from heaptui.tools.reading.read import read
from heaptui.tools.reading.source import Cancelled
from heaptui.tools.threads import in_thread
from heaptui.tools.workspace.root import Workspace

# what Read does not need is imported when it is asked for: a shell starts this for each call

LIST_BYTES = READ_BYTES
"""Of one listing's lines."""


class Tools:
    """`artifacts` is the directory of what was spilled (None: nothing is, and what follows is only
    reached by going on), `indexes` that of where lines are (None: kept in memory alone).

    Each call raises what its tool raises. Closing it closes the workspace.
    """

    def __init__(
        self, workspace: Workspace, *, artifacts: Path | None = None, indexes: Path | None = None
    ) -> None:
        self.workspace = workspace
        self._artifacts = artifacts
        self._indexes = Indexes(indexes)
        self._changing = asyncio.Lock()
        """One change at a time: of two at once in one file, the second would be refused for what
        it was asked beside."""

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        writable: bool,
        artifacts: Path | None = None,
        indexes: Path | None = None,
    ) -> Self:
        """As Workspace.open."""
        workspace = Workspace.open(root, writable=writable)
        return cls(workspace, artifacts=artifacts, indexes=indexes)

    def close(self) -> None:
        self.workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def read(
        self,
        path: str,
        *,
        offset: int | None = None,
        limit: int | None = None,
        start_byte: int | None = None,
        max_bytes: int = READ_BYTES,
        max_tokens: int = READ_TOKENS,
    ) -> Text:
        """Lines, or bytes, of a file or an artifact: read.read."""
        with self._place(path) as (workspace, name):
            text = await in_thread(
                lambda cancelled: read(
                    workspace,
                    name,
                    offset=offset,
                    limit=limit,
                    start_byte=start_byte,
                    max_bytes=max_bytes,
                    max_tokens=max_tokens,
                    index=self._indexes,
                    cancelled=cancelled,
                )
            )
        return text if workspace is self.workspace else replace(text, path=path)

    async def grep(
        self,
        pattern: str,
        path: str = ".",
        *,
        mode: str = "content",
        globs: tuple[str, ...] = (),
        ignore_case: bool = False,
        fixed: bool = False,
        context: int = 0,
        offset: int = 0,
    ) -> Found:
        """What a search finds: grep.grep. The answer has as much of it as one may; what comes after
        is in its artifact, up to grep.LINES_MOST and BYTES_MOST."""
        from heaptui.tools.searching.grep import BYTES_MOST, LINES_MOST, grep

        spills = self._artifacts is not None
        with self._place(path) as (workspace, name):
            found = await grep(
                workspace,
                pattern,
                name,
                mode=mode,
                globs=globs,
                ignore_case=ignore_case,
                fixed=fixed,
                context=context,
                offset=offset,
                limit=LINES_MOST if spills else GREP_LINES,
                max_bytes=BYTES_MOST if spills else GREP_BYTES,
            )
        if workspace is not self.workspace:
            found = _of_one_file(found, path)
        return await in_thread(lambda _: self._short_enough(found))

    async def list(self, path: str = ".", *, limit: int = LIST_ENTRIES) -> Listed:
        """What is in a directory: listing.list_directory. At most LIST_BYTES as lines; the others
        of them are in its artifact."""

        def listed(cancelled: Cancelled) -> Listed:
            found = list_directory(self.workspace, path, limit=limit, cancelled=cancelled)
            lines = [telling.entry_line(entry) for entry in found.entries]
            fit = _fitting(lines, LIST_BYTES)
            if fit == len(lines):
                return found
            return replace(
                found,
                entries=found.entries[:fit],
                stopped=Stopped.BYTES,
                artifact=self._spilled(lines),
            )

        return await in_thread(listed)

    async def write(
        self,
        path: str,
        content: bytes | str,
        *,
        expect: Tag | None = None,
        create_only: bool = False,
        parents: bool = False,
    ) -> Written:
        """A file with these contents: write.write."""
        from heaptui.tools.replacing.write import write

        async with self._changing:
            return await in_thread(
                lambda cancelled: write(
                    self.workspace,
                    path,
                    content,
                    expect=expect,
                    create_only=create_only,
                    parents=parents,
                    cancelled=cancelled,
                )
            )

    async def edit(
        self, path: str, old: str, new: str, *, everywhere: bool = False, expect: Tag | None = None
    ) -> Written:
        """A text in a file replaced by another: edit.edit."""
        from heaptui.tools.replacing.edit import edit

        async with self._changing:
            return await in_thread(
                lambda cancelled: edit(
                    self.workspace,
                    path,
                    old,
                    new,
                    all=everywhere,
                    expect=expect,
                    cancelled=cancelled,
                )
            )

    @contextmanager
    def _place(self, path: str) -> Iterator[tuple[Workspace, str]]:
        """The workspace that `path` is in, and its name there."""
        artifact_id = telling.artifact_id(path)
        if artifact_id is None:
            yield self.workspace, path
            return
        if self._artifacts is None:
            raise Unreadable(f"There is no {path}: none are kept here.", "Run the search again.")
        file = shelf.find(self._artifacts, artifact_id)
        with Workspace.open(self._artifacts) as workspace:
            yield workspace, file.name

    def _short_enough(self, found: Found) -> Found:
        lines = list(telling.found_lines(found))
        fit = min(GREP_LINES, _fitting(lines, GREP_BYTES))
        if fit >= len(lines):
            return found
        return replace(
            found,
            matches=found.matches[:fit],
            files=found.files[:fit],
            counts=found.counts[:fit],
            stopped=Stopped.LINES if fit == GREP_LINES else Stopped.BYTES,
            next_offset=found.offset + fit,
            artifact=self._spilled(lines),
        )

    def _spilled(self, lines: Iterable[str]) -> Artifact | None:
        """None where nothing can be kept: what was found is answered all the same."""
        if self._artifacts is None:
            return None
        content = (f"{line}\n".encode(errors="replace") for line in lines)
        try:
            return shelf.spill(self._artifacts, content, parts=shelf.Parts.HEAD)
        except (Refused, StorageTrouble):
            return None


def _of_one_file(found: Found, path: str) -> Found:
    """What was found in one file, called as whoever asked called it."""
    return replace(
        found,
        matches=tuple(replace(match, path=path) for match in found.matches),
        files=(path,) * len(found.files),
    )


def _fitting(lines: Iterable[str], most: int) -> int:
    """How many of them are no more than `most` bytes together; one at least."""
    fit = room = 0
    for line in lines:
        room += len(line.encode(errors="replace")) + 1
        if fit and room > most:
            break
        fit += 1
    return fit
