"""A short task: one to three seconds of work on 20 to 60 MB, the same for the same argument."""

import random
import sys
import time
import zlib


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    chance = random.Random(number)
    megabytes = chance.randint(20, 60)
    seconds = chance.uniform(1.0, 3.0)
    data = chance.randbytes(1 << 20) * megabytes
    started = time.monotonic()
    checksum = rounds = 0
    while time.monotonic() - started < seconds:
        at = chance.randrange(megabytes) << 20
        checksum = zlib.crc32(data[at : at + (1 << 20)], checksum)
        rounds += 1
        time.sleep(0.02)  # leaves the processor to the others
    print(f"part {number}: {rounds} blocks of {megabytes} MB checked, crc {checksum:08x}")


if __name__ == "__main__":
    main()
