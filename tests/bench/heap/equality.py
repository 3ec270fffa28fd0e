"""Whether every figure of a snapshot is that of DevTools' code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np

from heaptui.heap.analysis.classes import aggregates
from heaptui.heap.analysis.load import load

_HERE = Path(__file__).parent
_PLACE = re.compile(r" \(script -?\d+, line \d+(:\d+)?\)$")
_NOT_REACHED = -5
"""DevTools' distance of what no path leads to."""


def differences(node: Path, modules: Path, snapshot: Path) -> dict[str, int]:
    """How many nodes differ in self size, retained size, distance and dominator, and how many
    classes in name, count or sizes; DevTools' splitting of plain objects by shape is left out."""
    prefix = snapshot.with_suffix("")
    subprocess.run([node, _HERE / "toolkit.mjs", modules, snapshot, prefix], check=True)
    graph = load(snapshot, lambda _phase, _fraction: None)
    table = aggregates(graph)
    distance = np.fromfile(f"{prefix}.distance", np.int32)
    distance[distance == _NOT_REACHED] = -1
    theirs = {
        "self sizes": (graph.shallow, np.fromfile(f"{prefix}.self")),
        "retained sizes": (graph.retained, np.fromfile(f"{prefix}.retained")),
        "distances": (graph.distance, distance),
        "dominators": (graph.dominator, np.fromfile(f"{prefix}.dominator", np.uint32)),
    }
    found = {name: int((ours != other).sum()) for name, (ours, other) in theirs.items()}
    wanted = sorted(tuple(row) for row in json.loads(Path(f"{prefix}.json").read_text()))
    ours_by_class = sorted(
        (_PLACE.sub("", name), *map(int, (table.count[i], table.shallow[i], table.retained[i])))
        for i, name in enumerate(graph.class_names)
        if table.count[i]
    )
    found["classes"] = len(set(wanted) ^ set(ours_by_class)) + abs(len(wanted) - len(ours_by_class))
    return found
