"""From an order to the process that executes it."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterable

from heaptui.warden.journal import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

NOT_EXECUTED = 127
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)
"""By the warden, that is; a child begins without."""


def fork(order: Row, open_files: tuple[int, int], ours: Iterable[int]) -> tuple[int, int, int]:
    """A child that makes itself ready to execute the order, and does once it was let go.

    `ours` are descriptors that one which hangs before its exec must not hold open. Returns its pid,
    what `let_go` takes, and what `outcome_of` reads.

    Raises:
        OSError: there is no room for it.
    """
    pipes: list[int] = []
    try:
        pipes += os.pipe()
        pipes += os.pipe()
        pid = os.fork()
    except OSError:
        for end in pipes:
            os.close(end)
        raise
    go, letting_go, outcome, report = pipes
    if pid == 0:
        become(order, report, go, open_files, (letting_go, *ours))
    os.close(go)
    os.close(report)
    return pid, letting_go, outcome


def let_go(letting_go: int) -> None:
    try:
        os.write(letting_go, b"1")
    except BrokenPipeError:
        return  # it gave up; its outcome says why
    finally:
        os.close(letting_go)


def outcome_of(outcome: int) -> str | None:
    """Why the command could not be executed; None: it was. Waits for a child that lives."""
    said = os.read(outcome, 1 << 14).decode()
    os.close(outcome)
    return said or None


def become(
    order: Row, report: int, go: int, open_files: tuple[int, int], ours: Iterable[int]
) -> NoReturn:
    """In the child: turns this process into the ordered command, or reports why it cannot.

    Everything is made ready first; the command is executed only once a byte came over `go`. End of
    file there means that the start was not written down, or the warden died before it was.
    """
    step = "cannot begin a session"
    try:
        for descriptor in ours:
            os.close(descriptor)
        for number in IGNORED:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        for path in order.get("join") or ():
            step = f"cannot join the memory group {path!r}"
            put(path, b"0")
        if order.get("oom_score_adj") is not None:
            offer_to_oom(order["oom_score_adj"])
        step = f"cannot open the output {order['out']!r}"
        out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        step = f"cannot enter the directory {order['cwd']!r}"
        os.chdir(order["cwd"])
        os.dup2(out, 1)
        os.dup2(out, 2)
        step = "cannot set its limits"
        resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
        for name, limit in (order.get("rlimits") or {}).items():
            step = f"cannot set the limit {name} to {limit}"
            which = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(which)[1]
            least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            # the hard limit stays: a cap can then be raised while a snapshot is written
            resource.setrlimit(which, (least, hard))
        step = f"cannot execute {''.join(order['argv'][:1])!r}"
        if os.read(go, 1):
            execute(order["argv"], order["env"])
    except Exception as error:  # noqa: BLE001 (whatever it is, it is the task's outcome)
        why = getattr(error, "strerror", None) or error or type(error).__name__
        os.write(report, f"{step[:2000]}: {why}".encode(errors="replace"))
    finally:
        os._exit(NOT_EXECUTED)


def offer_to_oom(score: int) -> None:
    """Raises this process's OOM score to `score`, where the system has one and lets it be set."""
    path = "/proc/self/oom_score_adj"
    try:
        with open(path, "rb") as file:
            now = int(file.read())
        if now < score:
            put(path, b"%d" % score)
    except OSError:
        return


def put(path: str, value: bytes) -> None:
    file = os.open(path, os.O_WRONLY)
    os.write(file, value)
    os.close(file)


def execute(argv: list[str], env: dict[str, str]) -> None:
    """Executes by the PATH of `env`, or raises the OSError that says most about why it cannot."""
    name = argv[0] if argv else ""
    places = [""] if "/" in name else env.get("PATH", os.defpath).split(":")
    trouble = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for place in places:
        path = os.path.join(place, name)
        try:
            os.execve(path, argv, env)
        except (FileNotFoundError, NotADirectoryError) as error:
            if os.path.isfile(path):
                raise OSError(error.errno, "the interpreter that it names is missing") from error
        except PermissionError as error:
            trouble = error
    raise trouble
