"""As through.sh, by heaptui.worker.

python through.py LEDGER SECONDS    SECONDS: what one file takes
"""

import os
import sys
import time

from heaptui import worker


def main(ledger: str, pause_s: float) -> None:
    done = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for file in worker.items():
        time.sleep(pause_s)
        os.write(done, f"{file}\n".encode())
    # some work after the last of them
    time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
