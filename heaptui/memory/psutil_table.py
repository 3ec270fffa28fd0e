"""Processes where there is no /proc, by psutil (macOS).

psutil's Process objects are kept: making one costs more than asking it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Container

import psutil

from heaptui.memory.procfs import MARKER, Shared, Stat

_PROC_PIDTBSDINFO, _BSDINFO_BYTES, _BSDINFO_START = 3, 136, 120  # macOS: sys/proc_info.h
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, ProcessLookupError)


def start_of(process: psutil.Process) -> int:
    """Creation time in microseconds since the epoch: `model.Identity.start` without /proc.

    On macOS the kernel's own figure, which the warden writes down too: psutil's moves with every
    adjustment of the clock.

    Raises:
        psutil.NoSuchProcess: it is gone, or another user's and hidden.
    """
    if sys.platform == "darwin":
        info = ctypes.create_string_buffer(_BSDINFO_BYTES)
        ask = ctypes.CDLL(None).proc_pidinfo
        if ask(process.pid, _PROC_PIDTBSDINFO, ctypes.c_uint64(0), info, _BSDINFO_BYTES) <= 0:
            raise psutil.NoSuchProcess(process.pid)
        seconds, micros = struct.unpack_from("=QQ", info, _BSDINFO_START)
        return int(seconds * 1_000_000 + micros)
    return round(process.create_time() * 1_000_000)


def look(process: psutil.Process) -> Stat | None:
    """The state of a living process, or None for one that is gone or waits to be reaped."""
    try:
        with process.oneshot():
            if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                return None
            times = process.cpu_times()
            return Stat(
                process.pid,
                process.ppid(),
                os.getsid(process.pid),
                start_of(process),
                process.memory_info().rss,
                times.user + times.system,
            )
    except (*_GONE, PermissionError):
        return None


class PsutilProbe:
    """One process; psutil itself notices when the pid came to mean another."""

    __slots__ = ("_process",)

    def __init__(self, process: psutil.Process) -> None:
        self._process = process

    def read(self) -> Stat | None:
        return look(self._process) if self._process.is_running() else None

    def shared(self) -> Shared | None:
        try:
            full = self._process.memory_full_info()
        except _GONE:
            return None
        pss = getattr(full, "pss", None)
        return Shared(pss, full.uss, full.rss)

    def anonymous(self) -> int | None:
        return None

    def anonymous_now(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing is held open."""


class PsutilTable:
    """Which processes there are, and which are new since the last look."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def close(self) -> None:
        self._seen.clear()

    def everything(self, known: Container[int]) -> list[Stat]:
        """Every living process whose pid is not in `known`, by pid."""
        self._seen.clear()
        return self.newcomers(known)

    def newcomers(self, known: Container[int]) -> list[Stat]:
        """Those with a pid that was not there at the last look."""
        pids = psutil.pids()
        fresh = [pid for pid in sorted(pids) if pid not in known and pid not in self._seen]
        self._seen = set(pids)
        return [stat for pid in fresh if (stat := self.look(pid)) is not None]

    def look(self, pid: int) -> Stat | None:
        try:
            return look(psutil.Process(pid))
        except _GONE:
            return None

    def probe(self, pid: int, start: int) -> PsutilProbe | None:
        try:
            process = psutil.Process(pid)
            return PsutilProbe(process) if start_of(process) == start else None
        except _GONE:
            return None

    def marker(self, pid: int) -> str | None:
        return (self.environment(pid) or {}).get(MARKER.decode().rstrip("="))

    def environment(self, pid: int) -> dict[str, str] | None:
        try:
            return psutil.Process(pid).environ()
        except (*_GONE, OSError):  # another user's, or protected by the system
            return None

    def command(self, pid: int) -> str:
        try:
            process = psutil.Process(pid)
            return " ".join(process.cmdline()) or f"[{process.name()}]"
        except _GONE:
            return ""

    def executable(self, pid: int) -> str:
        try:
            return psutil.Process(pid).exe()
        except _GONE:
            return ""
