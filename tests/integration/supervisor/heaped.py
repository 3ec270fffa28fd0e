"""An engine whose attempts have heaps: what becomes of a command in one of them is the test's
word."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from heaptui.config import Config, PolicyConfig
from heaptui.engine.base import Node, Sampled, Working
from heaptui.errors import NoSuchTask, Refused
from heaptui.model import CapMeans, HostSample, ProcessHeap, TaskSample
from heaptui.store.store import Store
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task
from heaptui.units import GIB, MIB
from tests.integration.engine.contract import eventually
from tests.integration.engine.house import QUICK, House
from tests.integration.engine.scripted import NODE, ScriptedEngine, World

CALM = msgspec.structs.replace(QUICK, policy=PolicyConfig(mode="observe", soft="off"))
"""A policy that leaves everybody alone: what becomes of a task is the test's word."""

WHOLE = b'{"snapshot":{"meta":{}},"nodes":[],"strings":["a secret"]}'
Doing = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


def heap(pid: int, used: int = 20 * MIB, **fields: Any) -> ProcessHeap:
    given: dict[str, Any] = {
        "ppid": 1,
        "runtime": "node",
        "version": "v20.20.2",
        "at": 0.0,
        "used_bytes": used,
        "limit_bytes": GIB,
        "external_bytes": MIB,
        "rss_bytes": used + 40 * MIB,
        "can": ("gc", "snapshot"),
        **fields,
    }
    return ProcessHeap(pid=pid, **given)


class HeapedEngine(ScriptedEngine):
    """`doing` is what a worker does for each verb; `asked` what it was asked, in order."""

    def __init__(self, world: World, available: int = 16 * GIB) -> None:
        super().__init__(world)
        self.available = available
        self.means = CapMeans.CGROUP2
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.doing: dict[str, Doing] = {
            "gc": self._collects,
            "snapshot": self._writes,
            "cap": self._caps,
        }
        self.written: list[Path] = []
        self._last = Sampled(node=NODE, at=0, host=None, tasks=[])

    async def command(
        self, task_id: str, verb: str, args: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        if verb == "heaps":
            # whoever asks is answered with the pass that follows
            self.emit(self._last)
            return {"heaps": []}
        if verb not in self.doing:
            return await super().command(task_id, verb, args, timeout_s)
        self.asked.append((task_id, verb, args))
        if not any(held == task_id for held, _ in self.world.live):
            raise NoSuchTask(f"Task {task_id} does not run here.")
        async with asyncio.timeout(timeout_s):
            return await self.doing[verb](task_id, args)

    def nodes(self) -> list[Node]:
        return [Node(name=NODE, mem_total_bytes=32 * GIB, cpus=4, means=self.means)]

    def caps(self, task_id: str) -> list[int]:
        """That were asked for."""
        return [
            args["cap_bytes"] for held, verb, args in self.asked if (held, verb) == (task_id, "cap")
        ]

    async def _collects(self, task_id: str, args: dict[str, Any]) -> dict[str, Any]:
        return {
            "flavour": "gc",
            "pause_ms": 30.0,
            "used_before": 100 * MIB,
            "used_after": 40 * MIB,
            "rss_before": 150 * MIB,
            "rss_after": 90 * MIB,
        }

    async def _writes(self, task_id: str, args: dict[str, Any]) -> dict[str, Any]:
        return self.writes(args)

    def writes(self, args: dict[str, Any], data: bytes = WHOLE) -> dict[str, Any]:
        """A worker that is quick."""
        path = Path(args["path"])
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        part.rename(path)
        self.written.append(path)
        return {
            "path": os.fspath(path),
            "bytes": len(data),
            "took_ms": 1200.0,
            "pause_ms": 1100.0,
            "used": 20 * MIB,
            "extra_bytes": 12 * MIB,
        }

    async def _caps(self, task_id: str, args: dict[str, Any]) -> dict[str, Any]:
        return {"cap_bytes": args["cap_bytes"], "before": GIB}

    def measure(self, *tasks: tuple[Task, int], **heaps: tuple[ProcessHeap, ...]) -> None:
        """A pass: memory of these tasks, and heaps by task id."""
        at = asyncio.get_running_loop().time()
        host = HostSample(
            at=at, name=NODE, mem_total_bytes=32 * GIB, mem_available_bytes=self.available
        )
        samples = [
            TaskSample(
                task_id=task.id,
                attempt=task.attempts,
                memory_bytes=memory,
                memory_from="cgroup",
                rss_bytes=memory,
                processes=1,
            )
            for task, memory in tasks
        ]
        self._last = Sampled(node=NODE, at=self._clock(), host=host, tasks=samples)
        self.emit(Sampled(node=NODE, at=self._clock(), host=host, tasks=samples, heaps=heaps))

    def filled(self, task: Task, memory: int, *heaps: ProcessHeap) -> None:
        """What the next who asks is answered with."""
        self.measure((task, memory), **{task.id: task.heaps})
        self._last = msgspec.structs.replace(self._last, heaps={task.id: heaps})

    def works(self, task: Task, pid: int, verb: str, phase: str, written: int = 0) -> None:
        self.emit(
            Working(
                task_id=task.id,
                attempt=task.attempts,
                pid=pid,
                verb=verb,
                phase=phase,
                written=written,
            )
        )


class HeapHouse(House):
    """As House, with heaps."""

    engine: HeapedEngine

    def __init__(self, root: Path, config: Config = CALM, available: int = 16 * GIB) -> None:
        super().__init__(root, config)
        self._available = available

    async def open(self) -> None:
        self.store = await Store.open(self.state.database, "s")
        self.engine = HeapedEngine(self.world, self._available)
        await self.engine.open()
        self.supervisor = Supervisor(
            state=self.state,
            store=self.store,
            engine=self.engine,
            config=self._config,
            supervisor_id="s",
        )
        await self.supervisor.recover()

    async def running(
        self, *heaps: ProcessHeap, memory: int = 100 * MIB, absent: str | None = None
    ) -> Task:
        """A task that runs, with these heaps, of which the supervisor knows."""
        task = await self.submit("hold")
        await self.submitted(task)
        self.engine.start(task.id)
        await eventually(lambda: task.state.value == "running", "it runs")
        # what holds its cap is the engine's word, not the script's
        task.cap_means = self.engine.means
        await self.measured(task, memory, *heaps)
        if absent is not None:
            self.engine.emit(
                Sampled(node=NODE, at=0, host=None, tasks=[], heapless={task.id: absent})
            )
            await eventually(lambda: task.heap_absent == absent, "the reason is known")
        return task

    async def measured(self, task: Task, memory: int, *heaps: ProcessHeap) -> None:
        self.engine.measure((task, memory), **{task.id: heaps})
        await eventually(
            lambda: (
                task.sample is not None
                and task.sample.memory_bytes == memory
                and task.heaps == heaps
            ),
            "the pass is taken in",
        )

    async def texts(self, task: Task, kind: str) -> list[str]:
        await self.supervisor.ledger.commit()
        return [one.text for one in await self.store.events(task.id, 100) if one.kind == kind]


def refuses(text: str) -> Doing:
    async def refuse(task_id: str, args: dict[str, Any]) -> dict[str, Any]:
        raise Refused(text)

    return refuse
