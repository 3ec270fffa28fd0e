"""The figures beside the chart: what a task has, what it may have, and how it ended.

What is not known is left out where a figure would stand alone, and is a dot where it belongs to a
pair; it is never a zero.
"""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import Detail, Row, State, VerdictKind
from heaptui.tui.danger import SOON_S
from heaptui.tui.lines import Line, Role, field, flow, one_line, sentence
from heaptui.tui.relations import part_words, split_lines
from heaptui.tui.widgets.dock.chart import level_role
from heaptui.tui.widgets.dock.events import evidence_of, recent
from heaptui.tui.widgets.dock.heap import heap_lines
from heaptui.tui.widgets.reasons import doing_of
from heaptui.tui.words import cap_source_words, pair_words, progress_words
from heaptui.units import duration, growth, short_size, size


def figures(
    row: Row,
    detail: Detail | None,
    width: int,
    height: int,
    now: float,
    children: Sequence[Row] = (),
) -> list[Line]:
    """At most `height` lines for the right side of the memory pane, the newest events last. Those
    take no room from figures. `children` are those it was split into."""
    part = part_words(row)
    lines = sentence(part, width) if part else []
    if row.state is State.SPLIT:
        lines += _split(row, children, width)
    elif row.state.ended:
        lines += _ended(row, detail, width, now)
    elif row.state.live:
        lines += _live(row, detail, width, now)
    else:
        lines += _waiting(row, width, now)
    lines = lines[:height]
    room = height - len(lines)
    if detail is not None and room > 0:
        lines += recent(detail.events, width, room, now)
    return lines


def _live(row: Row, detail: Detail | None, width: int, now: float) -> list[Line]:
    heap = heap_lines(row, detail.heaps if detail is not None else (), width, now)
    doing = doing_of(row)
    lines = sentence(doing, width, "sky") if doing else []
    if row.heap_used_bytes is None:
        lines += flow([*_memory(row), *_shares(row)], width) + flow(_danger(row), width)
        lines += flow(_work(row, now), width) + flow(_processes(row, now), width) + heap
        return lines + flow([*_limits(row, now), *_ladder(row)], width)
    # heap against the rest comes first: it decides what there is to do
    lines += flow(_memory(row), width) + flow(_work(row, now), width) + heap
    lines += flow(_danger(row), width)
    lines += flow([*_limits(row, now), *_ladder(row)], width)
    return lines + flow([*_processes(row, now), *_shares(row)], width)


def _split(row: Row, children: Sequence[Row], width: int) -> list[Line]:
    """What its children hold and have done together, then each of them."""
    fields = [field("memory", size(row.memory_bytes))]
    if row.growth_bytes_per_min is not None:
        fields.append((*field("growth", growth(row.growth_bytes_per_min)), (" a minute", "dim")))
    if row.processes is not None:
        fields.append(field("processes", str(row.processes)))
    if pair := pair_words(row):
        fields.append(field("done", pair))
    head, *each = split_lines(row, children, width)
    return [head, *flow(fields, width), *each]


def _memory(row: Row) -> list[Line]:
    shown = size(row.memory_bytes)
    role: Role = (
        "plain"
        if row.memory_bytes is None
        else level_role(row.memory_bytes, row.cap_bytes, row.soft_bytes)
    )
    fields = [field("memory", shown, "plain" if role == "quantity" else role)]
    if row.memory_from is not None:
        fields[0] = (*fields[0], (f" by {row.memory_from}", "dim"))
    fields.append(field("peak", size(row.peak_bytes)))
    return fields


def _shares(row: Row) -> list[Line]:
    """The other ways to count it."""
    fields = []
    for label, value in (
        ("rss", row.rss_bytes),
        ("pss", row.pss_bytes),
        ("uss", row.uss_bytes),
    ):
        if value is not None and label != row.memory_from:
            fields.append(field(label, size(value)))
    return fields


def _danger(row: Row) -> list[Line]:
    if row.growth_bytes_per_min is None:
        return []
    near = row.to_cap_s is not None and row.to_cap_s < SOON_S
    role = level_role(row.memory_bytes or 0, row.cap_bytes, row.soft_bytes)
    hot: Role = ("red" if role == "red" else "amber") if near else "plain"
    fields = [(*field("growth", growth(row.growth_bytes_per_min), hot), (" a minute", "dim"))]
    if row.to_cap_s is not None:
        fields.append(field("cap in", duration(row.to_cap_s), hot))
    return fields


def _processes(row: Row, now: float) -> list[Line]:
    fields = []
    if row.processes is not None:
        fields.append(field("processes", str(row.processes)))
    if row.pid is not None:
        fields.append(field("pid", str(row.pid)))
    if row.cpu_percent is not None:
        fields.append(field("cpu", f"{row.cpu_percent:.0f}%"))
    if row.started_at is not None:
        fields.append(field("age", duration(max(0.0, now - row.started_at))))
    return fields


def _limits(row: Row, now: float) -> list[Line]:
    """Cap, soft limit and time-out, with what enforces the cap and where it comes from."""
    fields: list[Line] = []
    if row.cap_bytes is not None:
        cap = field("cap", short_size(row.cap_bytes))
        if row.cap_means is not None:
            cap = (*cap, (f" by {row.cap_means.value}", "dim"))
        fields.append(cap)
        if row.soft_bytes is not None:
            fields.append(field("soft at", size(row.soft_bytes)))
        if row.expected_bytes is not None and row.expected_bytes != row.cap_bytes:
            fields.append(field("expected peak", size(row.expected_bytes)))
        if row.cap_source != "given":
            fields.append(((cap_source_words(row), "dim"),))
    if row.timeout_s is not None and row.started_at is None:
        fields.append(field("time-out", duration(row.timeout_s)))
    elif row.timeout_s is not None and row.started_at is not None:
        left = row.started_at + row.timeout_s - now
        near = left < row.timeout_s / 10
        value = duration(max(0.0, left))
        fields.append(field("time-out in", value, "amber" if near else "plain"))
    return fields


def _work(row: Row, now: float) -> list[Line]:
    """How far its worker is, and from where another attempt would go on."""
    fields = []
    if words := progress_words(row):
        fields.append(field("progress", words))
    if row.checkpoint_at is not None:
        ago = f"{duration(max(0.0, now - row.checkpoint_at))} ago"
        kept = "" if row.checkpoint_bytes is None else f", {size(row.checkpoint_bytes)}"
        fields.append((*field("checkpoint", ago), (kept, "dim")))
    if row.result_bytes is not None:
        fields.append(field("result", size(row.result_bytes)))
    return fields


def _ladder(row: Row) -> list[Line]:
    """What the memory policy had to do for it so far."""
    fields = []
    if row.recycles:
        fields.append(field("recycles", str(row.recycles)))
    if row.ooms:
        fields.append(field("out-of-memory retries", str(row.ooms), "amber"))
    return fields


def _waiting(row: Row, width: int, now: float) -> list[Line]:
    why = row.wait_reason or "waits for its turn"
    lines = [] if row.state is State.BACKOFF else sentence(one_line(why), width)
    if row.reason is not None:
        lines += sentence(f"attempt {row.attempts}: {one_line(row.reason)}", width, "red")
    fields: list[Line] = []
    if row.next_try_at is not None:
        fields.append(field("next try in", duration(max(0.0, row.next_try_at - now))))
    if row.peak_bytes is not None:
        fields.append(field("peak so far", size(row.peak_bytes)))
    lines += flow([*fields, *_ladder(row)], width)
    return lines + flow(_work(row, now), width) + flow(_limits(row, now), width)


_MEANS = {
    State.QUARANTINED: "Nothing goes on with it until you raise its limits and retry it.",
    State.LOST: "Nobody knows how it ended. Nothing goes on with it until you retry it.",
}
"""Of a task that waits for the operator."""

_ENDED_ROLE: dict[State, Role] = {State.DONE: "plain", State.STOPPED: "plain"}


def _ended(row: Row, detail: Detail | None, width: int, now: float) -> list[Line]:
    why = one_line(row.reason) if row.reason else _outcome(row)
    lines = sentence(why, width, _ENDED_ROLE.get(row.state, "red"))
    if row.state in _MEANS:
        lines += sentence(_MEANS[row.state], width)
    fields = [field("peak", size(row.peak_bytes))]
    if row.started_at is not None and row.ended_at is not None:
        fields.append(field("ran", duration(row.ended_at - row.started_at)))
    if row.exit_code is not None:
        fields.append(field("exit code", str(row.exit_code)))
    if row.signal is not None:
        fields.append(field("signal", str(row.signal)))
    if row.attempts > 1:
        fields.append(field("attempts", str(row.attempts)))
    if row.children:
        fields.append(field("split into", str(row.children)))
    lines += flow([*fields, *_ladder(row)], width) + flow(_work(row, now), width)
    if row.cap_bytes is not None:
        cap = field("cap", short_size(row.cap_bytes))
        lines.append((*cap, (f" by {row.cap_means.value}", "dim")) if row.cap_means else cap)
    if detail is not None and detail.attempts and row.verdict is not VerdictKind.FINISHED:
        for evidence in evidence_of(detail.attempts[-1]):
            lines += sentence(one_line(evidence), width, "dim")
    return lines


def _outcome(row: Row) -> str:
    return row.verdict.value if row.verdict is not None else row.state.value
