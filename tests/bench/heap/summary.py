"""The class summary by heaptui's reader: python -m tests.bench.heap.summary FILE"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from heaptui.heap.analysis.classes import aggregates
from heaptui.heap.analysis.load import load


def main(path: Path) -> None:
    graph = load(path, lambda _phase, _fraction: None)
    table = aggregates(graph)
    rows = [
        (name, *map(int, (table.count[code], table.shallow[code], table.retained[code])))
        for code, name in enumerate(graph.class_names)
    ]
    rows.sort(key=lambda row: -row[3])
    print(json.dumps(rows[:50]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
