"""`heaptui heap` on real files: what it prints, and what it says of files that are none."""

from __future__ import annotations

import errno
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.operating import said, wait_until
from tests.unit.heap.core.hand_made import Drawing, write
from tests.unit.heap.queries.programs import LEAKS, leaked, nodes

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mName\r\n\u202e"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    (with_node, *_) = nodes()
    first, second = leaked(LEAKS / "instance_field.cjs", tmp_path_factory.mktemp("pair"), with_node)
    return str(first), str(second)


def drawing(name: str = "Thing") -> Drawing:
    made = Drawing()
    top = made.root()
    made.edge(top, made.node(name, size=64), name)
    made.edge(top, made.node(name, "string", 32), "text")
    made.edge(top, made.node(name, "closure", 32), "function")
    return made


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "small.heapsnapshot", drawing().document())


# --- what it prints ------------------------------------------------------------------------------
def test_summary(heaptui, pair):
    done = heaptui("heap", "summary", pair[1], "-n", "5")
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["CLASS", "COUNT", "SHALLOW", "RETAINED", "SHARE", "DISTANCE"]
    assert len(rows) == 5
    assert "DevTools splits them" in done.stderr or "Object" not in done.stdout
    told = heaptui.told("heap", "summary", pair[1], "--match", "session", "--order", "count")
    assert {"Session"} <= {row["name"] for row in told}
    (session,) = [row for row in told if row["name"] == "Session"]
    assert session["count"] == 1
    assert session["retained"] > 500_000 > session["shallow"]
    assert 0 < session["share"] < 1
    assert session["distance"] > 1


def test_diff_and_the_leak_in_words(heaptui, pair):
    rows = {row["name"]: row for row in heaptui.told("heap", "diff", *pair)}
    assert rows["Object"]["delta"] == 4000
    done = heaptui("heap", "diff", *pair, "-n", "2")
    assert done.stdout.splitlines()[0].startswith("CLASS")
    leak = heaptui.told("heap", "diff", "--leak", *pair)
    assert "session.turns" in leak["holder"]
    done = heaptui("heap", "diff", "--leak", *pair)
    assert "`session.turns`, module-level variable `session`" in done.stdout
    assert "instance_field.cjs" in done.stdout
    assert "(closure) session" in done.stdout


def test_nothing_differs_from_itself(heaptui, pair):
    done = heaptui("heap", "diff", pair[0], pair[0])
    assert (done.returncode, done.stdout) == (0, "")
    assert "no class differs" in done.stderr


def test_the_wrong_order_is_noticed(heaptui, pair, tmp_path):
    older, newer = (tmp_path / name for name in ("older", "newer"))
    for link, target, at in ((older, pair[0], 1000), (newer, pair[1], 1090)):
        link.write_bytes(Path(target).read_bytes())
        os.utime(link, (at, at))
    wrong = heaptui("heap", "diff", str(newer), str(older), "-n", "1")
    said(wrong, 0, "the first file is newer than the second, by 1m30")
    assert "is newer" not in heaptui("heap", "diff", str(older), str(newer), "-n", "1").stderr


def test_a_snapshot_is_given_by_its_number(heaptui):
    heaptui.run("node", "-e", "setInterval(() => {}, 1000)", cap="2G", name="agent")
    wait_until(lambda: heaptui.rows()["agent"]["heap_used_bytes"], "its heap")
    taken = heaptui.told("snapshot", "agent", "--raise-cap")
    number = str(taken["id"])
    done = heaptui("heap", "summary", number, "-n", "3")
    said(done, 0, Path(taken["path"]).name)
    assert done.stdout.startswith("CLASS")
    assert heaptui.told("heap", "summary", number) == heaptui.told("heap", "summary", taken["path"])
    said(heaptui("heap", "diff", number, taken["path"]), 0, "no class differs")
    said(heaptui("heap", "diff", number, "99"), 1, "no snapshot 99", "heaptui snapshots")


def test_a_number_that_is_no_snapshots_is_said_to_be_none(heaptui):
    said(heaptui("heap", "summary", "4"), 1, "no snapshot 4", "heaptui snapshots")
    assert not heaptui.supervisors()


def test_retainers_by_class_and_by_id(heaptui, pair):
    told = heaptui.told("heap", "retainers", pair[1], "Session")
    assert told["object"]["name"] == "Session"
    assert told["path"][0]["name"] == "(root)"
    assert told["path"][-1]["id"] == told["object"]["id"]
    assert "(closure) session" in {row["edge"] for row in told["retainers"]["rows"]}
    same = heaptui.told("heap", "retainers", pair[1], f"@{told['object']['id']}")
    assert same == told
    done = heaptui("heap", "retainers", pair[1], "Session")
    assert "referring to Session" in done.stdout
    assert "variables of the module" in done.stdout


def test_objects_strings_and_the_tree(heaptui, pair):
    page = heaptui.told("heap", "objects", pair[1], "Session")
    assert page["rows"][0]["preview"] == "{turns: Array(4,100)}"
    assert page["rows"][0]["file"].endswith("instance_field.cjs")
    session = f"@{page['rows'][0]['id']}"
    below = heaptui.told("heap", "tree", pair[1], session)
    assert below["rows"][0]["name"] == "Array"
    top = heaptui.told("heap", "tree", pair[1], "-n", "3")
    assert len(top["rows"]) == 3
    assert [row["retained"] for row in top["rows"]] == sorted(
        (row["retained"] for row in top["rows"]), reverse=True
    )
    rows = heaptui.told("heap", "strings", pair[1], "--match", "TEXT 10")
    assert rows
    assert all("text 10" in row["preview"] for row in rows)
    assert heaptui("heap", "strings", pair[1], "--order", "wasted", "-n", "3").returncode == 0


def test_no_supervisor_is_started_for_a_file(heaptui, small):
    assert heaptui("heap", "summary", str(small)).returncode == 0
    assert not heaptui.supervisors()
    assert not heaptui.root.exists()


# --- what is no snapshot -------------------------------------------------------------------------
def cut(document: bytes) -> bytes:
    return document[: len(document) // 2]


BAD: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("cut off", cut, "cut off"),
    ("cut in the strings", lambda text: text[:-40], "cut off"),
    ("empty", lambda _: b"", "is empty"),
    ("text", lambda _: b"hello\n" * 1000, "not a heap snapshot"),
    ("another JSON", lambda _: b'{"a": 1}', "not a heap snapshot"),
    ("packed", lambda _: b"\x1f\x8b" + bytes(100), "gzip"),
    ("binary", lambda _: bytes(range(256)) * 50, "not a heap snapshot"),
    (
        "a forged node count",
        lambda text: re.sub(rb'"node_count": \d+', b'"node_count": 10000000', text),
        "room for",
    ),
    (
        "a forged edge count",
        lambda text: re.sub(rb'"edge_count": \d+', b'"edge_count": 4000000000', text),
        "room for",
    ),
    ("a Python one of another version", lambda _: b"HEAPTUI PYTHON HEAP 9\n{}", "another version"),
    ("a Python one cut off", lambda _: b"HEAPTUI PYTHON HEAP 1\n", "cut off"),
]


@pytest.mark.parametrize(("spoil", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_file_that_is_none_is_said_to_be_so(heaptui, small, tmp_path, spoil, words):
    bad = write(tmp_path / "bad.heapsnapshot", spoil(small.read_bytes()))
    for argv in (["summary", str(bad)], ["diff", str(small), str(bad)]):
        done = heaptui("heap", *argv)
        said(done, 7, words)
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def test_what_is_no_file_is_not_waited_for(heaptui, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said(heaptui("heap", "summary", str(pipe)), 7, "not a file")
    said(heaptui("heap", "summary", str(tmp_path)), 7, "is a directory")
    said(heaptui("heap", "summary", str(tmp_path / "gone")), 7, "does not exist")
    said(heaptui("heap", "summary", "/dev/zero"), 7, "not a file")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    said(heaptui("heap", "summary", str(loop)), 7, os.strerror(errno.ELOOP))


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["summary"], 2, "FILE"),
        (["summary", "x", "--order", "size"], 2, "retained"),
        (["summary", "x", "--limit", "0"], 2, "1<=x<=1000"),
        (["diff", "x"], 2, "NEWER"),
        (["bogus"], 2, "No such command"),
    ],
)
def test_a_mistake_is_named(heaptui, argv, code, words):
    said(heaptui("heap", *argv), code, words)


def test_the_help_says_that_a_number_will_do(heaptui):
    assert "FILE|NUMBER" in heaptui("heap", "summary", "--help").stdout
    for argv in ([], ["diff"]):
        assert "`heaptui snapshots`" in heaptui("heap", *argv, "--help").stdout


def test_objects_that_are_not_there(heaptui, small):
    said(heaptui("heap", "retainers", str(small), "@99999"), 1, "no object @99999")
    said(heaptui("heap", "retainers", str(small), "@x"), 2, "written as @123")
    said(heaptui("heap", "retainers", str(small), "Nobody"), 1, "no class 'Nobody'", "summary")
    said(heaptui("heap", "tree", str(small), "@" + "9" * 19), 1, "no object")


def test_a_name_that_commands_a_terminal_stays_a_name(heaptui, tmp_path):
    hostile = write(tmp_path / "hostile\x1b[2J.heapsnapshot", drawing(HOSTILE).document())
    for argv in (
        ["summary"], ["strings"], ["tree"], ["objects", HOSTILE], ["retainers", HOSTILE],
        ["retainers", "Nobody" + HOSTILE],
    ):  # fmt: skip
        done = heaptui("heap", argv[0], str(hostile), *argv[1:])
        for text in (done.stdout, done.stderr):
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), (argv, text)
    done = heaptui("heap", "summary", str(hostile), "--json")
    assert "\x1b" not in done.stdout


# --- the terminal --------------------------------------------------------------------------------
def test_progress_is_shown_on_a_terminal_and_gone_at_the_end(heaptui, small):
    ours, theirs = pty.openpty()
    process = heaptui.start("heap", "summary", str(small), stderr=theirs)
    os.close(theirs)
    assert process.stdout is not None
    out = process.stdout.read()
    words = b""
    while chunk := _read(ours):
        words += chunk
    process.wait()
    os.close(ours)
    assert b"Thing" in out
    assert re.search(rb"\r\x1b\[K[^\r]+ \d+%", words), words
    assert b"\r\x1b[K" in words.rpartition(b"%")[2]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError as error:
        # Linux's way to say that nobody has the other end any more
        assert error.errno == errno.EIO
        return b""


def test_interrupted_it_takes_its_reader_along(heaptui, pair):
    process = heaptui.start("heap", "summary", *pair[:1], stdout=subprocess.DEVNULL)
    reader: Any = wait_until(lambda: psutil.Process(process.pid).children(), "the reader")[0]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    wait_until(lambda: not reader.is_running(), "the reader's end")


def test_killed_it_takes_its_reader_along(heaptui, pair):
    process = heaptui.start("heap", "summary", *pair[:1], stdout=subprocess.DEVNULL)
    reader: Any = wait_until(lambda: psutil.Process(process.pid).children(), "the reader")[0]
    process.kill()
    process.communicate(timeout=30)
    wait_until(
        lambda: not reader.is_running() or reader.status() == psutil.STATUS_ZOMBIE,
        "the reader's end",
    )
