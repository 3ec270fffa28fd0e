"""A snapshot's reader: a process of its own that loads the files and answers questions.

    async with reader(path, progress=show) as snapshot:
        classes = await snapshot.ask(Summary())

It is the reader's process that holds the graph and the arrays; this side only speaks to it: a line
of JSON a question, a line an answer. It ends when the block is left, however it is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Any, overload

import msgspec

from heaptui.errors import FAMILY, HeaptuiError, Unreadable
from heaptui.heap import answers

_LINE_MAX = 32 << 20
"""Bytes of the longest answer: a thousand rows with long previews, or a large text in escapes."""
_LAST_WORDS = 4096


class Reader:
    """Loaded files that answer questions, one after the other. Made by `reader` alone."""

    def __init__(self, process: asyncio.subprocess.Process, words: IO[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._in = process.stdin
        self._out = process.stdout
        self._words = words
        self._turn = asyncio.Lock()
        self._seq = 0
        self.headers: tuple[answers.Header, ...] = ()

    @overload
    async def ask(self, question: answers.Summary) -> tuple[answers.ClassRow, ...]: ...
    @overload
    async def ask(
        self,
        question: answers.Objects
        | answers.Children
        | answers.Retainers
        | answers.Dominated
        | answers.Fresh,
    ) -> answers.Page: ...
    @overload
    async def ask(self, question: answers.Path) -> tuple[answers.ObjectRow, ...]: ...
    @overload
    async def ask(self, question: answers.Strings) -> tuple[answers.StringRow, ...]: ...
    @overload
    async def ask(self, question: answers.Find) -> answers.ObjectRow: ...
    @overload
    async def ask(self, question: answers.Value) -> str: ...
    @overload
    async def ask(self, question: answers.Diff) -> tuple[answers.DiffRow, ...]: ...
    @overload
    async def ask(self, question: answers.Leak) -> answers.LeakAnswer: ...

    async def ask(self, question: Any) -> Any:
        """The answer, as `answers.ANSWERS` types it. A question whose asker is cancelled is still
        worked on; its answer is passed over.

        Raises:
            HeaptuiError: it cannot be answered (nothing of that name or id, not by this engine).
            Unreadable: the reader's process has ended.
        """
        async with self._turn:
            self._seq += 1
            seq = self._seq
            with suppress(ConnectionError):
                # whoever has ended is noticed by the reading below, which knows why
                self._in.write(answers.encode(answers.Asked(seq, question)) + b"\n")
                await self._in.drain()
            while True:
                match await self._next():
                    case answers.Answered(seq=answered, answer=raw) if answered == seq:
                        return msgspec.json.decode(raw, type=answers.ANSWERS[type(question)])
                    case answers.Trouble(seq=answered) as trouble if answered == seq:
                        raise _raised(trouble)

    async def _open(self, progress: Callable[[str, float], None] | None) -> None:
        while True:
            match await self._next():
                case answers.Opened(headers=headers):
                    self.headers = headers
                    return
                case answers.Progress(phase=phase, fraction=fraction):
                    if progress is not None:
                        progress(phase, fraction)
                case answers.Trouble() as trouble:
                    raise _raised(trouble)

    async def _next(self) -> answers.FromReader:
        # not by a generator over lines: one that is cancelled would lose what it had read
        try:
            line = await self._out.readuntil(b"\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._ended() from error
        message: answers.FromReader = answers.decode_from_reader(line)
        return message

    async def _ended(self) -> HeaptuiError:
        code = await self._process.wait()
        if code == -signal.SIGKILL:
            return Unreadable(
                "The reader was killed while it read the snapshot: most likely memory ran out.",
                "Free memory, or copy the file to a host with more and run `heaptui heap` there.",
            )
        self._words.seek(max(0, os.fstat(self._words.fileno()).st_size - _LAST_WORDS))
        words = self._words.read().decode(errors="replace").strip()
        ending = f"signal {-code}" if code < 0 else f"exit code {code}"
        return Unreadable(
            f"The reader ended by {ending} before it had answered.",
            f"This is a defect of heaptui. Its last words: {words or 'none'}",
        )


@asynccontextmanager
async def reader(
    *paths: Path,
    progress: Callable[[str, float], None] | None = None,
    anyway: bool = False,
) -> AsyncIterator[Reader]:
    """One file, or two of which the first is the older, loaded and ready to be asked about.

    `progress` is told the phase and the fraction that is done while they load. `anyway` skips the
    check that the host's free memory suffices.

    Raises:
        Unreadable: no file, not a snapshot, cut off, of a newer format.
        Refused: it would take more memory than is free.
    """
    with tempfile.TemporaryFile() as words:
        process = await asyncio.create_subprocess_exec(
            # -P: the working directory is somebody's project, not a place for our imports
            sys.executable, "-P", "-m", "heaptui.heap.analysis", *(["--anyway"] * anyway),
            *(str(path.absolute()) for path in paths),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=words,
            start_new_session=True,
            limit=_LINE_MAX,
        )  # fmt: skip
        try:
            opened = Reader(process, words)
            await opened._open(progress)
            yield opened
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    # a second cancellation must not leave it behind unreaped
    ending = asyncio.ensure_future(process.wait())
    cancelled = False
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            cancelled = True
    if process.stdin is not None:
        process.stdin.close()
    if cancelled:
        raise asyncio.CancelledError


def _raised(trouble: answers.Trouble) -> HeaptuiError:
    return FAMILY.get(trouble.kind, HeaptuiError)(trouble.what, trouble.remedy)
