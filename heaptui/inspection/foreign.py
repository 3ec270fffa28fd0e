"""Processes with a heap that heaptui did not start, and what can be done with each.

Nothing here touches a process: it is looked at in /proc (psutil elsewhere) alone.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from heaptui.errors import Refused
from heaptui.inspection import sockets
from heaptui.memory.identity import boot_id, identify
from heaptui.memory.procfs import MARKER
from heaptui.model import Identity
from heaptui.output import printable
from heaptui.wire import SOCKET_VARIABLE

YOUNGEST_S = 2.0
"""A signal that comes before Node has put its handler ends it."""

_RUNTIME = re.compile(r"(node|nodejs|deno|bun|python)(?:(\d+(?:\.\d+)?).*)?", re.IGNORECASE)
_INSPECT = re.compile(rb"--inspect(?:-brk|-wait|-port)?=(?:[^\s:]*:)?(\d+)|--debug-port=(\d+)")
_DEFAULT_PORT = 9229
_TASK_MAX = 40
_PRELOADED = SOCKET_VARIABLE.encode() + b"="
_OWN_SCRIPT = re.compile(r"(?:.*/)?(?:heaptui|heaptui/(?:warden/)?__main__\.py)")
_TAKES_A_WORD = ("-X", "-W")
"""Python's flags whose value may be a word of its own."""
_IS_STOPPED = "it is stopped, and answers nobody until a SIGCONT"
_OF_TASKS_ALONE = (
    "its child that writes one is prepared before the program begins: for heaptui's own tasks alone"
)
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


class Possible(Struct, frozen=True):
    """One thing that can be done with a process, and how; or why it cannot be."""

    verb: str
    how: str | None = None
    why: str | None = None


class Foreign(Struct, frozen=True, kw_only=True):
    """A process with a heap. `task` is set when it belongs to one of heaptui's own tasks and has
    the preload: that task's keys do the same and more. `version` where its file's name tells;
    `start` as in Identity."""

    pid: int
    start: int
    runtime: str
    command: str
    uid: int
    user: str
    rss_bytes: int
    age_s: float
    version: str | None = None
    task: str | None = None
    stopped: bool = False
    possible: tuple[Possible, ...] = ()

    @property
    def identity(self) -> Identity:
        return Identity(boot_id(), self.pid, self.start)

    def way(self, verb: str) -> Possible:
        return next((one for one in self.possible if one.verb == verb), Possible(verb))


def foreigners() -> list[Foreign]:
    """This user's processes with a heap (root: everybody's), largest first; heaptui's own left
    out: supervisors, wardens, screens, snapshot readers."""
    found = [look(pid) for pid in psutil.pids() if pid != os.getpid() and not _is_own(pid)]
    return sorted(filter(None, found), key=lambda one: -one.rss_bytes)


def look(pid: int) -> Foreign | None:
    """What this process is; None when there is none, it has no heap that we know, or it is another
    user's and we are not root."""
    # before all else: what is read of a later process of this pid is never done to that one
    identity = identify(pid)
    if identity is None:
        return None
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            argv, uid = process.cmdline(), process.uids().effective
            told = _runtime(_executable(process), argv)
            if told is None or os.getuid() not in (0, uid):
                return None
            runtime, version = told
            found = Foreign(
                pid=pid,
                start=identity.start,
                runtime=runtime,
                version=version,
                command=" ".join(argv) or process.name(),
                uid=uid,
                user=process.username(),
                rss_bytes=process.memory_info().rss,
                age_s=max(0.0, time.time() - process.create_time()),
                task=_task(pid),
                stopped=process.status() in _STOPPED,
            )
    except psutil.Error:  # gone, or not to be looked at by this user
        return None
    return _with_ways(found)


def inspect_port(pid: int) -> int:
    """On which port its inspector would listen, by its command line and NODE_OPTIONS."""
    port = _DEFAULT_PORT
    for name in ("environ", "cmdline"):
        try:
            raw = Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            continue
        for match in _INSPECT.finditer(raw):
            port = int(match[1] or match[2])
    return port


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for this signal; without one it would end it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def again(foreign: Foreign) -> Foreign:
    """The very process that was looked at, as it is now.

    Raises:
        Refused: it has ended since, or executed another program.
    """
    now = look(foreign.pid)
    if now is None or (now.start, now.runtime) != (foreign.start, foreign.runtime):
        raise Refused(
            f"Process {foreign.pid} has ended, or is another one by now.",
            "List them again with `heaptui inspect`.",
        )
    return now


def _executable(process: psutil.Process) -> str:
    try:
        return Path(process.exe()).name
    except (psutil.AccessDenied, OSError):
        return process.name()


def _runtime(executable: str, argv: list[str]) -> tuple[str, str | None] | None:
    for name in (executable, Path(argv[0]).name if argv else ""):
        match = _RUNTIME.fullmatch(name.removesuffix(" (deleted)"))
        if match:
            runtime = match[1].lower().removesuffix("js")
            return runtime, match[2] if runtime == "python" else None
    return None


def _is_own(pid: int) -> bool:
    try:
        return is_heaptui(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def is_heaptui(argv: list[str]) -> bool:
    """Whether a command line is that of heaptui itself: Python with its script or its module."""
    if not argv or _runtime(Path(argv[0]).name, argv[:1]) is None:
        return False
    words = iter(argv[1:])
    for word in words:
        if word == "-m":
            return next(words, "").partition(".")[0] == "heaptui"
        if word in _TAKES_A_WORD:
            next(words, "")
        elif not word.startswith("-"):
            return _OWN_SCRIPT.fullmatch(word) is not None
        elif word == "-c":
            return False
    return False


def _task(pid: int) -> str | None:
    """The task it belongs to; None too where it has no preload: that task's keys then do nothing
    for it."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    if not any(variable.startswith(_PRELOADED) for variable in variables):
        return None
    for variable in variables:
        if variable.startswith(MARKER):
            named = variable[len(MARKER) :].decode(errors="replace").partition(".")[0]
            return " ".join(printable(named[:_TASK_MAX]).split())
    return None


def _with_ways(one: Foreign) -> Foreign:
    match one.runtime:
        case "node":
            ways = _node_ways(one)
        case "python":
            ways = _python_ways(one)
        case _:
            why = f"{one.runtime} has an inspector of its own; heaptui reads Node's and Python's"
            ways = tuple(Possible(verb, why=why) for verb in ("heap", "gc", "snapshot"))
    return msgspec.structs.replace(one, possible=ways)


def _node_ways(one: Foreign) -> tuple[Possible, ...]:
    verbs = ("heap", "gc", "snapshot")
    why = _node_why_not(one)
    if why is not None:
        return tuple(Possible(verb, why=why) for verb in verbs)
    try:
        open_already = inspect_port(one.pid) in sockets.listening(one.pid)
    except OSError as error:
        return tuple(Possible(verb, why=f"it cannot be looked at: {error}") for verb in verbs)
    how = (
        "its inspector is open: used, and left open"
        if open_already
        else "SIGUSR1 opens its inspector (it says so on its stderr; a handler of the program's "
        "own gets the signal instead); closed again afterwards"
    )
    return tuple(Possible(verb, how=how) for verb in verbs)


def _node_why_not(one: Foreign) -> str | None:
    """Why Node's inspector must not, or cannot, be used; the order is that of the harm."""
    if not Path("/proc/self/status").exists():
        return "this system does not tell whether it handles SIGUSR1, which would end it otherwise"
    if one.stopped:
        return _IS_STOPPED
    try:
        if not sockets.same_network(one.pid):
            return "it lives in a network of its own: heaptui cannot reach its inspector"
        port = inspect_port(one.pid)
        if port in sockets.listening(one.pid):
            if sockets.connected(one.pid, port):
                return f"a debugger is attached to it already, on port {port}: left alone"
            return None
        if one.age_s < YOUNGEST_S:
            return f"it is {one.age_s:.1f} s old: a signal this early could end it; try again"
        if not catches(one.pid, signal.SIGUSR1):
            return "it has no handler for SIGUSR1: the signal would end it"
        if port and sockets.taken(one.pid, port):
            return f"its inspector's port {port} is taken by another process"
    except OSError as error:
        return f"it cannot be looked at: {error.strerror or error}"
    return None


def _python_ways(one: Foreign) -> tuple[Possible, ...]:
    remote = remote_exec_why_not(one)
    how = None if remote else "sys.remote_exec: it runs when its main thread reaches Python code"
    asked = (
        *(Possible(verb, how=how, why=remote) for verb in ("heap", "gc")),
        Possible("snapshot", why=remote or _OF_TASKS_ALONE),
    )
    spy = py_spy()
    stack = (
        Possible("stack", how="py-spy reads its stacks from outside, without stopping it for long")
        if spy
        else Possible("stack", why="py-spy is not installed: pip install py-spy")
    )
    return (*asked, stack)


def remote_exec_why_not(one: Foreign) -> str | None:
    """Why `sys.remote_exec` (PEP 768) cannot be used on it."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if one.stopped:
        return _IS_STOPPED
    if not hasattr(sys, "remote_exec"):
        return f"that needs Python 3.14 or newer on both sides; heaptui runs on {ours}"
    if one.version != ours:
        theirs = one.version or "an unknown version"
        return f"that needs the same Python on both sides: it is {theirs}, heaptui's is {ours}"
    return None


def py_spy() -> str | None:
    """Where py-spy is: beside our own interpreter, or on the PATH."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")
