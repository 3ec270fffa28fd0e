"""`heaptui tool`: stdout is what was found, stderr where to go on."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heaptui.cli.context import Context
from heaptui.cli.tools import WRITE_BYTES, tool
from heaptui.errors import HeaptuiError, Refused, Unreadable, UsageError

HEAPTUI = [sys.executable, "-m", "heaptui"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    (made / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 3001)))
    return made


@pytest.fixture
def run(tmp_path: Path, root: Path):
    context = Context(state_root=tmp_path / "state")

    def invoke(command: str, *words: str, stdin: bytes | None = None) -> Result:
        argv = [command, "--root", str(root), *words]
        return CliRunner().invoke(tool, argv, obj=context, input=stdin)

    return invoke


def said(result: Result) -> list[str]:
    assert result.exception is None, result.exception
    assert result.exit_code == 0
    return result.stderr.splitlines()


def refused(result: Result, kind: type[HeaptuiError], what: str) -> None:
    assert isinstance(result.exception, kind), result
    assert what in str(result.exception)
    assert result.stdout == ""


def shell(
    line: str, tmp_path: Path, root: Path, command: str, *words: str, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """The command as the shell starts it by `line`."""
    return subprocess.run(
        ["sh", "-c", line, "sh", *HEAPTUI, "tool", command, "--root", str(root), *words],
        env={**os.environ, "HEAPTUI_STATE": str(tmp_path / "state"), **environment},
        capture_output=True,
        check=False,
    )


def tag_in(lines: list[str]) -> str:
    (word,) = [line.removeprefix("tag ") for line in lines if line.startswith("tag ")]
    return word


def test_read_prints_the_lines_and_says_how_to_go_on(run) -> None:
    done = run("read", "a.txt", "--offset", "5", "--limit", "2")
    assert done.stdout == "line 5\nline 6\n"
    assert "go on with --offset 7" in said(done)[0]
    numbered = run("read", "a.txt", "--offset", "5", "--limit", "2", "--number")
    assert numbered.stdout == "     5\tline 5\n     6\tline 6\n"
    tail = run("read", "a.txt", "--tail", "--limit", "2")
    assert tail.stdout == "line 2999\nline 3000\n"
    assert said(tail)[0] == "lines 2999-3000 of 3,000 of a.txt, to its end"
    byte = run("read", "a.txt", "--byte", "5", "--max-bytes", "4")
    assert byte.stdout == "1\nli"
    assert "--byte 9" in said(byte)[0]


def test_read_as_json_is_the_answer(run) -> None:
    told = json.loads(run("read", "a.txt", "--limit", "1", "--json").stdout)
    assert (told["text"], told["first"], told["last"], told["next_line"]) == ("line 1\n", 1, 1, 2)
    assert told["stopped"] == "lines"
    # the tag is one that --expect takes
    tag = told["tag"]
    done = run("edit", "a.txt", "--old", "line 1\n", "--new", "1\n", "--expect", tag, "--json")
    assert json.loads(done.stdout)["replaced"] == 1
    again = run("edit", "a.txt", "--old", "line 2\n", "--new", "2\n", "--expect", tag)
    refused(again, Refused, "not as it was")


def test_json_is_utf_8_whatever_the_locale(tmp_path: Path, root: Path) -> None:
    (root / "word").write_text("h\xe4llo\n")
    child = shell('"$@"', tmp_path, root, "read", "word", "--json", PYTHONIOENCODING="ascii")
    assert json.loads(child.stdout)["text"] == "h\xe4llo\n"


def test_what_is_told_begins_a_line_of_its_own(tmp_path: Path, root: Path) -> None:
    (root / "open").write_text("no line end")
    both = shell('"$@" 2>&1', tmp_path, root, "read", "open")
    assert both.stdout.startswith(b"no line end\nline 1 of 1 of open")
    apart = shell('"$@"', tmp_path, root, "read", "open")
    assert apart.stdout == b"no line end"
    assert apart.stderr.startswith(b"line 1 of 1 of open")


def test_a_closed_stdin_is_refused(tmp_path: Path, root: Path) -> None:
    child = shell('"$@" <&-', tmp_path, root, "write", "new")
    assert child.returncode == Refused.exit_code
    assert b"Standard input is closed" in child.stderr
    assert not (root / "new").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_told_to_end_it_leaves_no_temporary_file(tmp_path: Path, root: Path, number: int) -> None:
    content = b"a line of thirty-two characters\n" * (8 << 20)
    (root / "large").write_bytes(content + b"the last\n")
    child = subprocess.Popen(
        [*HEAPTUI, "tool", "edit", "--root", str(root), "large", "--old", "the last", "--new", "x"],
        env={**os.environ, "HEAPTUI_STATE": str(tmp_path / "state")},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 30
        while not any(name.endswith(".tmp") for name in os.listdir(root)):
            assert time.monotonic() < deadline and child.poll() is None
        child.send_signal(number)
        _, words = child.communicate(timeout=30)
    finally:
        child.kill()
    assert (child.returncode, words) == (128 + number, b"")
    assert sorted(os.listdir(root)) == ["a.txt", "large"]
    assert (root / "large").stat().st_size == len(content) + 9


def test_piped_text_is_what_stands_in_the_file(run, root: Path) -> None:
    (root / "esc").write_bytes(b"\x1b[31mred\x1b[0m\x07\n")
    assert run("read", "esc").stdout_bytes == b"\x1b[31mred\x1b[0m\x07\n"


def test_on_a_terminal_it_is_harmless_and_numbered(tmp_path: Path, root: Path) -> None:
    (root / "esc").write_bytes(b"\x1b]0;title\x07red\x1b[2J\nnext\n")
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*HEAPTUI, "tool", "read", "--root", str(root), "esc"],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "HEAPTUI_STATE": str(tmp_path / "state")},
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 4096):
            seen += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert child.wait() == 0
    assert seen == b"     1  red\r\n     2  next\r\n"


def test_grep_prints_a_line_for_each_match(run) -> None:
    done = run("grep", r"line 10\d$")
    assert done.stdout.splitlines()[0] == "a.txt:100:line 100"
    assert said(done) == ["10 lines"]
    assert run("grep", "LINE 7$", "-i", "--mode", "count").stdout == "a.txt:1\n"
    assert run("grep", ".", "-F", "--mode", "files").stdout == ""
    assert said(run("grep", "absent")) == ["nothing found"]
    around = run("grep", "line 7$", "-C", "1", "a.txt").stdout.splitlines()
    assert around == ["a.txt-6-line 6", "a.txt:7:line 7", "a.txt-8-line 8"]
    assert run("grep", "line", "-g", "*.md").stdout == ""


def test_a_search_that_finds_too_much_is_kept_as_an_artifact(run) -> None:
    done = run("grep", "line")
    assert len(done.stdout.splitlines()) == 250
    notes = said(done)
    assert "--offset 250" in notes[0]
    name = re.search(r"artifact:[0-9a-f]{16}", notes[1])
    assert name
    after = run("read", name[0], "--offset", "251", "--limit", "1")
    assert after.stdout == "a.txt:251:line 251\n"
    assert name[0] in said(after)[0]
    assert run("grep", ":1999:", name[0]).stdout.endswith(":1999:a.txt:1999:line 1999\n")
    paged = run("grep", "line", "--offset", "250")
    assert paged.stdout.startswith("a.txt:251:line 251\n")


def test_list_names_what_is_there(run, root: Path) -> None:
    (root / "d").mkdir()
    done = run("list")
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["a.txt", "d/"]
    assert said(done) == [".: 1 files, 1 directories, 0 others"]
    assert json.loads(run("list", "--json").stdout)["files"] == 1


def test_write_makes_and_replaces_a_file(run, root: Path) -> None:
    made = run("write", "b.bin", "--create-only", stdin=b"\0\xff\r\n")
    assert (root / "b.bin").read_bytes() == b"\0\xff\r\n"
    assert said(made)[0] == "b.bin: made, 4 bytes"
    refused(run("write", "b.bin", "--create-only", stdin=b"x"), Refused, "is there already")
    again = run("write", "b.bin", "--expect", tag_in(said(made)), stdin=b"new")
    assert (root / "b.bin").read_bytes() == b"new"
    assert said(again)[0] == "b.bin: written, 3 bytes"
    stale = run("write", "b.bin", "--expect", tag_in(said(made)), stdin=b"x")
    refused(stale, Refused, "not as it was")
    assert (root / "b.bin").read_bytes() == b"new"
    refused(run("write", "no/such", stdin=b"x"), Unreadable, "is not there")
    said(run("write", "no/such", "--parents", stdin=b"x"))
    assert (root / "no" / "such").read_bytes() == b"x"


def test_more_than_is_written_at_once_is_refused(run, root: Path, tmp_path: Path) -> None:
    refused(run("write", "b", stdin=bytes(WRITE_BYTES + 1)), Refused, "64 MiB")
    assert not (root / "b").exists()


def test_edit_replaces_a_text_by_another(run, root: Path, tmp_path: Path) -> None:
    tag = tag_in(said(run("read", "a.txt", "--limit", "1")))
    done = run("edit", "a.txt", "--old", "line 7\n", "--new", "seven\n", "--expect", tag)
    assert said(done)[0].startswith("a.txt: 1 place changed, in line 7;")
    assert (root / "a.txt").read_text().splitlines()[6] == "seven"
    refused(run("edit", "a.txt", "--old", "line", "--new", "x"), Refused, "which is meant")
    refused(run("edit", "a.txt", "--old", "none", "--new", "x"), Refused, "does not have")
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("line 8\nline 9\n")
    new.write_text("eight and nine\n")
    said(run("edit", "a.txt", "--old-file", str(old), "--new-file", str(new)))
    assert (root / "a.txt").read_text().splitlines()[7] == "eight and nine"
    both = run("edit", "a.txt", "--old-file", "-", "--new-file", "-", stdin=b"x")
    refused(both, UsageError, "cannot come from stdin")
    said(run("edit", "a.txt", "--old-file", "-", "--new", "nine\n", stdin=b"eight and nine\n"))
    assert (root / "a.txt").read_text().splitlines()[7] == "nine"
    everywhere = run("edit", "a.txt", "--old", "line 1", "--new", "LINE 1", "--all", "--json")
    assert json.loads(everywhere.stdout)["replaced"] > 1000


@pytest.mark.parametrize(
    ("words", "kind", "what"),
    [
        (["read", "/etc/passwd"], Refused, "leads out of"),
        (["read", "absent"], Unreadable, "is not there"),
        (["read", "."], Refused, "is a directory"),
        (["read", "a.txt", "--tail", "--offset", "3"], UsageError, "--tail"),
        (["read", "a.txt", "--max-bytes", "many"], UsageError, "--max-bytes"),
        (["read", "a.txt", "--max-tokens", "x"], UsageError, "--max-tokens"),
        (["read", "artifact:0123456789abcdef"], Unreadable, "no artifact"),
        (["read", "artifact:../../a"], UsageError, "no artifact's id"),
        (["grep", "("], UsageError, ""),
        (["list", "a.txt"], Refused, "is no directory"),
        (["edit", "a.txt", "--old", "a"], UsageError, "--new"),
        (["edit", "a.txt", "--old", "a", "--old-file", "b", "--new", "c"], UsageError, "--old"),
        (["edit", "a.txt", "--old", "a", "--new-file", "absent"], Unreadable, "--new-file"),
        (["edit", "a.txt", "--old-file", ".", "--new", "b"], Unreadable, "read: Is a directory"),
        (["edit", "a.txt", "--old-file", "/dev/zero", "--new", "b"], Unreadable, "than 64 MiB"),
        (["edit", "a.txt", "--old-file", sys.executable, "--new", "b"], Unreadable, "no UTF-8"),
        (["edit", "a.txt", "--old", "a", "--new", "b", "--expect", "x"], UsageError, "no tag"),
        (["edit", "a.txt", "--read-only", "--old", "line 7\n", "--new", "b"], Refused, "cannot be"),
        (["write", "a.txt", "--read-only"], Refused, "cannot be changed"),
    ],
)
def test_what_cannot_be_done_is_refused(run, root: Path, words, kind, what) -> None:
    before = (root / "a.txt").read_bytes()
    refused(run(*words), kind, what)
    assert (root / "a.txt").read_bytes() == before


def test_a_workspace_that_is_not_there(run, root: Path) -> None:
    refused(run("read", "a.txt", "--root", str(root / "absent")), Unreadable, "absent")


def test_without_a_state_directory_nothing_is_kept_and_all_works(
    run, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file")
    done = run("grep", "line")
    assert len(done.stdout.splitlines()) == 250
    assert "Nothing is kept" in done.stderr
    assert "artifact" not in done.stderr
    refused(run("read", "artifact:0123456789abcdef"), Unreadable, "none are kept")


def test_reading_brings_in_no_heavy_part(tmp_path: Path, root: Path) -> None:
    listing = (
        "import sys\nfrom heaptui.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print(' '.join(sys.modules), file=sys.stderr)"
    )
    child = subprocess.run(
        [sys.executable, "-c", listing, "tool", "read", "--root", str(root), "a.txt"],
        env={"HEAPTUI_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(child.stderr.splitlines()[-1].split())
    assert "heaptui.tools.reading.read" in modules
    heavy = {"rich", "textual", "psutil", "sqlite3", "mcp", "anyio", "pydantic", "re2"}
    assert not heavy & modules
    parts = ("supervisor", "engine", "store", "server", "tui", "memory", "tools.grep", "mcp")
    assert not {f"heaptui.{part}" for part in parts} & modules
