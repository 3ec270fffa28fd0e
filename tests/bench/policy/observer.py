"""What a session's processes hold together at most, looked at every 5 ms from a process of its own,
so that looking holds up nobody who is measured.

    python observer.py        a line `PID` begins with that leader, an empty one ends: prints bytes
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

LOOK_EVERY_S = 0.005
PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    for line in sys.stdin:
        leader, most = int(line), 0
        seen: dict[int, bool] = {}
        while not select.select([0], [], [], LOOK_EVERY_S)[0]:
            most = max(most, _held(leader, seen))
        sys.stdin.readline()
        print(most, flush=True)


def _held(leader: int, seen: dict[int, bool]) -> int:
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) not in seen:
            seen[int(name)] = _session(int(name)) == leader
    return sum(_own_pages(pid) for pid, member in seen.items() if member)


def _session(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[3])


def _own_pages(pid: int) -> int:
    """Resident bytes, less what it has from files."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * PAGE


if __name__ == "__main__":
    main()
