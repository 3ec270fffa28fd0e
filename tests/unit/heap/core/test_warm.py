"""Compiled once, kept where only this user can write, and said so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EVERY_LOOP = """
import importlib, pkgutil
import heaptui.heap.analysis as package
from heaptui.heap.analysis import warm

assert not warm.is_warm()
warm.main()
from numba.core.dispatcher import Dispatcher
for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
    if module.name.endswith("__main__") or ".python_" in module.name:
        continue
    for name, found in vars(importlib.import_module(module.name)).items():
        if isinstance(found, Dispatcher) and not found.signatures:
            print(module.name, name)
"""


def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@pytest.mark.slow
def test_every_loop_is_compiled_once_and_a_line_says_so(tmp_path: Path) -> None:
    first = run("-c", EVERY_LOOP, NUMBA_CACHE_DIR=str(tmp_path))
    assert first.returncode == 0, first.stderr
    assert first.stdout == ""
    assert "compiling the reader of heap snapshots (once)" in first.stderr

    second = run("-m", "heaptui.heap.analysis.warm", NUMBA_CACHE_DIR=str(tmp_path))
    assert (second.returncode, second.stderr) == (0, "")


SHOW = "from heaptui.heap.analysis.compiled import cache_dir; print(cache_dir())"


def test_the_cache_is_private(tmp_path: Path) -> None:
    told = run("-c", SHOW, XDG_CACHE_HOME=str(tmp_path), NUMBA_CACHE_DIR="")
    place = Path(told.stdout.strip())
    assert place.is_relative_to(tmp_path)
    assert place.stat().st_mode & 0o777 == 0o700


def test_where_the_cache_cannot_be_written_a_directory_of_the_users_own_is_taken(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    told = run(
        "-c", SHOW, XDG_CACHE_HOME=str(tmp_path / "file"), NUMBA_CACHE_DIR="", TMPDIR=str(tmp_path)
    )
    place = Path(told.stdout.strip())
    assert place == tmp_path / f"heaptui-{os.getuid()}" / "compiled"
    assert place.stat().st_mode & 0o777 == 0o700
