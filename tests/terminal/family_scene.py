"""A task that was split into four, one of them split again, among others."""

from __future__ import annotations

from heaptui.model import Host, Kind, Row, State, VerdictKind
from heaptui.protocol import Picture
from heaptui.units import GIB, MIB
from tests.terminal.fake_operator import NOW, host, row, scene

IDLE = dict.fromkeys(
    (
        "pid", "memory_bytes", "memory_from", "rss_bytes", "growth_bytes_per_min", "cpu_percent",
        "processes",
    )
)  # fmt: skip
"""What a task has no figure for while no process of it runs."""


def parent(**fields: object) -> Row:
    """A task that waits for its four children, with their sums."""
    given: dict[str, object] = {
        "id": "parent",
        "kind": Kind.NODE,
        "argv": ("node", "e2e.js", "{items}"),
        "state": State.SPLIT,
        "children": 4,
        "started_at": NOW - 3000,
        "pid": None,
        "memory_bytes": 1250 * MIB,
        "memory_from": None,
        "growth_bytes_per_min": 13.0 * MIB,
        "processes": 3,
        "peak_bytes": int(1.97 * GIB),
        "cap_bytes": 2 * GIB,
        "items": 200,
        "items_done": 57,
        "done": 57.0,
        "total": 200.0,
        "progress": "1 of 4 children ended",
        "attempts": 1,
    }
    return row("e2e-login", **(given | fields))


def child(part: int, title: str, /, **fields: object) -> Row:
    given: dict[str, object] = {
        "id": f"child{part}",
        "kind": Kind.NODE,
        "argv": ("node", "e2e.js", "{items}"),
        "parent": "parent",
        "part": part,
        "depth": 1,
        "title": title,
        "items": 50,
        "created_at": NOW - 600,
    }
    return row(f"e2e-login:{part}", **(given | fields))


def family() -> list[Row]:
    """The parent first, its children by their number; the third is split once more."""
    waits = {**IDLE, "peak_bytes": None, "started_at": None, "attempts": 0}
    return [
        parent(),
        child(
            1, "login form",
            **IDLE, state=State.DONE, ended_at=NOW - 130, items_done=50, done=50.0, total=50.0,
            peak_bytes=614 * MIB, verdict=VerdictKind.FINISHED, reason="finished",
        ),
        child(
            2, "password reset",
            memory_bytes=850 * MIB, growth_bytes_per_min=13.0 * MIB, to_cap_s=800.0, pid=5120,
            items_done=7, done=7.0, total=50.0, context_tokens=26_100, context_limit=30_000,
        ),
        child(
            3, "two-factor",
            state=State.SPLIT, children=2, pid=None, memory_bytes=400 * MIB, items_done=0,
            done=0.0, total=50.0, progress="0 of 2 children ended",
        ),
        row(
            "e2e-login:3:1", id="grand1", parent="child3", part=1, depth=2, title="a.spec.ts 1-190",
            kind=Kind.NODE, memory_bytes=400 * MIB, items=1, items_done=0, done=0.0, total=1.0,
            context_tokens=9_400, created_at=NOW - 300,
        ),
        row(
            "e2e-login:3:2", id="grand2", parent="child3", part=2, depth=2, title="the rest",
            kind=Kind.NODE, state=State.QUEUED, items=49, created_at=NOW - 300, **waits,
            wait_reason="waits for part 1", after=("grand1",),
        ),
        child(
            4, "join", state=State.QUEUED, **waits, items_done=None,
            wait_reason="waits for parts 1, 2, 3", after=("child1", "child2", "child3"),
        ),
    ]  # fmt: skip


def among_others() -> list[Row]:
    """The family, in the middle of the pictures' tasks."""
    others = [each for each in scene() if each.name != "e2e-login"]
    return [*others[:3], *family(), *others[3:]]


def family_picture(**fields: object) -> Picture:
    """All of them; `fields` are the host's."""
    given: Host = host(**({"running": 8, "waiting": 3, "failed": 0} | fields))
    return Picture(at=NOW, host=given, rows=among_others(), alerts=[])
