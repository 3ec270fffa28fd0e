"""Compiling the reader before it is needed: `python -m heaptui.heap.analysis.warm`.

What is compiled is kept in the user's cache, for this version of heaptui, Python, numba and this
kind of processor. It takes some seconds, once.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import tempfile
import time
from pathlib import Path

_HERE = Path(__file__).parent
_begun: list[bool] = []

_TINY = {
    "snapshot": {
        "meta": {
            "node_fields": ["type", "name", "id", "self_size", "edge_count", "detachedness"],
            "node_types": [
                ["hidden", "array", "string", "object", "native", "synthetic"],
                *("string", "number", "number", "number", "number"),
            ],
            "edge_fields": ["type", "name_or_index", "to_node"],
            "edge_types": [
                ["context", "element", "property", "internal", "hidden", "shortcut", "weak"],
                *("string_or_number", "node"),
            ],
            "location_fields": ["object_index", "script_id", "line", "column"],
        },
        "node_count": 5,
        "edge_count": 6,
    },
    "nodes": [
        *(5, 0, 1, 0, 1, 0),
        *(3, 1, 3, 16, 3, 0),
        *(1, 2, 5, 16, 1, 0),
        *(4, 1, 7, 16, 0, 2),
        *(2, 4, 9, 16, 1, 0),
    ],
    "edges": [5, 1, 6, 3, 3, 12, 2, 2, 18, 2, 2, 24, 1, 0, 24, 2, 1, 6],
    "locations": [6, 1, 1, 1],
    "strings": [
        *("", "Object", "(x)"),
        "1 / part of key (a @1) -> value (b @2) pair in WeakMap (table @3)",
        "text",
    ],
}
"""Leads through every loop that a real one does."""


def _mark() -> Path:
    """The file that says that this reader is compiled, whether it is there or not."""
    from heaptui.heap.analysis.compiled import NUMBA, cache_dir

    told = [
        sys.version,
        NUMBA,
        platform.machine(),
        platform.node(),
        *(
            f"{file} {file.stat().st_mtime_ns}"
            for file in sorted(Path(__file__).parent.glob("*.py"))
        ),
    ]
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    return cache_dir() / f"compiled-{digest}"


def is_warm() -> bool:
    """Whether everything that reading and answering need lies compiled in the cache."""
    return bool(_begun) or _mark().exists()


def compile_all() -> None:
    """Reads a tiny snapshot twice and asks about it, which compiles what is not compiled."""
    _begun.append(True)
    import numpy as np

    from heaptui.heap import answers
    from heaptui.heap.analysis.fast import Fast
    from heaptui.heap.analysis.growth import added_up

    with tempfile.TemporaryDirectory(prefix="heaptui-") as place:
        path = Path(place) / "tiny.heapsnapshot"
        path.write_text(json.dumps(_TINY))
        path.chmod(0o600)
        reader = Fast([path, path], lambda _phase, _fraction: None)
        for question in (
            answers.Summary(),
            answers.Objects(name="Object"),
            answers.Children(node=1),
            answers.Retainers(node=4),
            answers.Path(node=4),
            answers.Dominated(),
            answers.Strings(),
            answers.Strings(match="t"),
            answers.Find(id=3),
            answers.Diff(),
            answers.Fresh(name="Object"),
            answers.Leak(),
        ):
            reader.answer(question)
        # a file compared with itself has nothing that grew and would be added up
        added_up(np.zeros(2, np.uint32), np.zeros(2, np.int64))
    _mark().touch(mode=0o600)


def main() -> None:
    """Compiles what is not compiled, and says so."""
    if is_warm():
        return
    sys.stderr.write("heaptui: compiling the reader of heap snapshots (once)\n")
    sys.stderr.flush()
    began = time.monotonic()
    compile_all()
    sys.stderr.write(f"heaptui: compiled in {time.monotonic() - began:.1f} s\n")


if __name__ == "__main__":
    main()
