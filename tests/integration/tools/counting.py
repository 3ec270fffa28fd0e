"""A program that counts up in a file by Edit, beside others. Arguments: the directory, how often.
Prints how often it was refused, and tried again."""

from __future__ import annotations

import sys
from pathlib import Path

from heaptui.errors import Refused
from heaptui.tools.replacing.edit import edit
from heaptui.tools.workspace.root import Workspace


def main(root: str, times: int) -> int:
    refused = done = 0
    with Workspace.open(Path(root), writable=True) as workspace:
        while done < times:
            text = Path(root, "count").read_text()
            try:
                edit(workspace, "count", text, f"n={int(text[2:]) + 1}")
                done += 1
            except Refused:
                refused += 1
    return refused


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
