"""The workers' own notes, read: see programs/evidence.py."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct


class Line(Struct, frozen=True):
    """One thing that an attempt did. `pid` is its leader's."""

    what: str
    unit: int
    attempt: int
    pid: int
    at: float


_decode = msgspec.json.Decoder(Line).decode


def read(path: Path) -> tuple[Line, ...]:
    """In the order in which it happened; none where the task never began.

    Raises:
        msgspec.DecodeError: somebody else wrote into it.
    """
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        return ()
    # a worker that was killed in the middle of a line has not done what the line was to say
    return tuple(_decode(line) for line in whole.split(b"\n")[:-1] if line.strip())
