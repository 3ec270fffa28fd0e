"""The tools as a server calls them: many at once, cancelled at any time, never blocking a loop."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from heaptui.errors import Refused
from heaptui.tools.answers import GREP_BYTES, GREP_LINES, Stopped
from heaptui.tools.front import LIST_BYTES, Tools

MIB = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


@pytest.fixture
def tools(root: Path, tmp_path: Path) -> Iterator[Tools]:
    kept = tmp_path / "kept"
    with Tools.open(root, writable=True, artifacts=kept / "a", indexes=kept / "i") as opened:
        yield opened


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def children() -> set[int]:
    """Processes below this one; some may be what other tests have left."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def many_links(root: Path, size: int, links: int) -> None:
    """A tree that takes long to search and little room."""
    (root / "0").write_bytes(b"some line of a log, as they are\n" * (size // 32))
    for number in range(1, links):
        os.link(root / "0", root / str(number))


async def test_a_search_that_is_cancelled_has_ended(tools: Tools, root: Path) -> None:
    many_links(root, 32 * MIB, 400)
    before, others = descriptors(), children()
    searching = asyncio.create_task(tools.grep("absent"))
    async with asyncio.timeout(20):
        while children() <= others and not searching.done():
            await asyncio.sleep(0)
    assert not searching.done()
    searching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await searching
    assert children() <= others
    assert descriptors() == before


async def test_a_write_that_is_cancelled_is_whole_or_not_at_all(tools: Tools, root: Path) -> None:
    old, new = b"o" * MIB, b"n" * (8 * MIB)
    chance = random.Random(7)
    seen = set()
    before = descriptors()
    for _ in range(25):
        (root / "file").write_bytes(old)
        writing = asyncio.create_task(tools.write("file", new))
        await asyncio.sleep(chance.random() * 0.02)
        writing.cancel()
        try:
            await writing
        except asyncio.CancelledError:
            seen.add("cancelled")
        content = (root / "file").read_bytes()
        assert content in (old, new)
        assert os.listdir(root) == ["file"]
    assert "cancelled" in seen
    assert descriptors() == before


async def test_the_loop_goes_on_while_a_large_file_is_read(tools: Tools, root: Path) -> None:
    (root / "log").write_bytes(b"a line of thirty-two characters\n" * (8 * MIB))
    turns = 0
    reading = asyncio.create_task(tools.read("log", offset=8 * MIB, limit=1))
    began = time.monotonic()
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await reading).lines_total == 8 * MIB
    # a loop that waited for the whole of it would have turned a few times
    assert turns > 100, time.monotonic() - began


async def test_many_calls_at_once_leave_nothing_open(tools: Tools, root: Path) -> None:
    for number in range(20):
        (root / f"{number}").write_text(f"text {number}\n" * 50)
    before = descriptors()
    texts = await asyncio.gather(*(tools.read(f"{n % 20}") for n in range(200)))
    assert [text.text.split()[1] for text in texts] == [str(n % 20) for n in range(200)]
    await asyncio.gather(
        *(tools.edit(f"{n}", f"text {n}", f"new {n}", everywhere=True) for n in range(20))
    )
    found = await tools.grep("new", mode="count")
    assert found.counts == (50,) * 20
    assert descriptors() == before


async def test_of_changes_at_once_none_is_lost(tools: Tools, root: Path) -> None:
    (root / "list").write_text("".join(f"item {n}.\n" for n in range(40)))

    async def mark(number: int) -> None:
        while True:
            try:
                await tools.edit("list", f"item {number}.", f"done {number}.")
                return
            except Refused as error:
                assert "not as it was" in error.what, error.what

    async with asyncio.timeout(60):
        await asyncio.gather(*(mark(n) for n in range(40)))
    assert (root / "list").read_text() == "".join(f"done {n}.\n" for n in range(40))


async def test_what_a_search_has_no_room_for_is_in_its_artifact(tools: Tools, root: Path) -> None:
    (root / "wide").write_text("".join(f"{n:05} {'x' * 400}\n" for n in range(1000)))
    found = await tools.grep("x")
    shown = len(found.matches)
    assert 0 < shown < GREP_LINES
    assert sum(len(match.text) for match in found.matches) <= GREP_BYTES
    assert (found.stopped, found.next_offset) == (Stopped.BYTES, shown)
    assert found.artifact is not None and found.artifact.lines == 1000
    name = f"artifact:{found.artifact.id}"
    after = await tools.read(name, offset=shown + 1, limit=1)
    assert after.text.startswith(f"wide:{shown + 1}:{shown:05} ")
    assert after.path == name
    paged = await tools.grep("x", offset=shown)
    assert paged.matches[0].line == shown + 1
    within = await tools.grep(f":{shown:05} ", name)
    assert [(match.path, match.line) for match in within.matches] == [(name, shown + 1)]
    assert (await tools.grep("wide", name, mode="count")).files == (name,)
    few = await tools.grep("^0000[0-4]")
    assert len(few.matches) == 5
    assert (few.artifact, few.next_offset, few.stopped) == (None, None, Stopped.END)


async def test_a_long_listing_is_cut_and_kept(tools: Tools, root: Path) -> None:
    for number in range(1500):
        (root / f"{number:04}").touch()
    listed = await tools.list()
    assert listed.files == 1500
    assert listed.stopped is Stopped.BYTES
    assert len(listed.entries) * 36 <= LIST_BYTES
    assert listed.artifact is not None and listed.artifact.lines == 1500
    rest = await tools.read(f"artifact:{listed.artifact.id}", offset=-1)
    assert rest.text.endswith("1499\n")


async def test_an_artifact_cannot_be_changed_and_leads_nowhere(tools: Tools, root: Path) -> None:
    (root / "a").write_text("x\n" * 1000)
    found = await tools.grep("x")
    assert found.artifact is not None
    written = await tools.write(f"artifact:{found.artifact.id}", "mine\n")
    # a name like any other to what changes files
    assert written.created and (root / f"artifact:{found.artifact.id}").read_text() == "mine\n"
    assert (await tools.read(f"artifact:{found.artifact.id}", limit=1)).text == "a:1:x\n"
    assert (await tools.read(f"./artifact:{found.artifact.id}")).text == "mine\n"


async def test_where_nothing_can_be_kept_what_was_found_is_answered(
    root: Path, tmp_path: Path
) -> None:
    (root / "a").write_text("x\n" * 1000)
    taken = tmp_path / "taken"
    taken.write_text("no directory")
    with Tools.open(root, writable=False, artifacts=taken) as tools:
        found = await tools.grep("x")
        assert (len(found.matches), found.next_offset, found.artifact) == (250, 250, None)
        assert (await tools.grep("x", offset=990)).next_offset is None


async def test_changes_of_one_file_asked_for_at_once_are_made_one_after_another(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"line {n}\n" for n in range(20)))
    with Tools.open(tmp_path, writable=True) as tools:
        await asyncio.gather(
            *(tools.edit("a.txt", f"line {n}\n", f"changed {n}\n") for n in range(20))
        )
    changed = "".join(f"changed {n}\n" for n in range(20))
    assert (tmp_path / "a.txt").read_text() == changed


async def test_what_a_writer_has_not_finished_is_not_searched(tmp_path):
    (tmp_path / "a.txt").write_text("needle\n")
    (tmp_path / ".heaptui-1-1-0123456789abcdef.tmp").write_text("needle\n")
    with Tools.open(tmp_path, writable=False) as tools:
        found = await tools.grep("needle")
    assert [match.path for match in found.matches] == ["a.txt"]
