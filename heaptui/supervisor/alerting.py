"""Alerts that begin and end: into the history, and to the operator's hook.

Those that stand are kept in the store, so that whoever takes over does not tell them once more.
"""

from __future__ import annotations

import asyncio

import msgspec

from heaptui import units
from heaptui.errors import StorageTrouble
from heaptui.model import Alert, Row
from heaptui.supervisor.alarms import Transition
from heaptui.supervisor.hook import Hook
from heaptui.supervisor.loop import Supervisor

BEGAN, OVER = "alert", "alert-over"
"""Kinds of the events."""

_STANDING = "alerts"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What the hook reads, a line: `event` is begin or end; `task` as `heaptui ps --json` shows
    it, None where the alert is of the machine or the task is gone."""

    event: str
    at: float
    machine: str
    alert: Alert
    task: Row | None


async def follow(supervisor: Supervisor) -> None:
    """Until cancelled."""
    alarms, argv = supervisor.alarms, supervisor.config.alerts.hook
    if told := await _told_before(supervisor):
        alarms.recall(told)
        supervisor.header_changed()
    hook = Hook(argv, lambda text: supervisor.ledger.tell("hook", text)) if argv else None
    async with asyncio.TaskGroup() as group:
        if hook is not None:
            group.create_task(hook.run(), name="alert hook")
        while True:
            await alarms.stirred.wait()
            alarms.stirred.clear()
            while alarms.transitions:
                _tell(supervisor, alarms.transitions.popleft(), hook)
            supervisor.settle_soon()
            await _keep(supervisor)


def _tell(supervisor: Supervisor, transition: Transition, hook: Hook | None) -> None:
    began, alert = transition
    now = supervisor.clock()
    task = supervisor.ledger.get(alert.task_id) if alert.task_id is not None else None
    if task is not None or alert.task_id is None:
        # what was forgotten has no history any more
        kind, text = BEGAN, alert.text
        if not began:
            kind, text = OVER, f"over after {units.duration(now - alert.since)}: {alert.text}"
        supervisor.ledger.tell(kind, text, task, alert.since if began else now)
    if hook is not None:
        notice = Notice(
            event="begin" if began else "end",
            at=alert.since if began else now,
            machine=supervisor.host.name if supervisor.host is not None else "",
            alert=alert,
            task=task.row() if task is not None else None,
        )
        hook.call(alert.id, msgspec.json.encode(notice) + b"\n")


async def _told_before(supervisor: Supervisor) -> list[Alert]:
    try:
        kept = await supervisor.store.get_meta(_STANDING)
        return msgspec.json.decode(kept or "[]", type=list[Alert])
    except (StorageTrouble, msgspec.DecodeError):
        # then what stands is told once more
        return []


async def _keep(supervisor: Supervisor) -> None:
    standing = msgspec.json.encode(supervisor.alarms.standing).decode(errors="replace")
    try:
        await supervisor.store.set_meta(_STANDING, standing)
    except StorageTrouble as trouble:
        supervisor.ledger.trouble = trouble
