"""A cgroup for each attempt: its cap, its members, its end.

What is possible is found by trying it: cgroup v2 with the memory controller, else v1's memory
controller, else none; and, whichever it is, a v2 group to know and to kill the members by, which
works even where memory is still on v1. All groups live below our own, as
`<own>/heaptui-<state key>/<task>.<attempt>`.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import subprocess
from pathlib import Path

from heaptui.memory import cgroup_files, cgroup_mounts, cgroup_v2, procfs
from heaptui.memory.cgroup_v1 import MemoryV1
from heaptui.memory.cgroup_v2 import MemoryV2
from heaptui.memory.group import Group
from heaptui.model import CapMeans

__all__ = ["Group", "Groups", "delegated_scope_argv", "probe"]

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TRIAL_CAP = 64 << 20
_LINGER = Path("/var/lib/systemd/linger")


class Groups:
    """The groups of one state directory. `means` is what enforces caps, `can_kill` whether the
    kernel ends a whole group at once, `detail` a sentence about it for the operator."""

    def __init__(
        self,
        name: str,
        *,
        tree: Path | None,
        memory: Path | None,
        means: CapMeans | None,
        can_kill: bool,
        detail: str,
    ) -> None:
        self._name = name
        self._tree = tree
        self._memory = memory
        self.means = means
        self.can_kill = can_kill
        self.detail = detail

    def create(self, task_id: str, attempt: int, cap_bytes: int | None) -> Group | None:
        """A group for a new attempt, capped; None where no group of any kind can be made now.

        Its `means` is None when only its members, not its memory, can be controlled.
        """
        name = _group_name(task_id, attempt)
        made = [home / name for home in self._homes() if _make(home / name, self.means)]
        group = self._assemble(made)
        if group is None or cap_bytes is None:
            return group
        try:
            group.set_cap(cap_bytes)
        except OSError:  # the limit was not taken: this group must not pass for a capped one
            group.close()
            for path in made:
                if path.parent == self._memory:
                    cgroup_files.remove(path)
            group = self._assemble([path for path in made if path.parent != self._memory])
        return group

    def reopen(self, task_id: str, attempt: int, pid: int | None = None) -> Group | None:
        """The group of an attempt that an earlier supervisor began, or None.

        With `pid`, the attempt's leader, it is found even when it was made below another group
        than ours (from another login).
        """
        name = _group_name(task_id, attempt)
        found = [home / name for home in self._homes() if (home / name).is_dir()]
        if not found and pid is not None:
            seen = cgroup_mounts.hierarchies()
            for hierarchy in (seen.unified, seen.memory):
                path = cgroup_mounts.group_of(pid, hierarchy)
                if path is not None and (path.parent.name, path.name) == (self._name, name):
                    found.append(path)
        return self._assemble(found)

    def sweep(self, keep: set[tuple[str, int]]) -> None:
        """Removes the empty groups of attempts that are not in `keep`."""
        for home in self._homes():
            for path in list(home.iterdir()) if home.is_dir() else []:
                task_id, _, attempt = path.name.rpartition(".")
                if path.is_dir() and attempt.isdecimal() and (task_id, int(attempt)) not in keep:
                    cgroup_files.remove(path)

    def close(self) -> None:
        """Removes the group of all groups when it is empty; it is made again when needed."""
        for home in self._homes():
            with contextlib.suppress(OSError):
                home.rmdir()

    def _homes(self) -> list[Path]:
        return list(dict.fromkeys(home for home in (self._tree, self._memory) if home is not None))

    def _assemble(self, directories: list[Path]) -> Group | None:
        if not directories:
            return None
        memory: MemoryV1 | MemoryV2 | None = None
        killer = None
        for directory in directories:
            with contextlib.suppress(FileNotFoundError):
                if (directory / "memory.current").exists():
                    memory = MemoryV2(directory)
                elif (directory / "memory.limit_in_bytes").exists():
                    memory = MemoryV1(directory)
            if (directory / "cgroup.kill").exists():
                killer = directory
        return Group(memory, tuple(directories), killer)


def probe(state_key: str, pid: int | None = None) -> Groups:
    """Finds what is possible below the group of a process (None: this one) by trying it.

    `state_key` names the state directory within a group name: letters, digits, `-` and `_`.
    Where the group is delegated to our user, its processes may be moved into a leaf below it.

    Raises:
        ValueError: the key would not do as a name.
    """
    if not _NAME.fullmatch(state_key):
        raise ValueError(f"{state_key!r} cannot be part of a cgroup's name")
    name = f"heaptui-{state_key}"
    seen = cgroup_mounts.hierarchies()
    tree, unified_memory, can_kill = None, False, False
    memory: Path | None = None
    means: CapMeans | None = None
    own = cgroup_mounts.group_of(pid, seen.unified)
    if own is not None:
        own = cgroup_v2.home_of(own)
        if _writable(own / name):
            tree = own / name
            unified_memory = cgroup_v2.enable_memory(
                own, name + cgroup_v2.LEAF, lambda other: _descends(other, {os.getpid(), pid})
            ) and _make_home(tree, CapMeans.CGROUP2)
            unified_memory, can_kill = _try_v2(tree, with_memory=unified_memory)
    if unified_memory:
        memory, means = tree, CapMeans.CGROUP2
    elif (own := cgroup_mounts.group_of(pid, seen.memory)) is not None and _try_v1(own / name):
        memory, means = own / name, CapMeans.CGROUP1
    return Groups(
        name,
        tree=tree,
        memory=memory,
        means=means,
        can_kill=can_kill,
        detail=_detail(
            means, can_kill=can_kill, mounted=seen != cgroup_mounts.Hierarchies(None, None)
        ),
    )


def delegated_scope_argv() -> list[str] | None:
    """What to put before a command so that it runs in a cgroup of its own that systemd delegates
    to us; None where that does not work. Tries it once, which takes up to some seconds.

    An ordinary user must linger: otherwise systemd ends everything below its user manager at the
    last logout, which is the very moment that work has to survive.
    """
    systemd_run = shutil.which("systemd-run")
    if systemd_run is None:
        return None
    whose = [] if os.geteuid() == 0 else ["--user"]
    if whose and not (_LINGER / getpass.getuser()).exists():
        return None
    argv = [systemd_run, *whose, "--scope", "--quiet", "--collect", "-p", "Delegate=yes", "--"]
    try:
        trial = subprocess.run(
            [*argv, "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return argv if trial.returncode == 0 else None


def _group_name(task_id: str, attempt: int) -> str:
    if not _NAME.fullmatch(task_id):
        raise ValueError(f"{task_id!r} cannot be a cgroup's name")
    return f"{task_id}.{attempt}"


def _make(path: Path, means: CapMeans | None) -> bool:
    try:
        _make_home(path.parent, means)
        path.mkdir(exist_ok=True)
    except OSError:  # cgroup.max.descendants, or the rights were taken away
        return False
    return True


def _make_home(home: Path, means: CapMeans | None) -> bool:
    """Whether groups below `home`, made if need be, get the memory controller of v2."""
    home.mkdir(exist_ok=True)
    if means is not CapMeans.CGROUP2:
        return False
    return cgroup_v2.enable_memory(home, "", lambda _: False)


def _writable(home: Path) -> bool:
    try:
        home.mkdir(exist_ok=True)
    except OSError:
        return False
    return True


def _try_v2(home: Path, *, with_memory: bool) -> tuple[bool, bool]:
    """Whether memory can be capped in a group below `home`, and whether it can be killed."""
    path = home / f"probe.{os.getpid()}"
    try:
        path.mkdir(exist_ok=True)
        capped = False
        if with_memory:
            memory = MemoryV2(path)
            try:
                memory.set_cap(_TRIAL_CAP)
                capped = True
            finally:
                memory.close()
    except OSError:
        capped = False
    can_kill = cgroup_v2.can_kill(path)
    cgroup_files.remove(path)
    return capped, can_kill


def _try_v1(home: Path) -> bool:
    path = home / f"probe.{os.getpid()}"
    try:
        home.mkdir(exist_ok=True)
        path.mkdir(exist_ok=True)
        memory = MemoryV1(path)
        try:
            memory.set_cap(_TRIAL_CAP)
        finally:
            memory.close()
    except OSError:
        return False
    finally:
        cgroup_files.remove(path)
    return True


def _descends(pid: int, ancestors: set[int | None]) -> bool:
    for _ in range(64):
        if pid in ancestors:
            return True
        stat = procfs.look(pid)
        if stat is None or stat.ppid <= 1:
            return stat is None  # gone meanwhile: nobody to move
        pid = stat.ppid
    return False


def _detail(means: CapMeans | None, *, can_kill: bool, mounted: bool) -> str:
    ending = (
        "the kernel ends a task's whole tree at once"
        if can_kill
        else ("a task's tree is ended process by process")
    )
    if means is CapMeans.CGROUP2:
        return f"cgroup v2 caps every task's memory, swap included; {ending}."
    if means is CapMeans.CGROUP1:
        return f"cgroup v1 caps every task's memory; {ending}."
    if not mounted:
        return "This system has no cgroups: caps are kept by process limits and a watchdog."
    remedy = (
        "run it where the memory cgroup is writable"
        if os.geteuid() == 0
        else f"an administrator can run: loginctl enable-linger {getpass.getuser()}"
    )
    return (
        f"No memory cgroup can be written here: caps are kept by process limits and a watchdog, "
        f"which a fast burst can overshoot; {ending}. For hard caps, {remedy}."
    )
