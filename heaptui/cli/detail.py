"""The page of `heaptui show`. What tasks print and are called is made harmless."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from heaptui import units
from heaptui.cli.listing import clean, ending, instant, took
from heaptui.family import part_words, split_words
from heaptui.model import Detail, ProcessHeap, Row, State


def put_detail(detail: Detail, children: Sequence[Row] = ()) -> None:
    """The page of `heaptui show`. `children` are what the task was split into."""
    row = detail.row
    limit = [f"cap {units.size(row.cap_bytes)} ({row.cap_source})"]
    if row.cap_means:
        limit.append(f"by {row.cap_means}")
    if row.heap_limit_bytes:
        limit.append(f"heap {units.size(row.heap_limit_bytes)}")
    if row.preset:
        limit.append(f"preset {clean(row.preset)}")
    if row.timeout_s:
        limit.append(f"time-out {units.duration(row.timeout_s)}")
    limit.append(f"retries {row.retries}")
    lines: list[tuple[str, str]] = [
        ("task", f"{clean(row.name)}  {row.id}"),
        ("state", _state(row, children)),
        *([("part", clean(part_words(row), 200))] if row.parent else []),
        ("command", clean(shlex.join(row.argv), 400)),
        ("directory", clean(row.cwd, 400)),
        ("limits", ", ".join(limit)),
        *(("raised", clean(text, 200)) for text in _pending(detail)),
        ("memory", _memory(row)),
        *(("policy", text) for text in _policy(row)),
        *(("work", text) for text in _work(row)),
        *(("context", text) for text in _context(row)),
        *(("heap", _heap(heap)) for heap in detail.heaps),
        *([("heap", clean(row.heap_absent, 200))] if row.heap_absent else []),
        ("created", instant(row.created_at)),
        ("started", instant(row.started_at)),
        ("ended", instant(None if row.state is State.SPLIT else row.ended_at)),
        ("exit", _exit(row)),
        ("output", clean(detail.output_path or units.UNKNOWN, 400)),
    ]
    if detail.env_names:
        names = ", ".join(clean(name) for name in detail.env_names)
        lines.append(("variables", f"{names} (values are not shown)"))
    for label, text in lines:
        print(f"{label:<10} {text}")
    if len(detail.attempts) > 1 or any(one.evidence for one in detail.attempts):
        print("\nattempts")
        for one in detail.attempts:
            print(
                f"  {one.attempt}  {instant(one.started_at)}  {units.duration(took(one)):>6}  "
                f"peak {units.size(one.peak_bytes):>6}  {clean(one.reason or one.status, 400)}"
            )
            for line in one.evidence:
                print(f"     {clean(line, 400)}")
    if children:
        print("\nchildren")
        for child in children:
            items = "" if child.items is None else f"  {child.items_done or 0}/{child.items} done"
            print(
                f"  {child.part:>3}  {child.id}  {child.state.value:<11}  "
                f"peak {units.size(child.peak_bytes):>6}  {clean(child.title, 80)}{items}"
            )
    if detail.processes:
        print("\nprocesses")
        for process in detail.processes:
            indent = "  " * (process.depth + 1)
            print(
                f"{process.pid:>8} {units.size(process.rss_bytes):>7}{indent}"
                f"{clean(process.command, 100)}"
            )
    if detail.events:
        print("\nevents")
        for event in detail.events:
            print(f"  {instant(event.at)}  {clean(event.text, 400)}")


def _state(row: Row, children: Sequence[Row]) -> str:
    if row.state is State.SPLIT:
        return clean(split_words(row, children), 200)
    return "running" if row.state is State.RUNNING else ending(row)


def _context(row: Row) -> list[str]:
    """How full its model's context is."""
    if row.context_tokens is None:
        return []
    limit = row.context_limit
    of = f" of {limit:,} ({row.context_tokens / limit:.0%})" if limit else ""
    return [f"{row.context_tokens:,}{of} tokens at its latest call"]


def _pending(detail: Detail) -> list[str]:
    """What was raised during the attempt that runs, and holds from the next one on."""
    row = detail.row
    if not row.state.live:
        return []
    return [
        event.text.removeprefix("raised ")
        for event in detail.events
        if event.kind == "raised" and event.attempt == row.attempts
    ]


def _memory(row: Row) -> str:
    if row.memory_bytes is None:
        return f"peak {units.size(row.peak_bytes)}"
    parts = [
        units.size(row.memory_bytes)
        + (f" by {row.memory_from}" if row.memory_from else " of its children")
        + f", rss {units.size(row.rss_bytes)}",
        f"peak {units.size(row.peak_bytes)}",
    ]
    if row.growth_bytes_per_min is not None:
        parts.append(f"{units.growth(row.growth_bytes_per_min)} a minute")
    if row.to_cap_s is not None:
        parts.append(f"cap in {units.duration(row.to_cap_s)}")
    return ", ".join([*parts, f"processes {row.processes}"])


def _policy(row: Row) -> list[str]:
    """What the memory policy reckons with, and what it did."""
    parts = []
    if row.doing:
        parts.append(clean(row.doing, 100))
    if row.soft_bytes:
        parts.append(f"acts from {units.size(row.soft_bytes)}")
    if row.expected_bytes:
        parts.append(f"expected to reach {units.size(row.expected_bytes)}")
    if row.recycles:
        parts.append(f"recycled {_times(row.recycles)}")
    if row.ooms:
        parts.append(f"tried again {_times(row.ooms)} after it ran out of memory")
    return [", ".join(parts)] if parts else []


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _work(row: Row) -> list[str]:
    """What the worker told of its work."""
    parts = []
    if row.done is not None:
        of = "" if row.total is None else f"/{row.total:g}"
        parts.append(f"{row.done:g}{of} done")
    if row.items is not None and row.done is not None and row.done != row.items_done:
        parts.append(f"{row.items_done or 0}/{row.items} items done")
    if row.progress:
        parts.append(clean(row.progress, 80))
    if row.checkpoint_at is not None:
        size = units.size(row.checkpoint_bytes)
        parts.append(f"checkpoint of {instant(row.checkpoint_at)}, {size}")
    if row.result_bytes is not None:
        parts.append(f"result of {units.size(row.result_bytes)}: `heaptui result {row.id}`")
    return [", ".join(parts)] if parts else []


def _heap(heap: ProcessHeap) -> str:
    """One process's, as it reported it."""
    of = "" if heap.limit_bytes is None else f" of {units.size(heap.limit_bytes)}"
    external = heap.external_bytes
    parts = [
        f"{heap.pid}: {units.size(heap.used_bytes)}{of} used",
        f"committed {units.size(heap.committed_bytes)}",
        *([] if external is None else [f"external {units.size(external)}"]),
        clean(f"{heap.runtime} {heap.version.lstrip('v')}", 40),
    ]
    if heap.gc_count is not None:
        took = f" in {heap.gc_s:.1f} s" if heap.gc_s is not None else ""
        parts.append(f"{units.count(heap.gc_count)} collections{took}")
    if heap.main != "idle":
        parts.append(f"main thread {clean(heap.main, 20)}")
    return ", ".join(parts)


def _exit(row: Row) -> str:
    if row.signal is not None:
        return f"signal {row.signal}"
    return units.UNKNOWN if row.exit_code is None else str(row.exit_code)
