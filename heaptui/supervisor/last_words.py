"""What a process said when it died: the line of its output that names the reason."""

from __future__ import annotations

import signal
from pathlib import Path

from heaptui.output import printable, tail

_ABORTS = (signal.SIGABRT, signal.SIGTRAP)
_LOOKED_AT = 1 << 16
_LINES = 200
_MARKS = ("FATAL ERROR:", "Fatal process out of memory", "Fatal process OOM")


def last_words(output: Path, number: int | None) -> str | None:
    """The reason that V8 printed before it aborted, None where there is none.

    Without looking, None for any end but an abort: a program may print such a line and go on.
    """
    if number not in _ABORTS:
        return None
    try:
        lines = tail(output, _LINES, _LOOKED_AT).lines
    except OSError:
        return None
    for line in reversed(lines):
        for mark in _MARKS:
            if mark in line:
                return printable(line[line.index(mark) :])[:200]
    return None
