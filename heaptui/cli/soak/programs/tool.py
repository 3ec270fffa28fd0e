"""A short tool: some work, no checkpoints, gone."""

from __future__ import annotations

import json
import sys
import time

from heaptui.cli.soak.programs.evidence import BEGIN, END, UNIT, Evidence


def main(path: str, words: str) -> int:
    job = json.loads(words)
    evidence = Evidence(path)
    evidence.tell(BEGIN)
    for unit in range(job["units"]):
        time.sleep(job["unit_s"])
        evidence.tell(UNIT, unit)
    evidence.tell(END, job["code"])
    return int(job["code"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
