"""Allocates and frees 40 to 160 MB in waves of twenty seconds, for ten minutes: memory that goes
up is no leak when it comes down again."""

import math
import mmap
import time

BLOCK = b"\xaa" * (1 << 20)
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
LOW, HIGH = 40, 160
WAVE_S, RUN_S, STEP_S = 20.0, 600.0, 0.5


def main() -> None:
    held: list[mmap.mmap] = []
    started = time.monotonic()
    step = 0
    while (elapsed := time.monotonic() - started) < RUN_S:
        wave = (1 - math.cos(2 * math.pi * elapsed / WAVE_S)) / 2
        wanted = int(LOW + (HIGH - LOW) * wave)
        while len(held) < wanted:
            # not from the allocator, which gives pages back when it likes
            held.append(mmap.mmap(-1, len(BLOCK), flags=PRIVATE))
            held[-1].write(BLOCK)
        while len(held) > wanted:
            held.pop().close()
        if step % 4 == 0:
            print(f"{elapsed:5.1f} s: holding {len(held)} MB of embeddings")
        step += 1
        time.sleep(STEP_S)
    print("done")


if __name__ == "__main__":
    main()
