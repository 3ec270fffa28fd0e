"""What a garbage collection would cost, and what it did, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import Collection, Row
from heaptui.tui.cells import safe
from heaptui.tui.heaps import pause_range_s
from heaptui.tui.lines import Line, field, fitted, flow, sentence
from heaptui.tui.targets import LISTED, called
from heaptui.units import duration, size


def cost_lines(rows: Sequence[Row], width: int) -> list[Line]:
    """The targets with their heaps, and how long each may stand still."""
    lines: list[Line] = []
    for row in rows[:LISTED]:
        pause = pause_range_s(row.heap_used_bytes)
        name = fitted(((called(row), "strong"),), width - 50)
        heap = f"  attempt {row.attempts:<3} heap {size(row.heap_used_bytes):>6}"
        lines.append((*name, (heap, "plain"), (f"  {_range(pause)}", "amber")))
    if len(rows) > LISTED:
        lines.append(((f"and {len(rows) - LISTED} more", "dim"),))
    processes = sum(max(1, row.heaps) for row in rows)
    heaps = sum(row.heap_used_bytes or 0 for row in rows)
    lines += flow([field("heaps", str(processes)), field("in use", size(heaps), "violet")], width)
    return lines + sentence(
        "Every program stands still while its heap is collected: how long depends on what is in "
        "it, large strings or small objects. Nothing is lost by it.",
        width,
    )


def _range(pause: tuple[float, float] | None) -> str:
    if pause is None:
        return "pause not known"
    return f"pause {_seconds(pause[0])} to {_seconds(pause[1])}"


def _seconds(value: float) -> str:
    return f"{value:.1f}s" if value < 10 else duration(value)


def collected(found: Sequence[Collection], names: dict[str, str]) -> tuple[str, bool]:
    """The sentence that says what came of it, and whether something could not be done. `names` are
    the tasks' by id."""
    failed = [each for each in found if each.error is not None]
    if not found:
        return "No heap was there to collect.", True
    if len(found) == 1:
        return _told(found[0], names), bool(failed)
    done = [each for each in found if each.error is None]
    heap = _sums([(each.heap_before, each.heap_after) for each in done])
    memory = _sums([(each.rss_before, each.rss_after) for each in done])
    parts = [f"{len(done)} heaps collected"] if done else []
    if heap:
        parts.append(f"heap {heap}")
    if memory:
        parts.append(f"memory {memory}")
    if done:
        longest = max(each.pause_s for each in done)
        parts.append(f"longest pause {longest * 1000:.0f} ms")
    said = ", ".join(parts)
    lines = [said] if said else []
    lines += [_told(each, names) for each in failed[:2]]
    if len(failed) > 2:
        lines.append(f"and {len(failed) - 2} more could not be collected")
    return "\n".join(lines), bool(failed)


def _told(each: Collection, names: dict[str, str]) -> str:
    name = safe(names.get(each.task_id, each.task_id))
    said = safe(each.error or each.text)
    return said if said.startswith(name) else f"{name}: {said}"


def _sums(pairs: Sequence[tuple[int | None, int | None]]) -> str:
    known = [(before, after) for before, after in pairs if before is not None and after is not None]
    if not known:
        return ""
    before, after = (sum(side) for side in zip(*known, strict=True))
    return f"{size(before)} → {size(after)}"
