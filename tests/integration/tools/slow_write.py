"""A program that writes a file, says so in the middle of it, and stays there until it is killed.
Arguments: the directory, the file in it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from heaptui.tools.replacing.write import write
from heaptui.tools.workspace.root import Workspace


def main(root: str, name: str) -> None:
    pieces = 0

    def cancelled() -> bool:
        nonlocal pieces
        pieces += 1
        if pieces == 3:
            print("writing", flush=True)
            signal.pause()
        return False

    with Workspace.open(Path(root), writable=True) as workspace:
        write(workspace, name, b"new" * (2 << 20), cancelled=cancelled)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
