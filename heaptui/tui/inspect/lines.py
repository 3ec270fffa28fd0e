"""A foreign process as a line of a table, and what is known of it under the table."""

from __future__ import annotations

from heaptui.inspection.foreign import Foreign
from heaptui.inspection.python import Stack
from heaptui.model import ProcessHeap
from heaptui.tui.cells import left, right
from heaptui.tui.lines import Line, Role, field, fitted, flow, indented, one_line, sentence
from heaptui.units import UNKNOWN, duration, short_size

_PID, _USER, _RUNTIME, _MEMORY, _AGE, _ASKED = 8, 9, 12, 7, 7, 17
_FIXED = _PID + _USER + _RUNTIME + _MEMORY + _AGE + _ASKED + 4
_FRAMES = 8


def heading(width: int) -> Line:
    """Names of the columns, over `process_line`."""
    text = (
        f" {'PID':>{_PID}} {'USER':<{_USER}}{'RUNTIME':<{_RUNTIME}}{'MEMORY':>{_MEMORY}}"
        f"{'AGE':>{_AGE}}  {'POSSIBLE':<{_ASKED}}COMMAND"
    )
    return fitted(((text, "dim"),), width)


def process_line(one: Foreign, width: int) -> Line:
    verbs = [way.verb for way in one.possible if way.how is not None]
    can = "its task's keys" if one.task else " ".join(verbs) or UNKNOWN
    runtime = one.runtime + (f" {one.version}" if one.version else "")
    return (
        (f" {right(str(one.pid), _PID)} ", "dim"),
        (left(one_line(one.user), _USER), "dim"),
        (left(runtime, _RUNTIME), "plain"),
        (right(short_size(one.rss_bytes), _MEMORY), "quantity"),
        (right(duration(one.age_s), _AGE), "dim"),
        ("  ", "plain"),
        (left(can, _ASKED), "sky" if verbs and not one.task else "dim"),
        (left(_named(one), max(1, width - _FIXED)), "plain"),
    )


def _named(one: Foreign) -> str:
    """Its command without the directory of its program."""
    program, blank, arguments = one_line(one.command).partition(" ")
    return f"{program.rpartition('/')[2]}{blank}{arguments}"


def ways_lines(one: Foreign, width: int) -> list[Line]:
    """What is possible and how; what is not, and why: those that share a reason on one line."""
    if one.task is not None:
        text = f"It belongs to heaptui's task {one.task}: the keys g, s and L on that do all this."
        return indented(sentence(text, width - 2), 1)
    lines: list[Line] = []
    for reason in dict.fromkeys(way.how or way.why for way in one.possible):
        ways = [way for way in one.possible if (way.how or way.why) == reason]
        verbs = ", ".join(way.verb for way in ways)
        possible = ways[0].how is not None
        told = sentence(f"{verbs}: {reason}", width - 4, "plain" if possible else "dim")
        lines += [(("  ", "plain"), *line) for line in told]
    return lines


def heap_lines(heap: ProcessHeap, width: int) -> list[Line]:
    figures = (
        ("heap used", heap.used_bytes),
        ("committed", heap.committed_bytes),
        ("limit", heap.limit_bytes),
        ("old", heap.old_bytes),
        ("new", heap.new_bytes),
        ("external", heap.external_bytes),
        ("ArrayBuffers", heap.array_buffers_bytes),
        ("memory", heap.rss_bytes),
    )
    fields = [
        field(name, short_size(value), "violet" if name == "heap used" else "plain")
        for name, value in figures
        if value is not None
    ]
    if heap.blocks is not None:
        fields.append(field("blocks", f"{heap.blocks:,}"))
    fields.append(field(heap.runtime, one_line(heap.version)))
    return flow(fields, width - 2)


def stack_lines(stacks: list[Stack], width: int) -> list[Line]:
    lines: list[Line] = []
    for stack in stacks:
        role: Role = "plain" if stack.active else "dim"
        state = "runs" if stack.active else "waits"
        lines.append(((f" thread {one_line(stack.thread)}: {state}", role),))
        for frame in stack.frames[:_FRAMES]:
            where = f"{one_line(frame.file)}:{frame.line}"
            text = f"   {one_line(frame.name)}  "
            lines.append(fitted(((text, role), (where, "dim")), width))
    return lines
