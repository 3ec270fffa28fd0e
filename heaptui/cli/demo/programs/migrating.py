"""Migrates two thousand records, and keeps a little of each in memory: heaptui recycles it from its
checkpoint before its cap is reached, as often as it takes."""

import sys
import time

from heaptui import worker

RECORDS, EVERY_S = 2000, 0.25
LEAK = 1 << 20


def main() -> None:
    kept: list[bytes] = []
    w = worker.connect()
    state = w.resume() or {"next": 0}
    print(f"goes on at record {state['next']}", flush=True)
    for record in range(state["next"], RECORDS):
        time.sleep(EVERY_S)
        kept.append(b"\xaa" * LEAK)
        w.progress(record + 1, RECORDS, f"record {record}")
        w.checkpoint({"next": record + 1}, every_s=1)
        if record % 20 == 0:
            print(f"record {record}: {len(kept)} MB of records cached", flush=True)
        if w.draining:
            w.checkpoint({"next": record + 1})
            w.drained()
            sys.exit(0)
    w.result({"migrated": RECORDS})


if __name__ == "__main__":
    main()
