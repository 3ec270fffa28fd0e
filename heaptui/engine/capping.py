"""Changing the cap of an attempt that runs: raised while a snapshot is written, and put back.

A raise is noted in the attempt's plan before it is made, so that whichever engine comes next knows
what to put back.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import sys
import time
from pathlib import Path

import msgspec

from heaptui import units
from heaptui.engine import plan as plans
from heaptui.engine.plan import Writing, data_limit
from heaptui.engine.run import Run
from heaptui.errors import Refused
from heaptui.memory.identity import alive
from heaptui.model import CapMeans, Identity

_LOOK_AGAIN_S = 1.0
_SPARED_SHARE = 64
"""A cap is not put so near to what is in use that the next page would be the last."""

_BEGINS_WITHIN_S = 30.0
_ENDS_WITHIN_S = 600.0
"""A snapshot of whose end nobody would hear: its file is there by then, or it never will be; and it
is whole by then, or its process hangs."""

_ROUNDS = 10


async def change_cap(run: Run, cap_bytes: int) -> int | None:
    """Puts another cap in force; the one before.

    Raises:
        Refused: it has none, more is in use, a snapshot is being written under the raised one, or
            this user may not change it.
    """
    async with run.capping:
        before = run.plan.cap_bytes
        if before is None or run.plan.means is None:
            raise Refused(
                f"Nothing holds a cap of {run.plan.task_id} that could be changed.",
                "Launch it with --cap.",
            )
        if cap_bytes > before:
            await _raise(run, cap_bytes)
        elif cap_bytes < before:
            await _lower(run, cap_bytes)
        return before


async def put_back(run: Run) -> None:
    """Puts back the cap that an engine which is gone had raised: once what it was raised for is
    over, and less is in use than it allows. Ends as soon as somebody else decides on the cap."""
    now = time.time()
    run.writes(*(msgspec.structs.replace(one, left_at=now) for one in run.plan.writing))
    told = False
    while (cap := run.plan.raised_from) is not None and not run.cap_decided:
        try:
            raised = await change_cap(run, cap)
        except Refused as refused:
            if not told:
                told = True
                run.say(run, "cap", f"its cap is still raised: {refused.what}")
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            was = units.size(raised) if raised else "more"
            run.say(run, "cap", f"its cap is {units.size(cap)} again; it had been raised to {was}")


def written_now(run: Run) -> tuple[Writing, ...]:
    """The snapshots that its processes may still be writing."""
    now = time.time()
    going_on = tuple(one for one in run.plan.writing if _goes_on(one, now))
    if going_on != run.plan.writing:
        run.writes(*going_on)
    return going_on


def _goes_on(writing: Writing, now: float) -> bool:
    if not alive(writing.identity):
        return False
    if writing.left_at is None:
        return True
    waited_s = now - writing.left_at
    if waited_s > _ENDS_WITHIN_S or Path(writing.path).exists():
        return False
    return waited_s < _BEGINS_WITHIN_S or Path(f"{writing.path}.part").exists()


async def _raise(run: Run, cap_bytes: int) -> None:
    before = run.plan
    launched_with = before.raised_from or before.cap_bytes
    after = msgspec.structs.replace(
        before,
        cap_bytes=cap_bytes,
        raised_from=launched_with if launched_with != cap_bytes else None,
    )
    try:
        plans.keep(after)
    except OSError as error:
        raise Refused(
            f"The cap stays, for a change of it cannot be noted: {error.strerror or error}.",
            "Free space on the state directory's disk.",
        ) from error
    run.plan = after
    try:
        await _put_in_force(run, cap_bytes, before.cap_bytes)
    except OSError as error:
        run.plan = msgspec.structs.replace(
            run.plan, cap_bytes=before.cap_bytes, raised_from=before.raised_from
        )
        run.note_plan()
        raise _refused(run, cap_bytes, error) from error


async def _lower(run: Run, cap_bytes: int) -> None:
    if written_now(run):
        raise Refused(
            "The cap stays while a snapshot is written under it.", "Wait until it is written."
        )
    used = await _used(run)
    if used > cap_bytes - cap_bytes // _SPARED_SHARE:
        raise Refused(
            f"{units.size(used)} are in use: a cap of {units.size(cap_bytes)} would end it.",
            "Collect its garbage, or leave the cap as it is.",
        )
    before = run.plan.cap_bytes
    try:
        await _put_in_force(run, cap_bytes, before)
    except OSError as error:
        raise _refused(run, cap_bytes, error) from error
    raised_from = run.plan.raised_from
    run.plan = msgspec.structs.replace(
        run.plan,
        cap_bytes=cap_bytes,
        raised_from=raised_from if raised_from is not None and cap_bytes > raised_from else None,
    )
    run.note_plan()


async def _used(run: Run) -> int:
    usage = None if run.group is None else run.group.usage()
    if usage is None:
        usage = await run.sampler.judged(run.plan.task_id)
    return usage or 0


async def _put_in_force(run: Run, cap_bytes: int, before: int | None) -> None:
    """Raises OSError: the kernel refused it, and the one before is in force."""
    match run.plan.means:
        case CapMeans.CGROUP1 | CapMeans.CGROUP2 if run.group is not None:
            # the kernel makes room first, which takes as long as it takes
            await asyncio.to_thread(run.group.set_cap, cap_bytes)
        case CapMeans.RLIMIT:
            _limit_data(run, data_limit(run.plan, before), data_limit(run.plan, cap_bytes))
        case _:  # the watchdog reads the plan
            return


def _limit_data(run: Run, before: int | None, after: int | None) -> None:
    """Moves RLIMIT_DATA of everybody who still has the one of the launch; who set another keeps
    it."""
    if before is None or after is None or before == after:
        return
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "the limit of a running process cannot be changed here")
    moved: list[Identity] = []
    try:
        # a child forked meanwhile has the old one: until a look finds nobody who does
        for _ in range(_ROUNDS):
            todo = [one for one in run.living() if _data_limit_of(one) == before]
            if not todo:
                return
            for identity in todo:
                _move_limit(identity, after)
                moved.append(identity)
    except OSError:
        for identity in moved:
            _move_limit(identity, before)
        raise


def _data_limit_of(identity: Identity) -> int | None:
    try:
        return resource.prlimit(identity.pid, resource.RLIMIT_DATA)[0]
    except ProcessLookupError:
        return None


def _move_limit(identity: Identity, soft: int) -> None:
    """Only who has the right to may raise a hard limit: one that allows the soft one stays.

    Raises:
        PermissionError: this user has not.
    """
    try:
        hard = resource.prlimit(identity.pid, resource.RLIMIT_DATA)[1]
        if hard != resource.RLIM_INFINITY:
            hard = max(hard, soft)
        resource.prlimit(identity.pid, resource.RLIMIT_DATA, (soft, hard))
    except ProcessLookupError:
        return


def _refused(run: Run, cap_bytes: int, error: OSError) -> Refused:
    if isinstance(error, PermissionError) and run.plan.means is CapMeans.RLIMIT:
        return Refused(
            "Its process limit was set when it was launched; this user may not raise it.",
            "Where a cgroup holds caps they can be raised; or retry the task with a larger --cap.",
        )
    why = "more is in use" if error.errno == errno.EBUSY else error.strerror or str(error)
    return Refused(
        f"Its cap cannot become {units.size(cap_bytes)} by {run.plan.means}: {why}.",
        "Leave it as it is, or retry the task with another --cap.",
    )
