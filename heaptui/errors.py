"""One family of errors: what happened, what it means, what to do; each with its exit code.

Exit codes of the command line (an interface: they do not change between releases)::

    0  done
    1  failed for a reason the message gives
    2  the command line itself is wrong
    3  no such task
    4  no supervisor answers
    5  refused: the request or the state directory cannot be served as it is
    6  the state directory cannot be read or written
    7  a file cannot be read as what it should be

`heaptui run --wait` exits with the task's own code, or 128 + n when signal n ended it.
"""

from __future__ import annotations


class HeaptuiError(Exception):
    """What happened, and what to do about it.

    `what` is one sentence; `remedy` says what the reader can do, possibly empty.
    """

    exit_code = 1
    kind = "failed"

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n{self.remedy}" if self.remedy else self.what


class UsageError(HeaptuiError):
    """A value that cannot be understood; the remedy names the accepted forms."""

    exit_code = 2
    kind = "usage"


class NoSuchTask(HeaptuiError):
    """The id, prefix or name fits no task, or more than one."""

    exit_code = 3
    kind = "no-such-task"


class Unreachable(HeaptuiError):
    """No supervisor answers on this state directory's socket."""

    exit_code = 4
    kind = "unreachable"


class Refused(HeaptuiError):
    """Understood, and not done: a limit too small, a foreign socket, a newer state directory."""

    exit_code = 5
    kind = "refused"


class StorageTrouble(HeaptuiError):
    """The disk is full, the database is damaged, or the directory cannot be written."""

    exit_code = 6
    kind = "storage"


class Unreadable(HeaptuiError):
    """A file that is not what it should be: missing, cut off, damaged, of another format."""

    exit_code = 7
    kind = "unreadable"


FAMILY: dict[str, type[HeaptuiError]] = {
    cls.kind: cls
    for cls in (
        HeaptuiError,
        UsageError,
        NoSuchTask,
        Unreachable,
        Refused,
        StorageTrouble,
        Unreadable,
    )
}
"""By `kind`, so that an error crosses the wire and is raised again as what it was."""
