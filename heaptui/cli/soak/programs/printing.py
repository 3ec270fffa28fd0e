"""Prints as a build does that went wrong: much, and fast."""

from __future__ import annotations

import json
import os
import sys

from heaptui.cli.soak.programs.evidence import BEGIN, END, UNIT, Evidence

_LINE = b"warning: %06d: this line says nothing that the last did not\n"
_BLOCK = b"".join(_LINE % number for number in range(1024))


def main(path: str, words: str) -> int:
    job = json.loads(words)
    evidence = Evidence(path)
    evidence.tell(BEGIN)
    for unit in range(job["units"]):
        left = job["print_bytes"] // job["units"]
        while left > 0:
            left -= os.write(1, _BLOCK[:left])
        evidence.tell(UNIT, unit)
    evidence.tell(END)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
