"""Where things are: the state directory, its files, the socket, the configuration.

Everything under the state directory is private: directories 0700, files 0600.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from heaptui.errors import Refused, StorageTrouble

SOCKET_PATH_MAX = 100
"""Bytes of a unix socket's path that fit on every supported system (the kernels end at 104-107)."""

_ESCAPED = re.compile(r"\\([0-7]{3})")
"""How mountinfo writes a space, a tab, a newline and a backslash (proc(5))."""

_NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "9p", "fuse.sshfs", "ceph", "glusterfs")
)


def _xdg(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / fallback


def default_state() -> Path:
    """`$HEAPTUI_STATE`, else `$XDG_STATE_HOME/heaptui`, else `~/.local/state/heaptui`."""
    chosen = os.environ.get("HEAPTUI_STATE")
    return Path(chosen) if chosen else _xdg("XDG_STATE_HOME", ".local/state") / "heaptui"


def config_file() -> Path:
    """`$HEAPTUI_CONFIG`, else `$XDG_CONFIG_HOME/heaptui/config.toml`."""
    chosen = os.environ.get("HEAPTUI_CONFIG")
    return Path(chosen) if chosen else _xdg("XDG_CONFIG_HOME", ".config") / "heaptui/config.toml"


@dataclass(frozen=True, slots=True)
class StateDir:
    """The files of one state directory. Nothing here touches the disk but `prepare`."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "heaptui.db"

    @property
    def journal(self) -> Path:
        return self.root / "warden.journal"

    @property
    def warden_log(self) -> Path:
        return self.root / "warden.log"

    @property
    def supervisor_log(self) -> Path:
        return self.root / "supervisor.log"

    @property
    def supervisor_lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def remembered(self) -> Path:
        """What the app remembers between runs: order, theme, the launch dialog's last values."""
        return self.root / "app.json"

    @property
    def runtimes(self) -> Path:
        """What runtimes answered about themselves, so that each is asked once."""
        return self.root / "runtimes.json"

    def socket(self, name: str) -> Path:
        """`supervisor`, `warden` or `worker`: in the state directory, or, where that path is too
        long, in the user's own 0700 directory under /tmp, keyed by the state directory's real
        path."""
        here = self.root / f"{name}.sock"
        if len(os.fsencode(here)) <= SOCKET_PATH_MAX:
            return here
        key = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path("/tmp") / f"heaptui-{os.getuid()}" / f"{key}-{name}.sock"

    def task(self, task_id: str) -> Path:
        return self.root / "tasks" / task_id

    def output(self, task_id: str, attempt: int) -> Path:
        """Where the attempt's stdout and stderr go, in the order they were written."""
        return self.task(task_id) / f"{attempt}.log"

    def checkpoint(self, task_id: str) -> Path:
        """The newest checkpoint of any of its attempts."""
        return self.task(task_id) / "checkpoint"

    def result(self, task_id: str) -> Path:
        """What its worker handed in."""
        return self.task(task_id) / "result"

    def own_result(self, task_id: str) -> Path:
        """What the worker of a task handed in before it was split."""
        return self.task(task_id) / "result.own"

    def done(self, task_id: str) -> Path:
        """The items that are finished, a line each, of every attempt."""
        return self.task(task_id) / "done"

    def slice(self, task_id: str) -> Path:
        """What is left to do for the attempt that runs, a line each."""
        return self.task(task_id) / "slice"

    def task_list(self, task_id: str) -> Path:
        """The part of a markdown task file that is a child's to do."""
        return self.task(task_id) / "tasks.md"

    def parts(self, task_id: str) -> Path:
        """Directory of the parts of files that are too large for one child."""
        return self.task(task_id) / "parts"

    def handover(self, task_id: str) -> Path:
        """What a worker needs to know of its place."""
        return self.task(task_id) / "handover.json"

    def reports(self, task_id: str, attempt: int) -> Path:
        """Directory of what the runtimes of an attempt write about their own death."""
        return self.task(task_id) / f"{attempt}.reports"

    @property
    def environments(self) -> Path:
        """The submitters' environments, kept for later attempts."""
        return self.root / "environments"

    def prepare(self) -> StateDir:
        """Makes the directories that are missing, 0700, and checks whose they are.

        Raises:
            Refused: the directory belongs to somebody else, is in use for something else, or lies
                on a network file system.
            StorageTrouble: it cannot be made or written.
        """
        try:
            root = self.root.expanduser().absolute()
            _refuse_shared(root)
            private(root)
            root = root.resolve()
            prepared = StateDir(root)
            private(root / "tasks")
            for name in ("supervisor", "warden", "worker"):
                private(prepared.socket(name).parent)
            with tempfile.TemporaryFile(dir=root):
                pass
        except (FileExistsError, NotADirectoryError) as error:
            raise StorageTrouble(
                f"The state directory {self.root} cannot be made: {error.filename} is a file.",
                "Name another one with --state DIR or HEAPTUI_STATE.",
            ) from error
        except OSError as error:
            raise StorageTrouble(
                f"The state directory {self.root} cannot be used: {error.strerror or error}.",
                "Free space or mend its permissions, or name another one with --state DIR.",
            ) from error
        kind = file_system(root)
        if kind in _NETWORK_FILE_SYSTEMS:
            raise Refused(
                f"The state directory {root} lies on a network file system ({kind}), "
                "where SQLite's write-ahead log is not safe.",
                "Name a local one with --state DIR or HEAPTUI_STATE.",
            )
        return prepared


def _refuse_shared(root: Path) -> None:
    """A directory that others may enter and that was not made for heaptui stays as it is: closing
    it would lock them out.

    Raises:
        Refused: `root` is one.
        OSError: it cannot be looked at.
    """
    try:
        mode = root.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode) or not mode & 0o077:
        return
    state = StateDir(root)
    ours = state.database.exists() or state.journal.exists()
    if not ours and (mode & stat.S_ISVTX or any(root.iterdir())):
        raise Refused(
            f"{root} is open to other users and holds other things; heaptui would close it.",
            f"Name a directory of heaptui's own: --state {root / 'heaptui'}.",
        )


def private(directory: Path) -> None:
    """Makes `directory` 0700 and its parents as usual; refuses one that is somebody else's.

    Raises:
        Refused: not a directory of this user.
        OSError: it cannot be made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat() if directory.parent == Path("/tmp") else directory.stat()
    if stat.S_ISLNK(status.st_mode):
        raise Refused(
            f"{directory} is a link in a directory where everybody may put one.",
            "Name a directory of your own with --state DIR or HEAPTUI_STATE.",
        )
    if status.st_uid != os.getuid():
        raise Refused(
            f"{directory} belongs to another user (uid {status.st_uid}).",
            "Name a directory of your own with --state DIR or HEAPTUI_STATE.",
        )
    if status.st_mode & 0o077:
        directory.chmod(0o700)


def file_system(path: Path) -> str | None:
    """The type of the file system that holds `path`, None where the system does not tell."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return None
    best, kind = "", None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), left.split(" ")[4])
        inside = point == "/" or str(path) == point or str(path).startswith(point + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split(" ")[0]
    return kind
