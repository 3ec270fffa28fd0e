"""Why a task shows no heap: what can be known of its processes from outside, cheaply."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from heaptui.engine.run import Run
from heaptui.errors import Refused
from heaptui.memory.table import Table
from heaptui.model import Identity
from heaptui.runtime import node
from heaptui.runtime.environment import MARKER, PRELOAD
from heaptui.wire import SOCKET_VARIABLE

STARTING = "starting"
NONE_THERE = "no Node or Python process in it"
OFF = "preload off"
TAKEN_OUT = "its program took the preload out of its environment"
OTHERS = {
    "deno": "Deno: heaptui's preload is for Node and Python",
    "bun": "Bun: heaptui's preload is for Node and Python",
}
LEAST_NODE = 18

SAYS_HELLO_WITHIN_S = 4.0
LOOKED_AT_IN_A_PASS = 100
_AGAIN_S, _AGAIN_LATER_S, _LATER_S = 2.0, 15.0, 60.0
"""A task is looked at again when its processes changed, and now and then: a process may execute
another program."""

_PYTHON_IGNORES = frozenset("EIS")
"""Flags with which Python reads no environment, or imports nothing by itself."""

_NODE = re.compile(r"node(js)?[0-9.]*")
"""Whatever it fits is executed for its version: so not node_exporter."""
_PYTHON = re.compile(r"(python|pypy).*")

_NODE_PRELOADS = ("--require", "--import", "-r ")


@dataclass(slots=True)
class _Judged:
    """What was found of an attempt, when, and since when each of its processes is known."""

    run: Run
    since: float
    at: float = float("-inf")
    processes: frozenset[Identity] = frozenset()
    seen: dict[Identity, float] = field(default_factory=dict)
    reason: str | None = None


class Heapless:
    """Reasons for the tasks that have no heap. `cache`: where a Node's version is kept."""

    def __init__(self, table: Table, cache: Path) -> None:
        self._table = table
        self._cache = cache
        self._judged: dict[str, _Judged] = {}
        self._turn = 0
        self._versions: dict[str, int | None] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def changed(self, runs: Iterable[Run], reporting: Container[str], now: float) -> dict[str, str]:
        """By task id, the reasons that are others than when this was asked last. `reporting` are
        the tasks that have a heap; `now` in seconds of a clock that does not jump."""
        found: dict[str, str] = {}
        kept: dict[str, _Judged] = {}
        looks = LOOKED_AT_IN_A_PASS
        for run in runs:
            task_id = run.plan.task_id
            judged = self._judged.get(task_id)
            if judged is None or judged.run is not run:
                judged = _Judged(run, now)
            kept[task_id] = judged
            if task_id in reporting:
                judged.reason = None
                continue
            known = frozenset(run.sampler.known(task_id)) if run.followed else frozenset()
            if not _due(judged, known, now) or looks == 0:
                continue
            looks -= 1
            reason = self._judge(judged, known, now)
            if reason != judged.reason:
                judged.reason = found[task_id] = reason
        self._judged = kept
        return found

    def reason(self, task_id: str) -> str | None:
        """What was last said of it."""
        judged = self._judged.get(task_id)
        return None if judged is None else judged.reason

    def _judge(self, judged: _Judged, known: frozenset[Identity], now: float) -> str:
        judged.at, judged.processes = now, known
        judged.seen = {one: judged.seen.get(one, now) for one in known}
        if not known:
            return STARTING
        reasons: list[str] = []
        for identity in itertools.islice(sorted(known, key=lambda one: one.start), 64):
            path = self._table.executable(identity.pid)
            name = PurePath(path).name.lower()
            if name in OTHERS:
                reasons.append(OTHERS[name])
            elif _NODE.fullmatch(name) or _PYTHON.fullmatch(name):
                if now - judged.seen[identity] < SAYS_HELLO_WITHIN_S:
                    return STARTING
                reasons.insert(0, self._silent(identity.pid, path, name))
        if reasons:
            return reasons[0]
        return STARTING if now - judged.since < SAYS_HELLO_WITHIN_S else NONE_THERE

    def _silent(self, pid: int, path: str, name: str) -> str:
        """Why a process that could say hello does not."""
        env = self._table.environment(pid)
        if env is None:
            return "its environment cannot be read"
        if SOCKET_VARIABLE not in env:
            return OFF if MARKER in env else TAKEN_OUT
        if env.get(PRELOAD) == "off":
            return OFF
        if not _NODE.fullmatch(name):
            if _ignores_environment(self._table.command(pid)):
                return "its Python was started with -I, -E or -S, which leave the preload out"
            return TAKEN_OUT if not env.get("PYTHONPATH") else "its Python has not said hello"
        major = self._major(path)
        if major is not None and major < LEAST_NODE:
            return f"its Node {major} is older than {LEAST_NODE}"
        if not any(flag in env.get("NODE_OPTIONS", "") for flag in _NODE_PRELOADS):
            return TAKEN_OUT
        return "its Node has not said hello"

    def _major(self, path: str) -> int | None:
        """The version of a Node, None while it is being asked, and when it does not answer."""
        if path not in self._versions:
            self._versions[path] = None
            asking = asyncio.create_task(self._ask(path), name=f"version of {path}")
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
        return self._versions[path]

    async def _ask(self, path: str) -> None:
        try:
            told = await node.facts(
                Path(path), env={}, cwd=Path("/"), cache=self._cache, ask_data=False
            )
        except (Refused, OSError):  # not a Node, or of another mount namespace
            return
        major = told.version.removeprefix("v").partition(".")[0]
        self._versions[path] = int(major) if major.isdecimal() else None
        for judged in self._judged.values():
            judged.at = float("-inf")


def _due(judged: _Judged, known: frozenset[Identity], now: float) -> bool:
    if known != judged.processes or judged.reason is None:
        return True
    young = now - judged.since < _LATER_S or judged.reason == STARTING
    return now - judged.at >= (_AGAIN_S if young else _AGAIN_LATER_S)


def _ignores_environment(command: str) -> bool:
    """Whether Python's own flags, those before the script, are of that sort."""
    for word in command.split()[1:]:
        if not word.startswith("-") or word in ("-c", "-m", "-"):
            return False
        if not word.startswith("--") and _PYTHON_IGNORES & set(word[1:]):
            return True
    return False
