"""Where this system's cgroup hierarchies are mounted, and which group a process is in.

Formats: cgroups(7), proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted tree of groups. `root`: the group that the mount point shows."""

    mount: Path
    root: str
    version: int

    def directory(self, group: str) -> Path | None:
        """The directory of a group, or None when it lies outside of what is mounted here."""
        relative = os.path.relpath(group, self.root)
        if relative.startswith(".."):
            return None
        return self.mount if relative == "." else self.mount / relative


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """`unified` is cgroup v2, `memory` the v1 memory controller; None where not mounted."""

    unified: Hierarchy | None
    memory: Hierarchy | None


def parse_mountinfo(text: str) -> Hierarchies:
    """The hierarchies that matter here; of several mounts of one the first counts."""
    unified = memory = None
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or len(kind) < 3 or not kind[0].startswith("cgroup"):
            continue
        root, mount = _unescape(fields[3]), Path(_unescape(fields[4]))
        if kind[0] == "cgroup2":
            unified = unified or Hierarchy(mount, root, 2)
        elif "memory" in kind[2].split(","):
            memory = memory or Hierarchy(mount, root, 1)
    return Hierarchies(unified, memory)


def parse_membership(text: str) -> dict[str, str]:
    """Group by controller from /proc/PID/cgroup; cgroup v2 is the empty controller."""
    groups: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, group = line.split(":", 2)
        # a process whose group was removed is shown with this suffix
        group = group.removesuffix(" (deleted)")
        for controller in controllers.split(","):
            groups[controller] = group
    return groups


def hierarchies() -> Hierarchies:
    """What is mounted here; nothing where there are no cgroups."""
    try:
        return parse_mountinfo(Path("/proc/self/mountinfo").read_text())
    except FileNotFoundError:
        return Hierarchies(None, None)


def group_of(pid: int | None, hierarchy: Hierarchy | None) -> Path | None:
    """The directory of the group that a process (None: this one) is in; None when it is gone or
    its group cannot be seen from here."""
    if hierarchy is None:
        return None
    try:
        text = Path(f"/proc/{pid or 'self'}/cgroup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    group = parse_membership(text).get("" if hierarchy.version == 2 else "memory")
    if group is None:
        return None
    directory = hierarchy.directory(group)
    return directory if directory is not None and directory.is_dir() else None


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
