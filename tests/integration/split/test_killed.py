"""A supervisor that is killed in the middle of a split: the next one sees it through."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from heaptui.cli.starting import ensure_served
from heaptui.client import Client
from heaptui.model import State
from tests.integration.operating import Operated, alive, end, wait_until
from tests.integration.split.conftest import CONFIG
from tests.integration.split.stage import WORKS, Stage, once

HANDS_IN = f"""{WORKS}
printf '%s\\n' "$@" > "$HEAPTUI_RESULT"
"""


@asynccontextmanager
async def _staged(heaptui: Operated, root: Path) -> AsyncIterator[Stage]:
    state = heaptui.state.prepare()
    async with Client(state, "test", 20, lambda: ensure_served(state, heaptui.config)) as operator:
        yield Stage(operator, root)


@pytest.fixture
async def stage(heaptui: Operated, tmp_path: Path) -> AsyncIterator[Stage]:
    heaptui.config.write_text(CONFIG)
    heaptui("dispatch")
    root = tmp_path / "stage"
    root.mkdir()
    async with _staged(heaptui, root) as staged:
        yield staged


async def test_a_worker_that_drains_while_nobody_supervises_is_divided_all_the_same(
    heaptui: Operated, stage: Stage
):
    files = stage.files(6)
    busy = WORKS.replace('cat "$file"', 'sleep 0.4; cat "$file"')
    task = await stage.running(files, busy)
    stage.let("f1.txt", "f2.txt")
    await stage.until_done("f1.txt")
    plan = await stage.operator.plan_split(task, into=2)
    asked = asyncio.create_task(stage.split(task, plan))
    pid = (await stage.until(task, State.SPLITTING)).pid
    assert pid is not None
    warden = heaptui.warden()
    # the warden is held up, so that nobody at all sees the worker's end
    os.kill(warden, signal.SIGSTOP)
    end(heaptui.supervisor())
    await asyncio.to_thread(wait_until, lambda: not alive(pid), "the worker's end")
    os.kill(warden, signal.SIGCONT)
    stage.let("all")
    (row,) = await stage.settled(task)
    assert (row.state, row.children) == (State.DONE, 2)
    assert stage.done() == once(*files)
    report = await asked
    assert report.done == ("f1.txt", "f2.txt")
    assert len(report.children) == 2


async def test_children_that_end_while_nobody_supervises_settle_their_parent(
    heaptui: Operated, stage: Stage
):
    files = stage.files(4)
    task = await stage.running(files, HANDS_IN)
    report = await stage.split(task, await stage.operator.plan_split(task, into=2))
    rows = [await stage.until(child, State.RUNNING) for child in report.children]
    warden = heaptui.warden()
    os.kill(warden, signal.SIGSTOP)
    end(heaptui.supervisor())
    stage.let("all")
    for row in rows:
        await asyncio.to_thread(
            wait_until, lambda pid=row.pid: not alive(pid), f"the end of {row.name}"
        )
    os.kill(warden, signal.SIGCONT)
    (parent,) = await stage.settled(task)
    assert (parent.state, parent.children, parent.items_done) == (State.DONE, 2, 4)
    assert [row.attempts for row in await stage.children(task)] == [1, 1]
    assert stage.done() == once(*files)
    result = await stage.operator.result(task)
    assert Path(result.path).read_text().split() == files
