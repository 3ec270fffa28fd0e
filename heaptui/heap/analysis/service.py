"""What the reader's process does: opens the files, then answers a question a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from heaptui.errors import HeaptuiError, Refused
from heaptui.heap import answers
from heaptui.heap.analysis.files import check, check_room

_FAST = ("numpy", "numba")
"""What the fast engine needs beyond what heaptui always has."""

Progress = Callable[[str, float], None]


class Engine(Protocol):
    """Loaded files. `answer` raises HeaptuiError where it has none."""

    headers: tuple[answers.Header, ...]

    def answer(self, question: answers.Question) -> object: ...


def serve(paths: Sequence[Path], *, anyway: bool, questions: Iterable[bytes], out: BinaryIO) -> int:
    """Loads and answers until there are no more questions. Returns the exit code."""

    def say(message: answers.FromReader) -> None:
        out.write(answers.encode(message) + b"\n")
        out.flush()

    def progress(phase: str, fraction: float) -> None:
        say(answers.Progress(phase=phase, fraction=min(1.0, max(0.0, fraction))))

    try:
        engine = _opened(paths, anyway=anyway, progress=progress)
    except HeaptuiError as error:
        say(_trouble(0, error))
        return error.exit_code
    except MemoryError:
        say(_trouble(0, _no_memory()))
        return Refused.exit_code
    say(answers.Opened(headers=engine.headers))
    for line in questions:
        asked = answers.decode_asked(line)
        say(_answered(engine, asked))
    return 0


def _answered(engine: Engine, asked: answers.Asked) -> answers.FromReader:
    try:
        found = engine.answer(asked.question)
        return answers.Answered(seq=asked.seq, answer=msgspec.Raw(answers.encode(found)))
    except HeaptuiError as error:
        return _trouble(asked.seq, error)
    except MemoryError:
        return _trouble(asked.seq, _no_memory())
    except Exception as error:  # noqa: BLE001  (told to who asked; the next question may do)
        asked_for = type(asked.question).__name__
        return _trouble(
            asked.seq,
            HeaptuiError(
                f"{asked_for} failed: {type(error).__name__}: {str(error)[:200]}.",
                "This is a defect of heaptui, or the snapshot is damaged.",
            ),
        )


def _trouble(seq: int, error: HeaptuiError) -> answers.Trouble:
    return answers.Trouble(seq=seq, kind=error.kind, what=error.what, remedy=error.remedy)


def _no_memory() -> Refused:
    return Refused(
        "The memory for this snapshot's graph could not be had.",
        "Free memory, or read the file on a host with more.",
    )


def _opened(paths: Sequence[Path], *, anyway: bool, progress: Progress) -> Engine:
    for path in paths:
        check(path)
    if all(find_spec(name) for name in _FAST):
        if not anyway:
            # before anything is imported: where memory is short, the libraries may not even start
            check_room(paths)
        try:
            # what brings the libraries in
            from heaptui.heap.analysis import compiled  # noqa: F401
        except ImportError:
            return _plain(paths, progress)
        from heaptui.heap.analysis.fast import Fast

        return Fast(paths, progress)
    return _plain(paths, progress)


def _plain(paths: Sequence[Path], progress: Progress) -> Engine:
    from heaptui.heap.analysis.plain.engine import Plain

    return Plain(paths, progress)
