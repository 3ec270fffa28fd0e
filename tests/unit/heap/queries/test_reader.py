"""The reader from the outside: a process of its own, that never outlives who asked."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from heaptui.errors import HeaptuiError, Refused, Unreadable
from heaptui.heap import answers
from heaptui.heap.reader import reader
from tests.integration.operating import alive, wait_until
from tests.unit.heap.core.hand_made import Drawing, write

MODULE = "heaptui.heap.analysis"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    drawing = Drawing()
    top = drawing.root()
    drawing.edge(top, drawing.node("Thing"), "thing")
    drawing.edge(top, drawing.node("text", "string", 24), "text")
    return write(tmp_path / "one.heapsnapshot", drawing.document())


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Takes long enough to be interrupted."""
    drawing = Drawing()
    top = drawing.root()
    thing = drawing.node("Thing")
    drawing.edge(top, thing, "thing")
    document = drawing.document()
    count = 400_000
    document["nodes"] += [3, 0, 0, 16, 0, 0, 0] * count
    document["nodes"][7 * top + 4] += count
    first = 3 * 2
    edges = [part for node in range(count) for part in (1, node, 7 * (3 + node))]
    document["edges"][first:first] = edges
    document["snapshot"]["node_count"] += count
    document["snapshot"]["edge_count"] += count
    return write(tmp_path / "large.heapsnapshot", document)


def children() -> set[int]:
    return {
        child.pid
        for child in psutil.Process().children()
        if child.is_running() and MODULE in _argv(child)
    }


def _argv(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def none_is_left() -> None:
    """Neither a process nor a zombie."""
    left = [" ".join(_argv(child)) for child in psutil.Process().children()]
    # what multiprocessing keeps after other tests
    assert not [words for words in left if "multiprocessing" not in words]


async def test_it_answers_and_is_gone(file):
    told: list[tuple[str, float]] = []
    async with reader(file, progress=lambda *one: told.append(one)) as read:
        (header,) = read.headers
        assert (header.format, header.nodes, header.engine) == ("v8", 4, "fast")
        assert header.path == str(file)
        assert header.took_s > 0
        assert header.peak_bytes is not None
        rows = await read.ask(answers.Summary())
        assert {row.name for row in rows} == {"global", "Thing", "(string)"}
        (pid,) = children()
        assert psutil.Process(pid).nice() > 0
        assert os.getsid(pid) == pid
    assert told[-1][1] == 1.0
    none_is_left()


async def test_questions_at_once_each_get_their_own_answer(file):
    async with reader(file) as read:
        one, other, value = await asyncio.gather(
            read.ask(answers.Find(id=1)),
            read.ask(answers.Summary(limit=1)),
            read.ask(answers.Value(node=3)),
        )
    assert (one.name, len(other), value) == ("(root)", 1, "text")


async def test_an_asker_that_is_cancelled_does_not_spoil_the_next(file):
    async with reader(file) as read:
        for _ in range(20):
            asking = asyncio.ensure_future(read.ask(answers.Summary()))
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert await read.ask(answers.Value(node=3)) == "text"


async def test_trouble_is_raised_as_what_it_was_and_the_reader_goes_on(file):
    async with reader(file) as read:
        with pytest.raises(HeaptuiError, match="no object @4") as missing:
            await read.ask(answers.Find(id=4))
        assert missing.value.remedy
        assert (await read.ask(answers.Find(id=1))).node == 0


async def test_what_cannot_be_read_is_raised_before_the_block(tmp_path):
    with pytest.raises(Unreadable, match="does not exist"):
        async with reader(tmp_path / "gone"):
            pytest.fail("opened")
    none_is_left()


async def test_leaving_with_an_error_ends_it_too(file):
    with pytest.raises(ZeroDivisionError):
        async with reader(file):
            _ = 1 / 0
    none_is_left()


async def _hold(path: Path, opened: asyncio.Event, began: asyncio.Event) -> None:
    async with reader(path, progress=lambda *_: began.set()):
        opened.set()
        await asyncio.Event().wait()


async def test_cancelled_while_it_loads_the_process_is_gone(large):
    opened, began = asyncio.Event(), asyncio.Event()
    holding = asyncio.ensure_future(_hold(large, opened, began))
    await began.wait()
    (pid,) = children()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert not alive(pid)
    none_is_left()


async def test_cancelled_at_any_step_nothing_is_left(file):
    for turns in [*range(12), 30, 60, 120]:
        holding = asyncio.ensure_future(_hold(file, asyncio.Event(), asyncio.Event()))
        for _ in range(turns):
            await asyncio.sleep(0)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        none_is_left()


async def test_cancelled_twice_it_is_still_reaped(file):
    opened = asyncio.Event()
    holding = asyncio.ensure_future(_hold(file, opened, asyncio.Event()))
    await opened.wait()
    holding.cancel()
    await asyncio.sleep(0)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    none_is_left()


async def test_a_reader_that_is_killed_says_what_to_do(file):
    async with reader(file) as read:
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(Unreadable, match="killed") as ended:
                await read.ask(answers.Summary())
            assert "Free memory" in ended.value.remedy
    none_is_left()


async def test_a_reader_that_ends_by_itself_leaves_its_last_words(file):
    async with reader(file) as read:
        (pid,) = children()
        os.kill(pid, signal.SIGTERM)
        with pytest.raises(Unreadable, match="signal 15") as ended:
            await read.ask(answers.Summary())
        assert "defect" in ended.value.remedy


async def test_memory_that_is_not_there_is_refused_with_figures(file, monkeypatch):
    # what a host of little memory has left, as this process's own limit
    limited = Path(__file__).with_name("limited.py")
    monkeypatch.setattr(sys, "executable", str(_launcher(file.parent, limited)))
    with pytest.raises(Refused, match=r"takes about .*M.* here") as refused:
        async with reader(file):
            pytest.fail("opened")
    assert "--anyway" in refused.value.remedy


def _launcher(directory: Path, program: Path) -> Path:
    """An interpreter that first limits its own memory."""
    path = directory / "python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
    path.chmod(0o700)
    return path


async def test_without_numpy_it_counts(file, tmp_path, monkeypatch):
    blocked = tmp_path / "blocked" / "numpy"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('there is none here')\n")
    monkeypatch.setenv("PYTHONPATH", str(blocked.parent))
    async with reader(file, file) as read:
        assert {header.engine for header in read.headers} == {"plain"}
        rows = await read.ask(answers.Summary())
        assert {row.name for row in rows} == {"global", "Thing", "(string)"}
        assert await read.ask(answers.Diff()) == ()
        with pytest.raises(Refused, match="fast engine"):
            await read.ask(answers.Leak())


def test_it_ends_when_its_input_does(large):
    with subprocess.Popen(
        [sys.executable, "-m", MODULE, str(large)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.close()
        wait_until(lambda: process.poll() is not None, "the reader's end")
        assert process.returncode == 0
