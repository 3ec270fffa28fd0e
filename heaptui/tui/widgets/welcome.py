"""The first minute: what stands in the table's place while there is no task. Pure."""

from __future__ import annotations

from heaptui import units
from heaptui.model import CapMeans, Host
from heaptui.tui.cells import cut
from heaptui.tui.lines import Line

_HOLDS = {
    CapMeans.CGROUP2: "caps hold by cgroup v2: the kernel ends what goes over",
    CapMeans.CGROUP1: "caps hold by cgroup v1: the kernel ends what goes over",
    CapMeans.RLIMIT: "caps hold by rlimit and watchdog: no writable cgroup was found",
    CapMeans.WATCHDOG: "caps hold by watchdog alone: it measures and ends what goes over",
}


def welcome_lines(host: Host | None, width: int, *, ended: int) -> list[Line]:
    """Three things to do, each with its key, and what was found on this machine."""
    things: tuple[tuple[str, str], ...] = (
        ("n", "launch a task: any command, with a memory cap of its own"),
        ("h", f"see what ran before: {ended:,} ended" if ended else "see what ran before"),
        ("?", "all keys; ctrl+p finds every action by name"),
    )
    lines: list[Line] = [(("No task is running.", "strong"),), ()]
    for key, text in things:
        lines.append((("  ", "plain"), (key, "sky"), (f"  {text}", "plain")))
    lines += [(), (("From another terminal:  ", "dim"), ("heaptui run -- COMMAND", "plain"))]
    lines += [(), *((((text), "dim"),) for text in _found(host))]
    room = max(10, width - 6)
    return [tuple((cut(text, room), role) for text, role in line) for line in lines]


def _found(host: Host | None) -> list[str]:
    if host is None:
        return ["looking at this machine…"]
    found = []
    if host.sample is not None:
        free, total = host.sample.mem_available_bytes, host.sample.mem_total_bytes
        found.append(f"{units.size(free)} of {units.size(total)} memory free on this machine")
    if host.means is not None:
        found.append(_HOLDS[host.means])
    if host.concurrency:
        found.append(f"up to {host.concurrency} tasks run at once; more wait in a queue")
    return found
