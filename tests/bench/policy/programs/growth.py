"""Grows by so many MB per second (50) for as long as it may."""

import sys
import time

MB = 1 << 20
rate = int(sys.argv[1]) if len(sys.argv) > 1 else 50
held = []
for _ in range(20 * 4096 // rate):
    held.append(b"x" * (rate * MB // 20))
    time.sleep(0.05)
