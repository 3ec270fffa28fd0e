"""An agent: holds what it read, works through its units, checkpoints on the way, and, where the
soak says so, keeps a little more of each unit than it should."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from heaptui import worker
from heaptui.cli.soak.programs import chain
from heaptui.cli.soak.programs.evidence import (
    BEGIN,
    DRAINED,
    END,
    KEPT,
    RESULT,
    UNIT,
    Evidence,
)

_CHECKPOINT_EVERY = 3
_AGAIN_S = 0.2


def main(path: str, words: str) -> int:
    job = json.loads(words)
    evidence = Evidence(path)
    heaptui = worker.connect()
    state = heaptui.resume() or {"next": 0, "digest": chain.start(job["key"])}
    unit, digest = state["next"], state["digest"]
    evidence.tell(BEGIN, unit)
    held = [b"x" * job["hold_bytes"]]
    while not Path(job["until"]).exists() if job["until"] else unit < job["units"]:
        time.sleep(job["unit_s"])
        held.append(b"x" * job["leak_bytes"])
        digest = chain.after(digest, unit)
        evidence.tell(UNIT, unit)
        unit += 1
        heaptui.progress(unit, None if job["until"] else job["units"], "working")
        state = {"next": unit, "digest": digest}
        if heaptui.draining:
            while not heaptui.checkpoint(state):
                time.sleep(_AGAIN_S)
            evidence.tell(KEPT, unit)
            heaptui.drained()
            evidence.tell(DRAINED, unit)
            return 0
        due = unit % _CHECKPOINT_EVERY == 0 or heaptui.checkpoint_wanted
        if due and heaptui.checkpoint(state):
            evidence.tell(KEPT, unit)
    while not heaptui.result({"key": job["key"], "units": unit, "digest": digest}):
        time.sleep(_AGAIN_S)
    evidence.tell(RESULT, unit)
    evidence.tell(END)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
