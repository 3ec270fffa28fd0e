"""What may be asked of a supervisor, wherever it lives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct

from heaptui.inputs import Inputs, Share, SplitPlan, SplitReport
from heaptui.model import (
    AttemptRecord,
    Collection,
    Detail,
    Event,
    Finding,
    Host,
    Measures,
    ResultFile,
    Row,
    SelfReport,
    Series,
    Snapshot,
    SnapshotPlan,
    TaskSpec,
)
from heaptui.protocol import Change, Picture, Pong


class Down(Struct, frozen=True):
    """The stream is interrupted; it goes on by itself. `why` for the screen."""

    why: str


Update = Picture | Change | Down


class Operator(Protocol):
    """What the app and the commands may ask of a supervisor, wherever it lives."""

    async def submit(
        self,
        specs: list[TaskSpec],
        environment: dict[str, str],
        inputs: Sequence[Inputs | None] = (),
    ) -> list[str]: ...
    async def tasks(self, *, all: bool = False, ids: Sequence[str] = ()) -> list[Row]: ...
    async def show(self, task: str, events: int = 200) -> Detail: ...
    async def history(self, limit: int = 100, match: str = "") -> list[AttemptRecord]: ...
    async def events(
        self, limit: int = 100, *, task: str | None = None, since: int = 0
    ) -> list[Event]: ...
    async def series(self, task: str, span_s: float = 1800) -> Series: ...
    async def stop(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        now: bool = False,
        drain: bool = False,
        grace_s: float | None = None,
    ) -> list[Row]: ...
    async def retry(
        self, tasks: Sequence[str], *, attempts: Sequence[int] | None = None
    ) -> list[Row]: ...
    async def forget(self, tasks: Sequence[str]) -> int: ...
    async def dispatch(
        self,
        *,
        paused: bool | None = None,
        concurrency: int | None = None,
        policy: str | None = None,
    ) -> Host: ...
    async def settled(self, tasks: Sequence[str]) -> list[Row]: ...
    async def collect(
        self, tasks: Sequence[str], *, attempts: Sequence[int] | None = None, pid: int | None = None
    ) -> list[Collection]: ...
    async def plan_snapshot(
        self, task: str, *, pid: int | None = None, path: str | None = None
    ) -> SnapshotPlan: ...
    async def take_snapshot(
        self,
        task: str,
        *,
        attempt: int | None = None,
        pid: int | None = None,
        path: str | None = None,
        raise_cap: bool = False,
        insist: bool = False,
    ) -> Snapshot: ...
    async def snapshots(self, task: str | None = None) -> list[Snapshot]: ...
    async def delete_snapshots(self, ids: Sequence[int]) -> int: ...
    async def hunt(
        self,
        task: str,
        *,
        attempt: int | None = None,
        pid: int | None = None,
        seconds: float = 120.0,
        requests: int | None = None,
        raise_cap: bool = False,
    ) -> Finding: ...
    async def findings(self, task: str | None = None) -> list[Finding]: ...
    async def cancel_activity(self, id: str) -> bool: ...
    async def raise_limits(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        cap_bytes: int | None = None,
        heap_bytes: int | None = None,
    ) -> list[Row]: ...
    async def recycle(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        insist: bool = False,
    ) -> list[Row]: ...
    async def plan_split(
        self,
        task: str,
        *,
        strategy: str = "",
        into: int | None = None,
        budget_tokens: int | None = None,
        planner: Sequence[str] = (),
    ) -> SplitPlan: ...
    async def split(
        self,
        task: str,
        shares: Sequence[Share],
        *,
        attempt: int | None = None,
        strategy: str = "",
        timeout_s: float | None = None,
        left_out: Sequence[str] = (),
        reduce: Sequence[str] = (),
        insist: bool = False,
    ) -> SplitReport: ...
    async def result(self, task: str) -> ResultFile: ...
    async def measures(self, records: int = 200) -> Measures: ...
    async def metrics(self) -> str: ...
    async def look_at_self(self) -> SelfReport: ...
    async def leave(self) -> None: ...
    async def ping(self) -> Pong: ...
    def watch(self) -> AsyncIterator[Update]: ...
