"""A worker that can be interrupted at any time, and goes on where it was.

    heaptui run --name count -- python examples/worker.py 200

Without heaptui around it does the same, and keeps nothing unless $HEAPTUI_CHECKPOINT names a file.
"""

from __future__ import annotations

import sys
import time

from heaptui import worker


def do(unit: int) -> int:
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0.1)
    return unit * unit


def main() -> None:
    units = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    w = worker.connect()
    state = w.resume() or {"next": 0, "sum": 0}
    sys.stderr.write(f"begins at {state['next']}\n")
    for unit in range(state["next"], units):
        state = {"next": unit + 1, "sum": state["sum"] + do(unit)}
        w.progress(state["next"], units, f"unit {unit}")
        w.checkpoint(state, every_s=1)
        if w.draining:
            w.drained()
            sys.exit(0)
    w.result({"sum": state["sum"]})


if __name__ == "__main__":
    main()
