"""What the sampler asks of a system's list of processes: answered by /proc or by psutil."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Protocol

from heaptui.memory.procfs import ProcTable, Shared, Stat


class Probe(Protocol):
    """One process, looked at again and again."""

    def read(self) -> Stat | None:
        """None once it is dead (or a zombie)."""

    def shared(self) -> Shared | None:
        """What is its own of the memory; None where that cannot be known."""

    def anonymous(self) -> int | None:
        """Bytes that no file stands behind, swapped out or not; None where that cannot be known."""

    def anonymous_now(self) -> int:
        """Those of them that are resident, at little cost; 0 where that cannot be known."""

    def close(self) -> None: ...


class Table(Protocol):
    """The processes of this machine."""

    def everything(self, known: Container[int]) -> list[Stat]:
        """Every living process whose pid is not in `known`, by pid."""

    def newcomers(self, known: Container[int]) -> list[Stat]:
        """Those born since the last call of `everything` or `newcomers`."""

    def look(self, pid: int) -> Stat | None: ...

    def probe(self, pid: int, start: int) -> Probe | None: ...

    def marker(self, pid: int) -> str | None:
        """The value of HEAPTUI_TASK in its environment."""

    def environment(self, pid: int) -> dict[str, str] | None:
        """What it was executed with: untrusted text; None when that cannot be known."""

    def command(self, pid: int) -> str:
        """Its command line: untrusted text."""

    def executable(self, pid: int) -> str:
        """The path of the program that it runs, empty when that cannot be known."""

    def close(self) -> None: ...


def this_machine() -> Table:
    """The processes of this machine, by the cheapest means it has."""
    if Path("/proc/self/stat").exists():
        return ProcTable()
    from heaptui.memory.psutil_table import PsutilTable

    return PsutilTable()
