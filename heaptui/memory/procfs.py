"""What /proc says about processes (Linux). Formats: proc(5).

`stat` alone is read each second: one descriptor for each process gives memory, CPU, parent and
state, for 6.5 ms of CPU a thousand processes. `statm` costs a third of that and says nothing of
CPU, parents or zombies, so that a scan every few seconds would have to make up for it.
"""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

from heaptui.memory.descriptors import Kept, read_small

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MARKER = b"HEAPTUI_TASK="

_STAT_SIZE = 1024
_STATUS_SIZE = 1 << 14
_FEW = 128

_FORK_NO_EXEC = 0x40
"""PF_FORKNOEXEC of include/linux/sched.h: forked, and no program executed since."""


class Stat(NamedTuple):
    """One look at a process. `start`: see `model.Identity`; `session` 0 where it is not known.
    `executed`: it has executed a program since it was forked, and left its parent's memory with
    that; False where nobody knows."""

    pid: int
    ppid: int
    session: int
    start: int
    rss_bytes: int
    cpu_s: float
    executed: bool = False


class Shared(NamedTuple):
    """How much of a process is its own: proportional and unique set size, and the resident set
    size that they were parts of, bytes."""

    pss_bytes: int | None
    uss_bytes: int
    rss_bytes: int


def parse_stat(pid: int, raw: bytes) -> Stat | None:
    """The fields of /proc/PID/stat; None for what is dead, waiting to be reaped, or a thread."""
    # the command may hold spaces and brackets, but nothing after it does
    fields = raw[raw.rindex(b")") + 2 :].split(None, 36)
    # a leader that ended before its threads is a zombie with more than one thread
    if fields[0] in b"ZXx" and int(fields[17]) <= 1:
        return None
    if fields[35] == b"-1":  # no signal to a parent: a thread looked up by its own id
        return None
    return Stat(
        pid,
        int(fields[1]),
        int(fields[3]),
        int(fields[19]),
        int(fields[21]) * PAGE,
        (int(fields[11]) + int(fields[12])) / TICKS_PER_S,
        not int(fields[6]) & _FORK_NO_EXEC,
    )


def parse_smaps_rollup(raw: bytes) -> Shared | None:
    """PSS, USS and RSS of /proc/PID/smaps_rollup; None when it is empty (a process on its way
    out)."""
    figures: dict[bytes, int] = {}
    for line in raw.splitlines()[1:]:
        name, _, value = line.partition(b":")
        figures[name] = int(value.split(None, 1)[0]) << 10
    if b"Pss" not in figures:
        return None
    unique = figures.get(b"Private_Clean", 0) + figures.get(b"Private_Dirty", 0)
    return Shared(figures[b"Pss"], unique, figures[b"Rss"])


def parse_anonymous(status: bytes) -> int | None:
    """Anonymous memory, swapped out or not, of /proc/PID/status (since Linux 4.5); None where that
    does not tell."""
    total = 0
    for name in (b"RssAnon:", b"VmSwap:"):
        _, found, rest = status.partition(name)
        if not found:
            return None
        total += int(rest.split(None, 1)[0]) << 10
    return total


def look(pid: int) -> Stat | None:
    """The living process with this pid, or None."""
    try:
        return parse_stat(pid, read_small(f"/proc/{pid}/stat", _STAT_SIZE))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


class ProcProbe:
    """One process, looked at again and again through a descriptor that cannot mean another."""

    __slots__ = ("_file", "_pid", "_start")

    def __init__(self, pid: int, start: int) -> None:
        self._pid = pid
        self._start = start
        self._file = Kept(f"/proc/{pid}/stat", _STAT_SIZE)

    def read(self) -> Stat | None:
        """None once it is dead, or when the pid came to mean another."""
        try:
            stat = parse_stat(self._pid, self._file.read())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        return stat if stat is not None and stat.start == self._start else None

    def shared(self) -> Shared | None:
        """PSS and USS now: walks the page tables, 0.05 to 0.3 ms for a small process. RSS is what
        `read` gives after the walk: the kernel's quick count is some pages beside the walk's."""
        try:
            shared = parse_smaps_rollup(read_small(f"/proc/{self._pid}/smaps_rollup"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        # not by the descriptor: whoever drops this process closes it, perhaps during the walk
        after = look(self._pid)
        return (
            shared
            if shared is None or after is None
            else shared._replace(rss_bytes=after.rss_bytes)
        )

    def anonymous(self) -> int | None:
        try:
            return parse_anonymous(read_small(f"/proc/{self._pid}/status", _STATUS_SIZE))
        except OSError:
            return None

    def anonymous_now(self) -> int:
        try:
            _, resident, files, _ = read_small(f"/proc/{self._pid}/statm", 128).split(None, 3)
        except OSError:
            return 0
        return (int(resident) - int(files)) * PAGE

    def close(self) -> None:
        self._file.close()


def probe(pid: int, start: int) -> ProcProbe | None:
    """A probe on this very process, or None when it is gone."""
    try:
        found = ProcProbe(pid, start)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    if found.read() is None:
        found.close()
        return None
    return found


def environment(pid: int) -> dict[str, str] | None:
    """The environment that it was executed with; only our own user's are readable, else None.

    Untrusted text: whoever executed it chose it.
    """
    raw = _environ(pid)
    if raw is None:
        return None
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if entry)
    return {
        name.decode(errors="replace"): value.decode(errors="replace") for name, _, value in pairs
    }


def marker(pid: int) -> str | None:
    """The value of HEAPTUI_TASK in its environment, or None; only our own user's are readable."""
    for entry in (_environ(pid) or b"").split(b"\0"):
        if entry.startswith(MARKER):
            return entry[len(MARKER) :].decode(errors="replace")
    return None


def executable(pid: int) -> str:
    """The path of the program that it runs, empty when that cannot be known."""
    try:
        return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")  # noqa: PTH115
    except OSError:  # gone, not for us to read, or the kernel's own
        return ""


def peak_rss(pid: int) -> int | None:
    """The most bytes that were ever resident of it (VmHWM); None when it is gone."""
    try:
        status = read_small(f"/proc/{pid}/status", _STATUS_SIZE)
    except OSError:
        return None
    _, found, rest = status.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) << 10 if found else None


def names_in_namespaces(pid: int) -> tuple[int, ...]:
    """Its pid as we see it, then as the namespaces below ours do, its own last (NSpid)."""
    try:
        status = read_small(f"/proc/{pid}/status", _STATUS_SIZE)
    except OSError:
        return ()
    _, _, rest = status.partition(b"NSpid:")
    return tuple(map(int, rest.split(b"\n", 1)[0].split()))


def _environ(pid: int) -> bytes | None:
    try:
        path = f"/proc/{pid}"
        if os.stat(path).st_uid != os.geteuid():  # noqa: PTH116 - once for each new process
            return None
        return Path(path, "environ").read_bytes()
    except OSError:  # gone, or not for us to read
        return None


def command(pid: int) -> str:
    """Its command line, arguments separated by spaces; a kernel-style [name] when it has none.

    Untrusted text: the process chooses it.
    """
    try:
        words = read_small(f"/proc/{pid}/cmdline").split(b"\0")
        text = b" ".join(words).decode(errors="replace").strip()
        return text or f"[{read_small(f'/proc/{pid}/comm').decode(errors='replace').strip()}]"
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


class ProcTable:
    """Which processes there are, and which are new since the last look.

    The last field of /proc/loadavg is the pid that was given out last: while it stands still no
    process was born, and when it moved a little only the pids between need looking at. That makes
    a fresh look cost microseconds instead of a scan.
    """

    def __init__(self) -> None:
        self._loadavg = Kept("/proc/loadavg", 128)
        self._last = 0
        mounts = Path("/proc/self/mountinfo").read_text()
        # a container manager that paints its own loadavg knows nothing of pids
        self._tells_last = " /proc/loadavg " not in mounts and self._last_pid() > 0

    def close(self) -> None:
        self._loadavg.close()

    def everything(self, known: Container[int]) -> list[Stat]:
        """Every living process whose pid is not in `known`, by pid."""
        self._last = self._last_pid()
        pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
        return [stat for pid in pids if pid not in known and (stat := look(pid)) is not None]

    def newcomers(self, known: Container[int]) -> list[Stat]:
        """Those born since the last look of either sort."""
        last, before = self._last_pid(), self._last
        if self._tells_last and last == before:
            return []
        if not self._tells_last or not before < last <= before + _FEW:
            return self.everything(known)
        self._last = last
        fresh = (pid for pid in range(before + 1, last + 1) if pid not in known)
        return [stat for pid in fresh if (stat := look(pid)) is not None]

    def _last_pid(self) -> int:
        return int(self._loadavg.read().rsplit(None, 1)[1])

    def look(self, pid: int) -> Stat | None:
        return look(pid)

    def probe(self, pid: int, start: int) -> ProcProbe | None:
        return probe(pid, start)

    def marker(self, pid: int) -> str | None:
        return marker(pid)

    def environment(self, pid: int) -> dict[str, str] | None:
        return environment(pid)

    def command(self, pid: int) -> str:
        return command(pid)

    def executable(self, pid: int) -> str:
        return executable(pid)
