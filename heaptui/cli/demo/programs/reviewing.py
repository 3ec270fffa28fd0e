"""Reviews Python modules one after the other, and hands in the longest function of each. Split with
`x`, what is left is reviewed by several at once."""

import ast
import os
import time
from pathlib import Path

from heaptui import worker

A_MODULE_S = 1.5


def longest(module: Path) -> str:
    tree = ast.parse(module.read_bytes())
    functions = [
        (node.end_lineno - node.lineno + 1, node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    ]
    lines, name = max(functions, default=(0, "no function"))
    return f"{lines:4} lines  {name}  {module}"


def main() -> None:
    found: list[str] = []
    for item in worker.items():
        found.append(longest(Path(item)))
        print(found[-1], flush=True)
        time.sleep(A_MODULE_S)
    Path(os.environ["HEAPTUI_RESULT"]).write_text("".join(f"{line}\n" for line in found))


if __name__ == "__main__":
    main()
