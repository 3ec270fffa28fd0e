"""What happened, to all tasks and to the machine, as far as it is stored."""

from __future__ import annotations

from contextlib import suppress

from heaptui.errors import StorageTrouble
from heaptui.model import Event
from heaptui.protocol import RecentEvents
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.operations import resolve

ANSWERED_MOST = 20_000


async def events(supervisor: Supervisor, call: RecentEvents) -> list[Event]:
    """Raises NoSuchTask where the task is named and none fits."""
    task = None if call.task is None else await resolve(supervisor, call.task)
    with suppress(StorageTrouble):  # shown in the header; what is stored can be told all the same
        await supervisor.ledger.commit()
    limit = max(0, min(call.limit, ANSWERED_MOST))
    if task is None:
        return await supervisor.store.recent_events(limit, call.since)
    found = await supervisor.store.events(task.id, limit)
    return [event for event in found if event.seq > call.since]
