"""What children are expected to reach, by what their parent did with how much of its work.

Of a task that has done something, for a slice of `tokens`::

    floor + attempts x (peak - floor) x tokens / tokens done

`floor` is the lowest memory of its latest attempt in its first minute, without the seconds in which
it only started (with them, where nobody but the store remembers it); `peak` the highest of all
attempts. Every attempt begins at the floor again, so together they grew by at most that much while
they did what is done: where several attempts did less than their share the figure is too high,
never too low on that account. It takes memory to grow with the work, as a conversation or a list of
results does; one item that needs much by itself is spread over all of them.

Of a task that has done nothing: the 95th percentile of what earlier children of that name needed.
Never more than the cap, under which each child runs. None where nothing tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from heaptui.inputs import Inputs, Item, Share
from heaptui.store.rows import base_name
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task

_LATE_S = 60.0


async def memory(
    supervisor: Supervisor,
    task: Task,
    original: Inputs,
    left: Sequence[Item],
    shares: Sequence[Share],
) -> tuple[Share, ...]:
    """The shares with `memory_bytes` where anything tells it.

    Raises:
        StorageTrouble: the store cannot be read.
    """
    open_names = {item.name for item in left} | {item.of for item in left}
    done = _weight(item for item in original.items if item.name not in open_names)
    least, peak = await _floor(supervisor, task), task.peak_bytes
    if not done or least is None or peak is None:
        usual = _capped(await _usual(supervisor, task), task)
        return tuple(replace(share, memory_bytes=usual) for share in shares)
    grown = max(1, task.attempts) * max(0, peak - least)
    return tuple(
        replace(share, memory_bytes=_capped(least + int(grown * _weight(share.items) / done), task))
        for share in shares
    )


async def _floor(supervisor: Supervisor, task: Task) -> int | None:
    gauge, began = task.gauge, task.started_at
    if began is None:
        return None
    if gauge is not None and gauge.first is not None:
        # of one that was taken over late the first minute is not held any more
        return gauge.floor if gauge.first - began < _LATE_S else None
    for rollup in await supervisor.store.rollups(task.id, began - _LATE_S):
        if rollup.attempt == task.attempts and rollup.minute * 60 - began < _LATE_S:
            return rollup.low
    return None


async def _usual(supervisor: Supervisor, task: Task) -> int | None:
    """Of earlier children of its name."""
    expected, name = supervisor.admission.expected, (task.spec.kind, base_name(f"{task.name}:1"))
    if expected.unread(name):
        await expected.learn(name)
    return expected.usual(name)


def _capped(expected: int | None, task: Task) -> int | None:
    cap = task.spec.limits.cap_bytes or task.cap_bytes
    return expected if expected is None or not cap else min(expected, cap)


def _weight(items: Iterable[Item]) -> int:
    """Tokens; what is empty is some work as well."""
    return sum(max(1, item.tokens) for item in items)
