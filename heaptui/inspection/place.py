"""The file that a foreign process writes its snapshot to: made by us, so that it is nobody else's.

It is there, empty and 0600, before the process is told its name: what the process opens is neither
a link that somebody laid there nor a file that somebody else is writing.
"""

from __future__ import annotations

import os
from pathlib import Path

from heaptui.errors import Refused
from heaptui.inspection.foreign import Foreign

_OTHERS = "Name another file."


def reserve(foreign: Foreign, path: Path) -> Path:
    """An empty file beside `path` (absolute), which this process may write; the caller removes it.

    Raises:
        Refused: something stands there, it cannot be made, or the process would write elsewhere.
    """
    part = path.with_name(f"{path.name}.part")
    if os.path.lexists(path):
        raise Refused(f"{path} is there already.", _OTHERS)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused(f"{part} is there already.", _OTHERS) from error
    except OSError as error:
        raise Refused(f"{part} cannot be made: {error.strerror}.", _OTHERS) from error
    try:
        if foreign.uid != os.getuid():  # root asks another user's process
            os.fchown(handle, foreign.uid, -1)
        if not _sees(foreign, part):
            raise Refused(
                f"Process {foreign.pid} has a file system of its own, without {path.parent}.",
                "Name a file in a directory that it shares with this one.",
            )
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return part


def keep(part: Path, path: Path) -> None:
    """Gives what was written its name, never over a file that came meanwhile.

    Raises:
        Refused: there is one, or nothing was written.
    """
    if not part.lstat().st_size:
        raise Refused(f"Nothing was written to {part}.")
    os.chown(part, os.getuid(), -1, follow_symlinks=False)
    try:
        os.link(part, path, follow_symlinks=False)
    except FileExistsError as error:
        raise Refused(f"{path} is there already.", _OTHERS) from error
    except OSError as error:  # a file system without links
        if os.path.lexists(path):
            raise Refused(f"{path} is there already.", _OTHERS) from error
        part.rename(path)


def _sees(foreign: Foreign, part: Path) -> bool:
    """Whether this name is the same file to the process as it is to us."""
    root = Path(f"/proc/{foreign.pid}/root")
    try:
        return part.samefile(root / part.resolve().relative_to("/"))
    except OSError:
        return False
