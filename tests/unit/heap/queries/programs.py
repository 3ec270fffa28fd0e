"""Snapshots of real programs: Node's by every Node that is here, Python's by this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from heaptui import wire
from heaptui.heap.analysis.fast import Fast
from heaptui.runtime import node
from tests.integration.runtime.python_preload_stage import engine, running

LEAKS = Path(__file__).with_name("leaks")
WITHIN_S = 100


def nodes() -> list[Path]:
    """The system's and the wheel's; at least one there has to be."""
    found = [node.locate(dict(os.environ), Path.cwd()), node.wheel()]
    there = list(dict.fromkeys(one.resolve() for one in found if one is not None))
    assert there, "no Node: `make setup` installs one"
    return there


def leaked(
    program: Path, directory: Path, with_node: Path | None = None, entries: int = 5000
) -> tuple[Path, Path]:
    """Two snapshots of a program of LEAKS, between which it grew, beside a cache of `entries`."""
    if program.suffix == ".py":
        return _leaked_by_python(program, directory)
    files = directory / "first.heapsnapshot", directory / "second.heapsnapshot"
    subprocess.run(
        [str(with_node), str(LEAKS / "driver.mjs"), str(program), *map(str, files), str(entries)],
        check=True,
        timeout=WITHIN_S,
        stdin=subprocess.DEVNULL,
    )
    return files


def _leaked_by_python(program: Path, directory: Path) -> tuple[Path, Path]:
    driver = (LEAKS / "driver.py").read_text()
    files = directory / "first.heap", directory / "second.heap"
    with (
        engine(directory) as listening,
        running(sys.executable, driver, directory, LEAK=str(program)) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        worker = listening.accept()
        for file, word in zip(files, ("ready", "grown"), strict=True):
            assert process.stdout.readline() == f"{word}\n"
            for kind, fields in ((wire.Collect, {}), (wire.Snap, {"path": str(file)})):
                done, _ = worker.ask(kind, **fields)
                assert isinstance(done, wire.Done), done
            process.stdin.write("go on\n")
            process.stdin.flush()
    return files


def opened(*paths: Path) -> Fast:
    """In this process: the fast engine over the files."""
    return Fast(paths, lambda _phase, _fraction: None)
