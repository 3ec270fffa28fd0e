"""The preloads and the engine together: real Node.js and Python processes."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heaptui.engine.base import Sampled, Started, heaps_of
from heaptui.model import ProcessHeap
from heaptui.runtime import node
from heaptui.runtime.preload import place
from tests.integration.engine.contract import A, eventually
from tests.integration.engine.local_stage import MIB, LocalStage

NODES = sorted(
    {str(one) for one in (node.locate(dict(os.environ), Path("/")), node.wheel()) if one}
)
IDLE_NODE = "const held = []; setInterval(() => held.push(Buffer.alloc(10)), 100)"
BUSY_NODE = "setTimeout(() => { while (true) {} }, 300)"
IDLE_PYTHON = "import time\nheld = ['x' * n for n in range(1000)]\nwhile True: time.sleep(0.05)"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[LocalStage]:
    made = LocalStage(tmp_path / "s")
    await made.enter()
    yield made
    await made.end_everything()


async def looked_into(stage: LocalStage, *argv: str) -> ProcessHeap:
    """Starts a command with the preloads, and waits for the first figures."""
    spec = stage.command(A, *argv, cap_bytes=1024 * MIB)
    preload = place.placed(stage.state.root)
    socket = str(stage.state.socket("worker"))
    env = place.environment(spec.env, preload, socket, node_version=None)
    await stage.engine.submit(stage.command(A, *argv, cap_bytes=1024 * MIB, env=env), 1)
    await stage.listener.first(Started, A)
    found = await stage.listener.find(
        lambda event: (
            isinstance(event, Sampled)
            and any(heap.used_bytes is not None for heap in event.heaps.get(A, ()))
        ),
        "a heap",
    )
    assert isinstance(found, Sampled)
    return found.heaps[A][0]


def programs() -> list[tuple[str, ...]]:
    nodes = [(one, "-e", IDLE_NODE) for one in NODES]
    return [*nodes, (sys.executable, "-c", IDLE_PYTHON)]


@pytest.mark.parametrize("argv", programs(), ids=lambda argv: Path(argv[0]).parts[-3])
async def test_a_real_heap_is_seen_collected_and_written(stage, tmp_path, argv):
    heap = await looked_into(stage, *argv)
    assert heap.runtime == ("python" if argv[0] == sys.executable else "node")
    assert MIB // 2 < heap.used_bytes < 500 * MIB
    (anew,) = heaps_of(await stage.engine.command(A, "heaps", {}, 10))
    assert (anew.pid, anew.runtime) == (heap.pid, heap.runtime)
    collected = await stage.engine.command(A, "gc", {"pid": heap.pid}, 30)
    assert 0 < collected["used_after"] < 500 * MIB
    path = tmp_path / "one.heap"
    written = await stage.engine.command(A, "snapshot", {"pid": heap.pid, "path": str(path)}, 60)
    assert written["bytes"] == path.stat().st_size > 10_000
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob("*.part")) == []
    assert (await stage.engine.command(A, "processes", {}, 10))["processes"][0]["pid"] == heap.pid


@pytest.mark.parametrize("binary", NODES)
async def test_a_busy_node_is_reached_and_finds_the_next_engine(stage, binary):
    pid = (await looked_into(stage, binary, "-e", BUSY_NODE)).pid
    await eventually(
        lambda: [heap.main for heap in stage.engine._workers.heaps(A)] == ["busy"], "it is busy"
    )
    await stage.leave()
    await stage.enter()
    await eventually(lambda: stage.engine._workers.find(A, pid), "it has come again")
    collected = await stage.engine.command(A, "gc", {"pid": pid}, 30)
    assert collected["used_after"] > 0
