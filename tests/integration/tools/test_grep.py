"""Grep by real searchers: what they find, what bounds them, and what they may not open."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import HeaptuiError, Refused, Unreadable, UsageError
from heaptui.tools.answers import GREP_COLUMNS, Found, Match, Stopped
from heaptui.tools.searching import child as searching
from heaptui.tools.searching import confinement, searchers
from heaptui.tools.searching.grep import grep
from heaptui.tools.searching.searchers import Searcher
from heaptui.tools.workspace.root import Workspace
from tests.integration.tools.swapping import swapped

linux = pytest.mark.skipif(sys.platform != "linux", reason="prlimit, names of any bytes")


@pytest.fixture(params=["rg", "re2"])
def by(request: pytest.FixtureRequest) -> Searcher:
    """What holds for both."""
    found = searchers.best() if request.param == "rg" else searchers.by_re2()
    if found is None or found.name != request.param:
        pytest.skip(f"there is no {request.param} here")
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "root"
    (inside / "src" / "deep").mkdir(parents=True)
    (inside / ".git").mkdir()
    (inside / "a.py").write_text("one\nneedle = 1\nthree\nfour\nNeedle\n")
    (inside / "src" / "b.txt").write_bytes(b"needle;\r\nother\r\nneedle\r\n")
    (inside / "src" / "deep" / ".hidden.py").write_text("x = 'needle'\n")
    (inside / ".git" / "config").write_text("needle\n")
    return inside


@pytest.fixture
def workspace(root: Path) -> Iterator[Workspace]:
    with Workspace.open(root) as opened:
        yield opened


def lines(found: Found) -> list[tuple[str, int, str]]:
    return [(match.path, match.line, match.text) for match in found.matches]


async def test_lines_in_the_order_of_names(workspace: Workspace, by: Searcher) -> None:
    found = await grep(workspace, "needle", searcher=by)
    assert lines(found) == [
        ("a.py", 2, "needle = 1"),
        ("src/b.txt", 1, "needle;"),
        ("src/b.txt", 3, "needle"),
        ("src/deep/.hidden.py", 1, "x = 'needle'"),
    ]
    assert (found.mode, found.by, found.stopped) == ("content", by.name, Stopped.END)
    assert (found.next_offset, found.skipped) == (None, ())


async def test_files_and_counts(workspace: Workspace, by: Searcher) -> None:
    names = ("a.py", "src/b.txt", "src/deep/.hidden.py")
    assert (await grep(workspace, "needle", mode="files", searcher=by)).files == names
    counted = await grep(workspace, "needle", mode="count", ignore_case=True, searcher=by)
    assert (counted.files, counted.counts) == (names, (2, 2, 1))


async def test_context_marks_what_does_not_match(workspace: Workspace, by: Searcher) -> None:
    found = await grep(workspace, "needle", "a.py", context=1, searcher=by)
    assert found.matches == (
        Match(path="a.py", line=1, text="one", context=True),
        Match(path="a.py", line=2, text="needle = 1"),
        Match(path="a.py", line=3, text="three", context=True),
    )


@pytest.mark.parametrize(
    ("globs", "files"),
    [
        (("*.py",), ["a.py", "src/deep/.hidden.py"]),
        (("!deep",), ["a.py", "src/b.txt"]),
        (("src/*",), ["src/b.txt"]),
        (("*.{txt,md}", ".git/**"), ["src/b.txt"]),
        (("*.py", "!src/**"), ["a.py"]),
    ],
)
async def test_globs(
    workspace: Workspace, by: Searcher, globs: tuple[str, ...], files: list[str]
) -> None:
    found = await grep(workspace, "needle", mode="files", globs=globs, searcher=by)
    assert list(found.files) == files


async def test_a_fixed_string_is_no_expression(
    workspace: Workspace, root: Path, by: Searcher
) -> None:
    (root / "fixed").write_text("a.b(c\naxb(c\n")
    found = await grep(workspace, "a.b(c", "fixed", fixed=True, searcher=by)
    assert lines(found) == [("fixed", 1, "a.b(c")]


async def test_a_line_ends_before_the_carriage_return(workspace: Workspace, by: Searcher) -> None:
    assert lines(await grep(workspace, "needle;$", "src", searcher=by)) == [
        ("src/b.txt", 1, "needle;")
    ]


async def test_paths_are_named_from_the_workspace_on(
    workspace: Workspace, root: Path, by: Searcher
) -> None:
    for path in ("src", "./src/", "src/deep/..", str(root / "src")):
        assert (await grep(workspace, "needle;", path, searcher=by)).matches[0].path == "src/b.txt"
    assert (await grep(workspace, "=", "./a.py", searcher=by)).matches[0].path == "a.py"


async def test_pages_together_are_the_whole(workspace: Workspace, root: Path, by: Searcher) -> None:
    for name in "abc":
        (root / f"{name}.log").write_text("".join(f"line {n}\n" for n in range(400)))
    found: list[Match] = []
    offset: int | None = 0
    while offset is not None:
        page = await grep(workspace, "line", offset=offset, globs=("*.log",), searcher=by)
        assert page.offset == offset
        found += page.matches
        assert page.stopped is (Stopped.LINES if page.next_offset else Stopped.END)
        offset = page.next_offset
    assert [(match.path, match.line) for match in found] == [
        (f"{name}.log", n) for name in "abc" for n in range(1, 401)
    ]


async def test_bytes_bound_an_answer(workspace: Workspace, root: Path, by: Searcher) -> None:
    (root / "wide").write_text("".join(f"{n:04} {'x' * 400}\n" for n in range(300)))
    found = await grep(workspace, "x", "wide", searcher=by)
    assert found.stopped is Stopped.BYTES
    assert found.next_offset == len(found.matches)
    assert 80 < len(found.matches) < 100


async def test_long_lines_are_cut_and_say_so(
    workspace: Workspace, root: Path, by: Searcher
) -> None:
    texts = ["x" * 500, "x" * 501, "é" * 500, "é" * 501, "x" * 3_000_000, "x" * 500 + "\r", "xend"]
    (root / "long").write_text("".join(text + "\n" for text in texts), newline="")
    found = await grep(workspace, "^[xé]", "long", searcher=by)
    assert [match.cut for match in found.matches] == [False, True, False, True, True, False, False]
    assert [match.line for match in found.matches] == list(range(1, 8))
    assert [match.text for match in found.matches] == [
        text.rstrip("\r")[:GREP_COLUMNS] for text in texts
    ]


@linux
async def test_names_with_newlines_and_of_no_utf8(
    workspace: Workspace, root: Path, by: Searcher
) -> None:
    for name in (b"new\nline", b"bad\xff", b"a:1:b"):
        (root / os.fsdecode(name)).write_text("hay needle\n")
    found = await grep(workspace, "hay", searcher=by)
    assert lines(found) == [
        ("a:1:b", 1, "hay needle"),
        ("bad\\xff", 1, "hay needle"),
        ("new\nline", 1, "hay needle"),
    ]
    assert (await grep(workspace, "hay", os.fsdecode(b"bad\xff"), searcher=by)).matches


async def test_text_that_is_no_utf8_is_replaced(
    workspace: Workspace, root: Path, by: Searcher
) -> None:
    (root / "latin").write_bytes(b"caf\xe9 needle\n")
    assert lines(await grep(workspace, "needle", "latin", searcher=by)) == [
        ("latin", 1, "caf\ufffd needle")
    ]


async def test_binary_files_end_at_their_first_nul(
    workspace: Workspace, root: Path, by: Searcher
) -> None:
    (root / "blob").write_bytes(b"\0\x01hay\n")
    (root / "late").write_bytes(b"hay\n" + b"x" * 300_000 + b"\n\0hay\n")
    (root / "next").write_text("hay\n")
    found = await grep(workspace, "hay", searcher=by)
    assert lines(found) == [("late", 1, "hay"), ("next", 1, "hay")]


@pytest.mark.parametrize("pattern", ["-x", "--pre=./run", "--files", "-"])
async def test_a_pattern_like_an_option_is_a_pattern(
    workspace: Workspace, root: Path, by: Searcher, pattern: str
) -> None:
    (root / "run").write_text(f"#!/bin/sh\ntouch {root}/ran\n")
    (root / "run").chmod(0o755)
    (root / "options").write_text(f"{pattern}\n")
    found = await grep(workspace, pattern, "options", searcher=by)
    assert lines(found) == [("options", 1, pattern)]
    assert not (root / "ran").exists()


@pytest.mark.parametrize("pattern", ["(", "[a", "a**b(", r"(?<name", "x{1,2000000}"])
async def test_an_invalid_pattern_is_told_in_the_searchers_words(
    workspace: Workspace, by: Searcher, pattern: str
) -> None:
    with pytest.raises(UsageError, match=rf"(?s){by.name} cannot search for that: .{{5,}}"):
        await grep(workspace, pattern, searcher=by)


async def test_an_invalid_glob_is_told(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="glob"):
        await grep(workspace, "x", globs=("[",), searcher=searchers.best())


async def test_a_pattern_that_would_explode_is_answered(
    workspace: Workspace, root: Path, by: Searcher
) -> None:
    (root / "as").write_text("a" * 100_000 + "\n")
    found = await grep(workspace, "(a+)+b", "as", searcher=by, within_s=20)
    assert (found.stopped, found.matches) == (Stopped.END, ())


@pytest.mark.parametrize(
    "bounds",
    [
        {"offset": -1},
        {"limit": 0},
        {"limit": 2001},
        {"max_bytes": 0},
        {"within_s": 0},
        {"within_s": float("nan")},
    ],
)
async def test_bounds_that_are_none(workspace: Workspace, bounds: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        await grep(workspace, "x", **bounds)  # type: ignore[arg-type]


async def test_what_is_no_file_is_refused_before_it_is_opened(
    workspace: Workspace, root: Path, tmp_path: Path
) -> None:
    os.mkfifo(root / "fifo")
    (tmp_path / "secret").write_text("needle")
    (root / "out").symlink_to("../secret")
    for path in ("fifo", "out", "../secret", "/etc/passwd"):
        with pytest.raises(Refused):
            await grep(workspace, "needle", path)
    with pytest.raises(Unreadable):
        await grep(workspace, "needle", "absent")
    with pytest.raises(UsageError):
        await grep(workspace, "needle", "a\0b")


async def test_a_fifo_and_links_in_a_directory_are_passed_by(
    workspace: Workspace, root: Path, tmp_path: Path, by: Searcher
) -> None:
    os.mkfifo(root / "fifo")
    (tmp_path / "secret").write_text("hay")
    (root / "out").symlink_to("../secret")
    (root / "up").symlink_to("..")
    found = await grep(workspace, "hay", searcher=by, within_s=20)
    assert (found.stopped, found.matches) == (Stopped.END, ())


async def test_a_file_that_may_not_be_read_is_named(workspace: Workspace, root: Path) -> None:
    by = searchers.best()
    if os.geteuid() == 0:
        # a root who may not read everything
        setpriv, *without = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
        by = Searcher(name=by.name, argv=(str(shutil.which(setpriv)), *without, *by.argv))
    (root / "a.py").chmod(0)
    found = await grep(workspace, "needle", searcher=by)
    assert [skipped.split(":")[0] for skipped in found.skipped] == ["a.py"]
    assert found.matches[0].path == "src/b.txt"
    alone = await grep(workspace, "zzz", searcher=by)
    assert (alone.stopped, len(alone.skipped)) == (Stopped.END, 1), "no fault of the pattern"


@linux
async def test_a_line_larger_than_its_memory_ends_rg_and_says_so(
    workspace: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MEMORY_BYTES", 24 << 20)
    (root / "z").write_bytes(b"x" * (80 << 20))
    found = await grep(workspace, "needle|nowhere$", searcher=searchers.best())
    assert found.stopped is Stopped.MEMORY
    assert found.matches[0].path == "a.py", "what was found before is answered"
    assert "took more than" in found.skipped[-1]


def shell(script: str) -> Searcher:
    """A searcher that is no searcher."""
    return Searcher(name="rg", argv=("/bin/sh", "-c", script))


@pytest.fixture
def alive(root: Path) -> Iterator[int]:
    """A descriptor whose end has come when all who had `root/alive` open for writing are gone."""
    os.mkfifo(root / "alive")
    fd = os.open(root / "alive", os.O_RDONLY | os.O_NONBLOCK)
    yield fd
    os.close(fd)


HANGING = "exec 3>alive; echo begun >&3; sleep 600 & sleep 600"


def ended(fd: int) -> bool:
    """Whether all who began are gone, or will be in a moment: a group is killed, and its first
    process waited for."""
    assert os.read(fd, 100) == b"begun\n"
    return bool(select.select([fd], [], [], 20)[0]) and os.read(fd, 100) == b""


async def begun(fd: int) -> None:
    """Until the searcher has started what it starts."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), 20)
    finally:
        loop.remove_reader(fd)


async def test_time_ends_it_with_all_it_started(workspace: Workspace, alive: int) -> None:
    found = await grep(workspace, "x", searcher=shell(HANGING), within_s=1)
    assert found.stopped is Stopped.TIME
    assert ended(alive)


async def test_who_is_cancelled_leaves_nothing_behind(workspace: Workspace, alive: int) -> None:
    before = set(os.listdir("/dev/fd"))
    task = asyncio.create_task(grep(workspace, "x", searcher=shell(HANGING)))
    await begun(alive)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)
    assert ended(alive)
    assert set(os.listdir("/dev/fd")) == before


async def test_who_closes_its_pipes_and_stays_is_not_waited_for(
    workspace: Workspace, alive: int
) -> None:
    silent = shell(HANGING.replace("sleep 600 &", "exec >&- 2>&-;"))
    found = await asyncio.wait_for(grep(workspace, "x", searcher=silent, within_s=600), 20)
    assert found.stopped is Stopped.TIME
    assert ended(alive)


async def test_who_prints_without_end_is_stopped_when_the_page_is_full(
    workspace: Workspace,
) -> None:
    found = await grep(
        workspace, "x", searcher=shell(r"while :; do printf './a\0001:x\n'; done"), limit=5
    )
    assert (found.stopped, len(found.matches), found.next_offset) == (Stopped.LINES, 5, 5)


async def test_what_no_search_prints_is_refused(workspace: Workspace) -> None:
    with pytest.raises(Unreadable, match="no line"):
        await grep(workspace, "x", searcher=shell(r"printf 'a\000b\n'"))


async def test_a_flood_of_complaints_is_bounded(workspace: Workspace) -> None:
    script = "yes 'rg: ./a: cannot be read' | head -n 200000 >&2; exit 2"
    found = await grep(workspace, "x", searcher=shell(script))
    assert len(found.skipped) == 20
    assert found.skipped[0] == "a: cannot be read"
    assert found.skipped[-1].endswith("more")


async def test_many_at_once_do_not_mix(workspace: Workspace, by: Searcher) -> None:
    found = await asyncio.gather(
        *(grep(workspace, "needle;", path, searcher=by) for path in ("src", "a.py") * 4)
    )
    assert [len(one.matches) for one in found] == [1, 0] * 4


@linux
async def test_what_a_directory_is_exchanged_for_is_not_searched(
    tmp_path: Path, by: Searcher
) -> None:
    if not confinement.possible():
        pytest.skip("this kernel confines nothing")
    inside = outside = 0
    with swapped(tmp_path) as root, Workspace.open(root) as workspace:
        for _ in range(25 if by.name == "rg" else 3):
            for path in (".", "way", "way/file"):
                try:
                    found = await grep(workspace, "inside|outside", path, searcher=by, within_s=2)
                except HeaptuiError:
                    continue
                inside += sum(match.text == "inside" for match in found.matches)
                outside += sum(match.text == "outside" for match in found.matches)
    assert inside > 0
    assert outside == 0
