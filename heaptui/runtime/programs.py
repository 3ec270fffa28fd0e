"""Finding the program a task names, before anything is queued for it."""

from __future__ import annotations

import os
from pathlib import Path

from heaptui.errors import Refused, UsageError

_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def directory(cwd: str) -> Path:
    """The task's directory, absolute.

    Raises:
        Refused: it does not exist, is something else, or may not be entered.
    """
    path = Path(cwd)
    if not path.is_absolute():
        raise UsageError(f"The directory {cwd[:200]!r} is not absolute.", "Give the whole path.")
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "does not exist"
        raise Refused(f"The directory {path} {what}.", "Make it, or name another with --cwd.")
    if not os.access(path, os.X_OK):
        raise Refused(
            f"The directory {path} may not be entered.", "Mend its permissions (chmod u+x)."
        )
    return path


def find(program: str, env: dict[str, str], cwd: Path) -> Path | None:
    """`program` on `env`'s PATH, or itself when it has a slash; None when there is none. Relative
    paths are the task's, not this process's."""
    return next((path for path in _candidates(program, env, cwd) if _runs(path)), None)


def require(program: str, env: dict[str, str], cwd: Path) -> Path:
    """As `find`.

    Raises:
        Refused: not found, not executable, or its #! line names no program.
    """
    found = find(program, env, cwd)
    if found is None:
        raise _missing(program, env, cwd)
    interpreter = _interpreter(found)
    if interpreter and not Path(cwd, interpreter).exists():
        raise Refused(
            f"{found} cannot be run: its first line names {interpreter}, which does not exist.",
            "Install that interpreter, or put one in front of the command.",
        )
    return found


def _candidates(program: str, env: dict[str, str], cwd: Path) -> list[Path]:
    if "/" in program:
        return [cwd / program]
    return [cwd / entry / program for entry in env.get("PATH", _DEFAULT_PATH).split(":")]


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _missing(program: str, env: dict[str, str], cwd: Path) -> Refused:
    there = next((path for path in _candidates(program, env, cwd) if path.exists()), None)
    if there is not None and there.is_dir():
        return Refused(f"{there} is a directory.", "Name the program in it.")
    if there is not None:
        return Refused(
            f"{there} is not executable.",
            f"chmod +x {there}, or put its interpreter in front of it.",
        )
    shown = program if len(program) <= 80 else program[:79] + "…"
    if "/" in program:
        return Refused(f"{cwd / shown} does not exist.", "Check the path, or --cwd.")
    if any(mark in program for mark in " |;&><$"):
        return Refused(
            f"Cannot find a program called {shown!r}.",
            "heaptui runs no shell by itself: for a line of shell write  sh -c 'LINE'.",
        )
    return Refused(
        f"Cannot find {shown!r} on the task's PATH ({env.get('PATH', _DEFAULT_PATH)[:400]}).",
        "Give its full path, or a PATH with --env PATH=…; shell builtins need  sh -c 'LINE'.",
    )


def _interpreter(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            first = file.read(256)
    except OSError:  # executable and not readable is allowed: the kernel needs no reading
        return None
    words = first.split(b"\n", 1)[0][2:].split() if first.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words else None
