"""What `heaptui inspect` asks of a process, and how it shows the answer."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from heaptui.cli import listing
from heaptui.cli.tables import Column, put_table
from heaptui.errors import UsageError
from heaptui.inspection import asking, python
from heaptui.inspection.foreign import Foreign, foreigners
from heaptui.model import ProcessHeap
from heaptui.units import duration, short_size

_COLUMNS = (
    Column("PID", right=True),
    Column("USER", leaves=1),
    Column("RUNTIME"),
    Column("MEMORY", right=True),
    Column("AGE", right=True, leaves=2),
    Column("COMMAND", least=16),
    Column("WHAT IS POSSIBLE", least=20),
)
_FRAMES = 12


def put(
    pid: int | None, *, collecting: bool, snapshot: Path | None, insist: bool, json_: bool
) -> None:
    """Asks, and prints what came of it; without a `pid` the list of those that could be asked.

    Raises:
        UsageError: something is to be done, and not said to which process.
        NoSuchTask, Refused: that process cannot be asked; with the reason.
    """
    if pid is None:
        if collecting or snapshot:
            raise UsageError("Of which process?", "`heaptui inspect` lists them.")
        _put_list(foreigners(), json_=json_)
        return
    foreign = asking.require(pid)
    if snapshot is not None:
        took = asyncio.run(asking.snapshot(foreign, snapshot.absolute(), insist=insist))
        print(f"written in {took:.1f} s; it may hold secrets: mode 0600", file=sys.stderr)
        print(snapshot.absolute())
    elif collecting:
        done = asyncio.run(asking.collect(foreign))
        if json_:
            listing.put_json(done)
        else:
            print(listing.clean(done.text, 200))
    elif foreign.runtime == "python" and foreign.way("heap").why is not None:
        _put_stacks(foreign, json_=json_)
    else:
        heap = asyncio.run(asking.heap(foreign))
        if json_:
            listing.put_json(heap)
        else:
            _put_heap(heap)


def _put_list(found: list[Foreign], *, json_: bool) -> None:
    if json_:
        listing.put_json(found)
    elif not found:
        print("no Node or Python process of this user", file=sys.stderr)
    else:
        put_table(_COLUMNS, [_cells(one) for one in found])


def _cells(one: Foreign) -> list[str]:
    return [
        str(one.pid),
        listing.clean(one.user, 16),
        one.runtime + (f" {one.version}" if one.version else ""),
        short_size(one.rss_bytes),
        duration(one.age_s),
        listing.clean(one.command, 60),
        listing.clean(what_is_possible(one), 160),
    ]


def what_is_possible(one: Foreign) -> str:
    """In a sentence: the verbs that are; of the others why not, those with one reason together."""
    if one.task is not None:
        return f"a process of heaptui's task {one.task}: its keys do this"
    verbs = [way.verb for way in one.possible if way.how is not None]
    lacking: dict[str, list[str]] = {}
    for way in one.possible:
        if way.why is not None:
            lacking.setdefault(way.why, []).append(way.verb)
    if not verbs and len(lacking) == 1:
        return next(iter(lacking))
    reasons = [f"{_listed(of)}: {why}" for why, of in lacking.items()]
    return "; ".join([*([", ".join(verbs)] if verbs else []), *reasons])


def _listed(verbs: list[str]) -> str:
    *others, last = verbs
    return f"{', '.join(others)} and {last}" if others else last


def _put_heap(heap: ProcessHeap) -> None:
    rows = [
        ("heap used", heap.used_bytes),
        ("heap committed", heap.committed_bytes),
        ("heap limit", heap.limit_bytes),
        ("old space", heap.old_bytes),
        ("new space", heap.new_bytes),
        ("external", heap.external_bytes),
        ("ArrayBuffers", heap.array_buffers_bytes),
        ("memory (RSS)", heap.rss_bytes),
    ]
    print(f"{heap.runtime} {heap.version}, pid {heap.pid}: {listing.clean(heap.title, 100)}")
    for name, value in rows:
        if value is not None:
            print(f"  {name:<15} {short_size(value):>7}")
    if heap.blocks is not None:
        print(f"  {'blocks':<15} {heap.blocks:>7,}")


def _put_stacks(foreign: Foreign, *, json_: bool) -> None:
    stacks = asyncio.run(python.stacks(foreign))
    if json_:
        listing.put_json(stacks)
        return
    print(f"its heap cannot be asked: {foreign.way('heap').why}", file=sys.stderr)
    for stack in stacks:
        state = "runs" if stack.active else "waits"
        print(f"thread {listing.clean(stack.thread, 40)}: {state}")
        for frame in stack.frames[:_FRAMES]:
            where = f"{listing.clean(frame.file, 60)}:{frame.line}"
            print(f"  {listing.clean(frame.name, 40):<40} {where}")
        if len(stack.frames) > _FRAMES:
            print(f"  … and {len(stack.frames) - _FRAMES} more")
