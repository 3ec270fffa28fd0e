"""Ends that look like a lack of memory and are none."""

import os
import signal
import sys
import time
import traceback

V8 = """
<--- Last few GCs --->

[1:0x1]       52 ms: Mark-Compact 50.0 (82.0) -> 50.0 (82.0) MB, 1.0 / 0.0 ms

<--- JS stacktrace --->

FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
"""

match sys.argv[1]:
    case "v8":
        print(V8, flush=True)
        sys.exit(1)
    case "python":
        try:
            raise MemoryError
        except MemoryError:
            traceback.print_exc()
        sys.exit("the disk is full")
    case "holds":
        held = b"x" * (200 << 20)
        print("holds", flush=True)
        time.sleep(30)
    case "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(30)
