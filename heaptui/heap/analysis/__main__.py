"""`python -m heaptui.heap.analysis [--anyway] FILE [FILE]`: the reader's process.

Speaks `heaptui.heap.answers` on its standard input and output, and is started by
`heaptui.heap.reader`. It ends when its input does.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

NICE = 5
_CHUNK = 1 << 16


def main() -> int:
    """Reads what its arguments name. Returns the exit code."""
    arguments = sys.argv[1:]
    anyway = arguments[:1] == ["--anyway"]
    paths = [Path(one) for one in arguments[anyway:]]
    if not 1 <= len(paths) <= 2:
        sys.stderr.write("usage: python -m heaptui.heap.analysis [--anyway] FILE [FILE]\n")
        return 2
    _give_way()
    # it would take memory for each processor, for what is never asked of it
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # whatever a library prints must not come between the answers
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    from heaptui.heap.analysis.service import serve

    return serve(paths, anyway=anyway, questions=_taken(lines), out=out)


def _read(lines: queue.SimpleQueue[bytes]) -> None:
    # not by sys.stdin: the interpreter cannot end while another thread reads from it
    rest = b""
    while chunk := os.read(0, _CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            lines.put(line)
    # nobody listens any more: also in the midst of loading
    os._exit(0)


def _taken(lines: queue.SimpleQueue[bytes]) -> Iterator[bytes]:
    while True:
        yield lines.get()


def _give_way() -> None:
    """The programs that are looked at go first: at the processor, and when memory runs out."""
    os.nice(NICE)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    sys.exit(main())
