"""Tasks that the memory policy acts on, each in another state, and what it says about them."""

from __future__ import annotations

from heaptui.model import Alert, Kind, Row, State, VerdictKind
from heaptui.protocol import Picture
from heaptui.units import GIB, KIB, MIB
from tests.terminal.fake_operator import NOW, host, row, wave

BLANK = {
    "pid": None,
    "memory_bytes": None,
    "growth_bytes_per_min": None,
    "cpu_percent": None,
    "processes": None,
}
"""Of a task that does not run."""


def acted_on() -> list[Row]:
    """Every state in which the policy leaves a task, with what its worker tells."""
    return [
        row(
            "refactor-auth",
            kind=Kind.NODE,
            argv=("node", "agent.js"),
            started_at=NOW - 34 * 60,
            memory_bytes=int(1.71 * GIB),
            peak_bytes=int(1.93 * GIB),
            cap_bytes=2 * GIB,
            heap_used_bytes=int(1.31 * GIB),
            heap_limit_bytes=int(1.50 * GIB),
            heaps=2,
            growth_bytes_per_min=88.0 * MIB,
            to_cap_s=200.0,
            cpu_percent=42.0,
            processes=2,
            doing="collects garbage",
            expected_bytes=int(1.8 * GIB),
            done=120.0,
            total=200.0,
            progress="chapter 12 of the login flow",
            checkpoint_at=NOW - 252,
            checkpoint_bytes=61 * KIB,
            can=("checkpoint", "drain"),
            recycles=2,
            spark=wave(1, 2, 3, 3, 4, 5, 6, 7, 8, 7, top=int(1.93 * GIB)),
        ),
        row(
            "import-legacy",
            kind=Kind.PYTHON,
            state=State.RECYCLING,
            argv=("python", "-m", "importer"),
            pid=39020,
            started_at=NOW - 185 * 60,
            memory_bytes=412 * MIB,
            peak_bytes=960 * MIB,
            growth_bytes_per_min=-1.1 * GIB,
            cpu_percent=8.0,
            attempts=4,
            done=31_200.0,
            progress="orders 2019",
            checkpoint_at=NOW - 4,
            checkpoint_bytes=12 * KIB,
            can=("checkpoint", "drain"),
            recycles=3,
            spark=wave(5, 5, 6, 7, 8, 8, 8, 3, 3, 4, top=900 * MIB),
        ),
        row(
            "test-triage",
            argv=("codex", "exec"),
            started_at=NOW - 12 * 60,
            memory_bytes=161 * MIB,
            peak_bytes=166 * MIB,
            cpu_percent=3.0,
            spark=wave(4, 4, 5, 4, 4, 5, 4, 4, 5, 4, top=161 * MIB),
        ),
        row(
            "bench-ingest",
            kind=Kind.PYTHON,
            state=State.BACKOFF,
            **BLANK,
            attempts=1,
            cap_bytes=450 * MIB,
            cap_source="grown",
            peak_bytes=300 * MIB,
            started_at=NOW - 90,
            ended_at=NOW - 2,
            next_try_at=NOW + 4,
            verdict=VerdictKind.CAP,
            reason="went over its cap of 300M: the kernel ended it",
            ooms=1,
        ),
        row(
            "schema-audit",
            state=State.QUEUED,
            **BLANK,
            started_at=None,
            attempts=0,
            peak_bytes=None,
            cap_bytes=2 * GIB,
            expected_bytes=int(1.8 * GIB),
            wait_reason="waits for 1.2G of free memory",
        ),
        row(
            "support-bot",
            kind=Kind.NODE,
            state=State.QUARANTINED,
            **BLANK,
            attempts=2,
            cap_bytes=int(1.5 * GIB),
            cap_source="grown",
            started_at=NOW - 500,
            ended_at=NOW - 400,
            peak_bytes=int(1.52 * GIB),
            verdict=VerdictKind.V8_HEAP,
            reason="reached V8's heap limit of 1.1G; a larger limit was tried once. It needs more "
            "than 1.5G. Its checkpoint stands: a retry goes on from there.",
            checkpoint_at=NOW - 430,
            checkpoint_bytes=8 * KIB,
            ooms=1,
        ),
        row(
            "docs-site",
            kind=Kind.NODE,
            state=State.LOST,
            **BLANK,
            started_at=NOW - 4000,
            ended_at=NOW - 700,
            verdict=VerdictKind.LOST,
            reason="the machine was started again while it ran",
        ),
        row(
            "e2e-login",
            kind=Kind.NODE,
            state=State.FAILED,
            **BLANK,
            argv=("node", "e2e.js"),
            exit_code=1,
            started_at=NOW - 840,
            ended_at=NOW - 130,
            peak_bytes=320 * MIB,
            verdict=VerdictKind.FAILED,
            reason="exit code 1",
        ),
    ]


WARNINGS = [
    Alert(
        id="soon:refact",
        level="amber",
        text="reaches its 2.0G cap in 3m20 at +88M a minute",
        task_id="refact",
        since=NOW - 95,
        meaning="Unless it shrinks it ends then; what it did since its last checkpoint is lost.",
        actions=("heap.collect", "task.recycle", "task.raise", "task.stop"),
    ),
    Alert(
        id="ended:suppor.2",
        level="red",
        text="is quarantined: it ran out of memory under every limit that was tried",
        task_id="suppor",
        since=NOW - 400,
        meaning="Its work stands still until you raise its limits and retry it, or forget it.",
        actions=("task.raise", "task.retry", "task.forget", "task.split"),
    ),
    Alert(
        id="pressure",
        level="amber",
        text="tasks here stall for memory 24 % of the time",
        since=NOW - 12,
        meaning="Everything here slows down: processes stand still until memory is freed for them.",
        actions=("dispatch.pause", "view.worst"),
    ),
]


def policy_picture(**fields: object) -> Picture:
    """The whole scene; `fields` are the host's."""
    given = {"running": 3, "waiting": 2, "failed": 3, "expected_bytes": int(3.2 * GIB)}
    return Picture(at=NOW, host=host(**(given | fields)), rows=acted_on(), alerts=WARNINGS)
