"""`heaptui mcp` where no client can speak: it says so, and does not wait for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ARGV = [sys.executable, "-m", "heaptui", "mcp"]


def said(done: subprocess.CompletedProcess[str], why: str) -> None:
    assert done.returncode == 5
    assert done.stdout == ""
    assert done.stderr.startswith(f"heaptui: {why}")
    assert "heaptui mcp --root DIR" in done.stderr


def run(argv: list[str], tmp_path: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        env={**os.environ, "HEAPTUI_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **options,
    )


@pytest.mark.parametrize("place", ["/dev/null", "/dev/zero", __file__])
def test_neither_a_pipe_nor_a_socket(tmp_path: Path, place: str) -> None:
    with Path(place).open("rb") as stdin:
        said(run(ARGV, tmp_path, stdin=stdin), "Standard input is neither a pipe nor a socket")


def test_a_closed_stdin(tmp_path: Path) -> None:
    closed = ["sh", "-c", '"$@" <&-', "sh", *ARGV]
    said(run(closed, tmp_path), "Standard input is closed")


def test_a_terminal(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    try:
        said(run(ARGV, tmp_path, stdin=theirs), "Standard input is a terminal")
    finally:
        os.close(ours)
        os.close(theirs)
