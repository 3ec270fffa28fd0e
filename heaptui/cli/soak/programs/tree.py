"""Starts what leaves its session and outlives it: everything that is left must end with the task.

The children hold the evidence's lock, so that another attempt finds it taken as long as one of them
is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from heaptui.cli.soak.programs.evidence import BEGIN, END, UNIT, Evidence

_STAYS = ("sleep", "3600")
_LEAVES = ("sh", "-c", "sleep 3600 & sleep 3600 &")
"""Its children have nobody who waits for them."""


def main(path: str, words: str) -> int:
    job = json.loads(words)
    evidence = Evidence(path)
    evidence.tell(BEGIN)
    for argv in (_STAYS, _LEAVES):
        subprocess.Popen(argv, start_new_session=True, pass_fds=(evidence.fd,))
    for unit in range(job["units"]):
        time.sleep(job["unit_s"])
        evidence.tell(UNIT, unit)
    evidence.tell(END)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
