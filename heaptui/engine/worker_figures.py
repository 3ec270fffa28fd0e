"""What a worker says, as what the rest of heaptui may believe: numbers in their bounds, text
that no terminal obeys."""

from __future__ import annotations

import msgspec

from heaptui.engine.worker_peer import Peer
from heaptui.model import ProcessHeap
from heaptui.output import printable
from heaptui.wire import Collected, Heap, Hello, Written

_MOST = 1 << 60
"""No count and no size of a process comes near it; SQLite's whole numbers end at 2^63."""
_MOST_MS = 1e12
_NAME, _SENTENCE, _REASONS = 80, 400, 8
COMMANDS = ("gc", "snapshot")

_BYTES = {
    "used_bytes": "used",
    "committed_bytes": "committed",
    "limit_bytes": "limit",
    "external_bytes": "external",
    "array_buffers_bytes": "array_buffers",
    "old_bytes": "old",
    "new_bytes": "new",
    "rss_bytes": "rss",
    "blocks": "blocks",
    "traced_bytes": "traced",
    "gc_count": "gc_count",
    "requests": "requests",
}


def clean(text: str, most: int = _SENTENCE) -> str:
    """One line of at most `most` letters."""
    return " ".join(printable(text[: 4 * most]).split())[:most]


def introduced(hello: Hello, peer: Peer, now: float) -> ProcessHeap:
    """Who it is, without figures yet. Its pids are the kernel's."""
    return ProcessHeap(
        pid=peer.identity.pid,
        ppid=peer.ppid,
        runtime=clean(hello.runtime, _NAME),
        version=clean(hello.version, _NAME),
        at=now,
        title=clean(hello.title, _NAME),
        can=tuple(verb for verb in COMMANDS if verb in hello.can),
        why={verb: clean(hello.why[verb]) for verb in COMMANDS if verb in hello.why},
    )


def figures(known: ProcessHeap, heap: Heap, now: float) -> ProcessHeap | None:
    """`known` with these figures, which came at `now`; None when they cannot be true."""
    whole = {ours: getattr(heap, said) for ours, said in _BYTES.items()}
    times = (heap.gc_ms, heap.loop_delay_ms, heap.age_ms)
    if not all(map(_whole, whole.values())) or not all(map(_ms, times)):
        return None
    return msgspec.structs.replace(
        known,
        at=now - heap.age_ms / 1000,
        main=heap.main.value,
        gc_s=None if heap.gc_ms is None else heap.gc_ms / 1000,
        loop_delay_s=None if heap.loop_delay_ms is None else heap.loop_delay_ms / 1000,
        **whole,
    )


def collected(said: Collected) -> Collected | None:
    """None when it cannot be true."""
    figures = (said.used_before, said.used_after, said.rss_before, said.rss_after)
    if not all(map(_whole, figures)) or not _ms(said.pause_ms):
        return None
    return msgspec.structs.replace(said, flavour=clean(said.flavour, _NAME))


def written(said: Written, path: str, size: int) -> Written | None:
    """With the path that was asked for and the size that was found; None when the rest cannot be
    true."""
    if not _whole(said.used) or not _ms(said.took_ms) or not _ms(said.pause_ms):
        return None
    return msgspec.structs.replace(said, path=path, bytes=size)


def _whole(figure: int | None) -> bool:
    return figure is None or 0 <= figure <= _MOST


def _ms(figure: float | None) -> bool:
    return figure is None or 0 <= figure <= _MOST_MS
