"""1 GB in one allocation, and holds it."""

import time

held = b"x" * (1 << 30)
time.sleep(20)
