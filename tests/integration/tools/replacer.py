"""A program that replaces a file again and again, as editors do (a rename), and counts how often
what it put there was lost. Arguments: the file, how often. Prints the count.

Each version is `vN n=0`, of which an editor beside it makes `vN n=M`. A version was lost when,
instead of that, older ones go on being edited.
"""

from __future__ import annotations

import os
import random
import sys
import time

_PATIENCE_S = 60.0
_BETWEEN_S = 0.0005
"""At most; about what an edit takes."""


def main(path: str, times: int) -> int:
    chance = random.Random(times)
    lost = 0
    for version in range(1, times + 1):
        temporary = f"{path}.theirs"
        with open(temporary, "w") as file:
            file.write(f"v{version} n=0\n")
        os.rename(temporary, path)
        lost += not edited(path, f"v{version} n=")
        # the next comes at any moment of the editor's work
        until = time.perf_counter() + chance.random() * _BETWEEN_S
        while time.perf_counter() < until:
            pass
    return lost


def edited(path: str, beginning: str) -> bool:
    others = set()
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        with open(path) as file:
            text = file.read()
        if not text.startswith(beginning):
            others.add(text)
        elif not text.startswith(f"{beginning}0"):
            return True
        # one can be an edit that came too late, and is being taken back
        if len(others) > 3:
            return False
    raise TimeoutError(f"nobody edits {path}")


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
