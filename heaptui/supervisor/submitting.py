"""Queueing what an operator asks for: checked, as it would be launched, then stored, then offered
for dispatch; all of a submission, or nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from heaptui import protocol
from heaptui.errors import Refused, UsageError
from heaptui.inputs import Inputs
from heaptui.model import TaskSpec
from heaptui.runtime import heap_limits, presets
from heaptui.runtime.caps import share_of_host
from heaptui.supervisor.lasting import seen_through
from heaptui.supervisor.launching import check_inputs, prepared
from heaptui.supervisor.limits import check_limits
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task

TASKS_AT_ONCE = 10_000
_ID = re.compile(r"[0-9a-z]{4,32}")


class _New(NamedTuple):
    id: str
    spec: TaskSpec
    inputs: Inputs | None


async def submit(supervisor: Supervisor, request: protocol.Submit) -> list[str]:
    """Queues tasks: all of them, or none. Ids that are known already are not queued again.

    Raises:
        UsageError, Refused: one of them could never run; nothing is queued.
        StorageTrouble: they cannot be stored; nothing is queued.
    """
    new = await _not_known(supervisor, request)
    checked: set[bytes] = set()
    for one in new:
        key = _key(one.spec)
        if one.inputs is not None or key not in checked:
            await _check(supervisor, one, request.environment)
            checked.add(key)
    # who hangs up now has queued them all the same
    await seen_through(_queue(supervisor, new, request.environment))
    return list(request.ids)


async def _not_known(supervisor: Supervisor, request: protocol.Submit) -> list[_New]:
    ids, specs, inputs = request.ids, request.specs, request.inputs or [None] * len(request.specs)
    if len(ids) != len(specs) or not 0 < len(ids) <= TASKS_AT_ONCE:
        raise UsageError(
            f"{len(specs)} tasks in one submission with {len(ids)} ids.",
            f"Submit 1 to {TASKS_AT_ONCE} at once.",
        )
    if len(inputs) != len(specs):
        raise UsageError(
            f"{len(specs)} tasks in one submission, and inputs of {len(inputs)}.",
            "Name the inputs of each, null for one that has none, or of none at all.",
        )
    if len(set(ids)) != len(ids):
        raise UsageError("One id names two tasks of the submission.", "Choose ids by `new_ids`.")
    new: list[_New] = []
    for one in map(_New, ids, specs, inputs):
        if not _ID.fullmatch(one.id):
            raise UsageError(f"{one.id[:40]!r} is no task id.", "Six letters and digits.")
        known = supervisor.ledger.get(one.id) is not None
        if known and not request.again:
            raise Refused(f"There is a task {one.id} already.", "Submit again: ids are random.")
        if not known and request.again:
            known = await supervisor.store.task(one.id) is not None
        if not known:
            new.append(one)
    return new


async def _check(supervisor: Supervisor, new: _New, environment: dict[str, str]) -> None:
    """Whether it could run, as far as that can be known."""
    cap = _cap(supervisor, new.spec)[0]
    check_limits(new.spec, cap, supervisor.engine.nodes()[0].mem_total_bytes)
    launch = await prepared(
        supervisor.around,
        new.spec,
        task_id=new.id,
        attempt=1,
        environment=environment,
        cap_bytes=cap,
        means=supervisor.means,
    )
    if new.inputs is not None:
        await asyncio.to_thread(check_inputs, supervisor.state, new.id, launch, new.inputs)


async def _queue(supervisor: Supervisor, new: Sequence[_New], environment: dict[str, str]) -> None:
    added: list[Task] = []
    try:
        key = supervisor.environments.keep(environment)
        for task_id, spec, inputs in new:
            supervisor.order += 1
            cap, source = _cap(supervisor, spec)
            order = supervisor.order
            added.append(supervisor.ledger.add(task_id, spec, order, cap, source, key, inputs))
        await supervisor.ledger.commit()
    except BaseException:
        for task in added:
            supervisor.ledger.drop(task)
        raise
    for task in added:
        supervisor.ledger.enqueue(task)
    await supervisor.tell_unended()
    supervisor.dispatch.wake.set()


def _key(spec: TaskSpec) -> bytes:
    """What two tasks share when one check serves both."""
    return msgspec.json.encode(msgspec.structs.replace(spec, name=""))


def _cap(supervisor: Supervisor, spec: TaskSpec) -> tuple[int, str]:
    if spec.limits.cap_bytes is not None:
        return spec.limits.cap_bytes, "given"
    total = supervisor.engine.nodes()[0].mem_total_bytes
    cap, source = supervisor.config.limits.cap_bytes, "config"
    if cap is None:
        share = supervisor.config.limits.share
        cap, source = share_of_host(total, supervisor.dispatch.concurrency, share), "share"
    if spec.preset:
        preset = presets.find(spec.preset, supervisor.around.own_presets)
        grown = heap_limits.cap_for(spec, preset, cap, total)
        if grown is not None:
            return grown, "preset"
    return cap, source
