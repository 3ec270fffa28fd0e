"""What a worker writes down: one line of JSON for each thing it did, on the disk before it goes on.

Appended, so that the order of the lines is the order of what happened, across attempts. A lock is
held on the file for as long as the attempt lives: who finds it taken is a second one beside it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time

BEGIN, UNIT, KEPT, RESULT, DRAINED, END, OVERLAP = (
    "begin", "unit", "kept", "result", "drained", "end", "overlap",
)  # fmt: skip


class Evidence:
    """Of one attempt; `key` is the task's in the soak's plan. `fd` can be inherited by those that
    shall count as the attempt as long as they live."""

    def __init__(self, path: str) -> None:
        self.attempt = int(os.environ.get("HEAPTUI_ATTEMPT", "0"))
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.tell(OVERLAP)

    def tell(self, what: str, unit: int = 0) -> None:
        """`begin`, `kept` and `drained` name the unit that is next, `unit` the one that is done,
        `end` the exit code."""
        line = {
            "what": what,
            "unit": unit,
            "attempt": self.attempt,
            "pid": os.getpid(),
            "at": time.time(),
        }
        os.write(self.fd, json.dumps(line).encode() + b"\n")
        os.fsync(self.fd)
