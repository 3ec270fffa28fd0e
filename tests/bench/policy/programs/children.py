"""Four children that take 250 MB each at once."""

import os
import time

for _ in range(4):
    if os.fork() == 0:
        held = b"x" * (250 << 20)
        time.sleep(20)
        os._exit(0)
for _ in range(4):
    os.wait()
