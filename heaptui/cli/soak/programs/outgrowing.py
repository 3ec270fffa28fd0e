"""Needs more memory than it was given, and keeps no checkpoints: it dies of it, and begins anew
under a larger cap, if it is given one."""

from __future__ import annotations

import json
import sys
import time

from heaptui.cli.soak.programs.evidence import BEGIN, END, UNIT, Evidence


def main(path: str, words: str) -> int:
    job = json.loads(words)
    evidence = Evidence(path)
    evidence.tell(BEGIN)
    held: list[bytes] = []
    for unit in range(job["units"]):
        time.sleep(job["unit_s"])
        held.append(b"x" * (job["hold_bytes"] // job["units"]))
        evidence.tell(UNIT, unit)
    evidence.tell(END)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
