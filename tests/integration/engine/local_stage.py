"""The local engine on a state directory of its own, with a real warden and real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from heaptui.engine.base import Exited, LaunchSpec, Lost, Started
from heaptui.engine.local import LocalEngine
from heaptui.memory.cgroups import Groups, probe
from heaptui.memory.identity import alive, send
from heaptui.model import Identity
from heaptui.paths import StateDir
from tests.integration.engine.contract import DEADLINE_S, Listener, Part, eventually

PARTS: dict[Part, tuple[str, ...]] = {
    Part.EXITS_3: ("sh", "-c", "exit 3"),
    Part.ENDED_BY_SIGNAL_10: ("sh", "-c", "kill -10 $$"),
    Part.RUNS: ("sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"),
    Part.IGNORES_TERM: ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done"),
    Part.CANNOT_BE_EXECUTED: ("/nowhere/to/be/found",),
}
MIB = 1 << 20


def no_groups(key: str, pid: int | None) -> Groups:
    """A machine without cgroups."""
    return Groups(
        f"heaptui-{key}", tree=None, memory=None, means=None, can_kill=False, detail="none here"
    )


class LocalStage:
    """See contract.Stage. `groups` is what the engine found."""

    engine: LocalEngine
    listener: Listener

    def __init__(self, root: Path, find_groups: Callable[[str, int | None], Groups] = probe):
        self.state = StateDir(root).prepare()
        self.groups: list[Groups] = []
        self.wardens: set[int] = set()
        self.leaders: dict[tuple[str, int], Identity] = {}
        self._find_groups = find_groups
        self._listeners: list[Listener] = []

    def _found(self, key: str, pid: int | None) -> Groups:
        self.groups.append(self._find_groups(key, pid))
        return self.groups[-1]

    async def enter(self) -> None:
        self.engine = LocalEngine(self.state, "test", ("true",), find_groups=self._found)
        await self.engine.open()
        pid = self.engine.keeper_pid()
        assert pid is not None
        self.wardens.add(pid)
        self.listener = Listener(self.engine)
        self._listeners.append(self.listener)

    async def leave(self) -> None:
        await self.listener.stop()
        await self.engine.close()

    def spec(self, task_id: str, part: Part, attempt: int = 1) -> LaunchSpec:
        return self.command(task_id, *PARTS[part], attempt=attempt)

    async def ready(self, task_id: str, attempt: int) -> None:
        await self.hear(task_id, "ready", attempt)

    def command(
        self,
        task_id: str,
        *argv: str,
        attempt: int = 1,
        cap_bytes: int | None = None,
        output_bytes: int = 64 * MIB,
        data_floor_bytes: int | None = None,
        cwd: str = "/",
        output: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> LaunchSpec:
        path = output or self.state.output(task_id, attempt)
        if output is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        marks = {"PATH": os.environ["PATH"], "HEAPTUI_TASK": f"{task_id}.{attempt}"}
        return LaunchSpec(
            task_id=task_id,
            name=task_id,
            argv=argv,
            cwd=cwd,
            env=marks | (env or {}),
            output=str(path),
            output_bytes=output_bytes,
            cap_bytes=cap_bytes,
            data_floor_bytes=data_floor_bytes,
        )

    async def python(self, task_id: str, source: str, *arguments: str, **fields: object) -> Started:
        """Starts a Python program and returns once it runs."""
        argv = (sys.executable, "-I", "-S", "-c", source, *arguments)
        spec = self.command(task_id, *argv, **fields)  # type: ignore[arg-type]
        attempt = int(str(fields.get("attempt", 1)))
        await self.engine.submit(spec, attempt)
        return await self.listener.first(Started, task_id, attempt)

    def said(self, task_id: str, attempt: int = 1) -> str:
        with suppress(FileNotFoundError):
            return self.state.output(task_id, attempt).read_text(errors="replace")
        return ""

    async def hear(self, task_id: str, word: str, attempt: int = 1) -> None:
        await eventually(lambda: word in self.said(task_id, attempt), f"{task_id} says {word!r}")

    async def kill_warden(self) -> None:
        """kill -9, and the engine found another one."""
        before = self.engine.keeper_pid()
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await eventually(lambda: self.engine.keeper_pid() != before, "a new warden")
        after = self.engine.keeper_pid()
        assert after is not None
        self.wardens.add(after)

    async def end_everything(self) -> None:
        """Nothing that a test started outlives it."""
        started: dict[tuple[str, int], Identity] = {}
        ended: set[tuple[str, int]] = set()
        for event in (event for listener in self._listeners for event in listener.events):
            if isinstance(event, Started):
                started[event.task_id, event.attempt] = event.identity
            elif isinstance(event, Exited | Lost):
                ended.add((event.task_id, event.attempt))
        for task_id, attempt in started.keys() - ended:
            await self.engine.cancel(task_id, 0)
            if alive(started[task_id, attempt]):
                await self.listener.end(task_id, attempt)
        await self.leave()
        for identity in started.values():
            send(identity, signal.SIGKILL)
        for pid in self.wardens:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE_S):
            for pid in self.wardens:
                while Path(f"/proc/{pid}").exists():
                    with suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
                    await asyncio.sleep(0.005)

    def group_directories(self) -> list[Path]:
        """Those of this state directory's attempts that exist now."""
        homes = [home for groups in self.groups for home in groups._homes()]
        return [path for home in homes if home.is_dir() for path in home.iterdir() if path.is_dir()]
