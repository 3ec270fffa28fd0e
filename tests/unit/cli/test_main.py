"""What an operator is told of errors, whatever they come wrapped in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heaptui.cli import listing
from heaptui.cli.main import main
from heaptui.errors import Refused


def test_a_group_of_errors_is_told_as_the_first_of_heaptuis_own(tmp_path, monkeypatch, capsys):
    def fails(*_: object, **__: object) -> None:
        raise ExceptionGroup("", [ExceptionGroup("", [Refused("No.", "Do.")])])

    monkeypatch.setattr(listing, "put_rows", fails)
    monkeypatch.setattr(sys, "argv", ["heaptui", "--state", str(tmp_path / "state"), "ps"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == Refused.exit_code
    assert capsys.readouterr().err == "heaptui: No.\n  Do.\n"


def test_a_group_that_nobody_foresaw_keeps_its_trace(tmp_path, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise ExceptionGroup("odd", [ValueError()])

    monkeypatch.setattr(listing, "put_rows", fails)
    monkeypatch.setattr(sys, "argv", ["heaptui", "--state", str(tmp_path / "state"), "ps"])
    with pytest.raises(ExceptionGroup, match="odd"):
        main()


def shell(tmp_path: Path, line: str, *argv: str) -> subprocess.CompletedProcess[bytes]:
    """`heaptui ARGV` as the shell starts it by `line`."""
    return subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-m", "heaptui", *argv],
        env={**os.environ, "HEAPTUI_STATE": str(tmp_path / "state")},
        capture_output=True,
        check=False,
    )


def test_what_is_told_to_a_closed_stderr_is_not_printed_to_stdout(tmp_path):
    (tmp_path / "a").write_text("text\n")
    done = shell(tmp_path, '"$@" 2>&-', "tool", "read", "--root", str(tmp_path), "a")
    assert (done.returncode, done.stdout) == (0, b"text\n")
    done = shell(tmp_path, '"$@" 2>&-', "tool", "read", "--root", str(tmp_path), "absent")
    assert (done.returncode, done.stdout) == (7, b"")


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path):
    standing = """
import os, sys
from heaptui.cli import main
def place(fd): return os.readlink(f"/proc/self/fd/{fd}")
main._run = lambda: print(place(0), place(2)) or 0
main.main()
"""
    done = subprocess.run(
        ["sh", "-c", '"$@" <&- 2>&-', "sh", sys.executable, "-c", standing],
        capture_output=True,
        check=False,
    )
    assert done.stdout.split() == [b"/dev/null"] * 2


def test_a_group_alone_shows_its_help(tmp_path):
    done = shell(tmp_path, '"$@"', "tool")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"Usage: ")
    assert done.stderr.rstrip().splitlines()[-1].split()[0] == b"write"


def test_an_option_without_its_value_names_no_wrong_command(tmp_path):
    done = shell(tmp_path, '"$@"', "tool", "grep", "x", "-g")
    assert done.returncode == 2
    assert b"'-g' requires an argument" in done.stderr
    assert b"`heaptui --help`" not in done.stderr
