"""Tasks that work through files, one gate for each file, and a ledger of what was done."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from heaptui.client import Client
from heaptui.inputs import Inputs, Share, SplitPlan, SplitReport
from heaptui.model import Limits, Row, State, TaskSpec
from heaptui.splitting import listed

WITHIN_S = 20.0
_LOOK_EVERY_S = 0.01

WORKS = """
trap 'draining=1' TERM
for file; do
    while [ ! -e "$GATES/all" ] && [ ! -e "$GATES/${file##*/}" ]; do
        [ -z "$draining" ] || exit 0
        sleep 0.02
    done
    [ -z "$draining" ] || exit 0
    if [ -e "$GATES/fails-${file##*/}" ]; then exit 3; fi
    cat "$file" > "$GATES/read" || exit 4
    echo "$file" >> "$LEDGER"
    echo "$file" >> "$HEAPTUI_DONE"
done
"""
"""Each file waits at its gate; a drain is heard between two. A file whose `fails-` gate is there
ends it with 3, before it is processed; one that is gone ends it with 4."""

DEAF = """
trap '' TERM
for file; do
    while [ ! -e "$GATES/all" ] && [ ! -e "$GATES/${file##*/}" ]; do sleep 0.02; done
    echo "$file" >> "$LEDGER"
    echo "$file" >> "$HEAPTUI_DONE"
done
"""


class Stage:
    """One test's files and gates, and its operator."""

    def __init__(self, operator: Client, root: Path) -> None:
        self.operator = operator
        self.root = root
        self.place = root / "work"
        self.gates = root / "gates"
        self.ledger = root / "ledger"
        self.place.mkdir()
        self.gates.mkdir()

    def files(self, count: int, text: str = "text\n") -> list[str]:
        """Writes that many; each begins with its own name."""
        names = [f"f{number}.txt" for number in range(1, count + 1)]
        for name in names:
            (self.place / name).write_text(f"{name}\n{text}")
        return names

    def spec(self, script: str = WORKS, *words: str, name: str, **fields: Any) -> TaskSpec:
        """A shell that runs `script` on its items."""
        gates = {"GATES": str(self.gates), "LEDGER": str(self.ledger)}
        given: dict[str, Any] = {
            "argv": ("sh", "-c", script, "sh", *(words or ("{items}",))),
            "cwd": str(self.place),
            "name": name,
            "env": gates,
            "limits": Limits(cap_bytes=1 << 28, grace_s=1),
            **fields,
        }
        return TaskSpec(**given)

    async def submit(
        self, inputs: Sequence[str] | Inputs, script: str = WORKS, *words: str, **fields: Any
    ) -> str:
        """A task over these files, or these inputs; the id."""
        if not isinstance(inputs, Inputs):
            inputs = listed.files(inputs, self.place)
        spec = self.spec(script, *words, **{"name": self.root.name, **fields})
        (task_id,) = await self.operator.submit([spec], dict(os.environ), [inputs])
        return task_id

    async def running(self, inputs: Sequence[str] | Inputs, *words: str, **fields: Any) -> str:
        """One that runs, and waits at the first closed gate."""
        task_id = await self.submit(inputs, *words, **fields)
        await self.until(task_id, State.RUNNING)
        return task_id

    def let(self, *names: str) -> None:
        """Opens these gates; `all` is every one."""
        for name in names:
            (self.gates / name).touch()

    def done(self) -> Counter[str]:
        """How often each file was processed, by the name that the worker was given."""
        return Counter(self.ledger.read_text().split()) if self.ledger.exists() else Counter()

    async def until_done(self, *names: str) -> None:
        await self._until(lambda: all(self.done()[name] for name in names))

    async def row(self, task_id: str) -> Row:
        (row,) = await self.operator.tasks(ids=[task_id])
        return row

    async def until(self, task_id: str, *states: State) -> Row:
        """Its row once it is in one of these."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                row = await self.row(task_id)
                if row.state in states:
                    return row
                await asyncio.sleep(_LOOK_EVERY_S)

    async def settled(self, *task_ids: str) -> list[Row]:
        async with asyncio.timeout(WITHIN_S):
            return await self.operator.settled(task_ids)

    async def children(self, task_id: str) -> list[Row]:
        """In their order."""
        rows = [row for row in await self.operator.tasks(all=True) if row.parent == task_id]
        return sorted(rows, key=lambda row: row.part)

    async def split(
        self, task_id: str, plan: SplitPlan | None = None, **fields: Any
    ) -> SplitReport:
        """As it is planned, or as `fields` say."""
        if plan is None:
            plan = await self.operator.plan_split(task_id)
        given: dict[str, Any] = {
            "shares": plan.shares, "attempt": plan.attempt, "strategy": plan.strategy, **fields,
        }  # fmt: skip
        async with asyncio.timeout(WITHIN_S):
            return await self.operator.split(task_id, **given)

    async def events(self, task_id: str) -> list[str]:
        """What its history says."""
        return [event.text for event in (await self.operator.show(task_id)).events]

    async def until_there(self, path: Path) -> None:
        await self._until(path.exists)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                await asyncio.sleep(_LOOK_EVERY_S)


def names(shares: Iterable[Share]) -> list[list[str]]:
    """Of the items in each share."""
    return [[item.name for item in share.items] for share in shares]


def once(*names: str) -> Counter[str]:
    return Counter(names)
