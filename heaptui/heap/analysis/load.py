"""From a file to a graph with everything computed that the questions need."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from heaptui.errors import Unreadable
from heaptui.heap.analysis import python_file, warm
from heaptui.heap.analysis.classes import classify
from heaptui.heap.analysis.compiled import uncollected
from heaptui.heap.analysis.distances import distances
from heaptui.heap.analysis.dominators import dominators, retained_sizes
from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.ownership import essential_edges, shallow_sizes
from heaptui.heap.analysis.parse import parse
from heaptui.heap.analysis.rules import rules_of

Progress = Callable[[str, float], None]
"""What is being done, in words, and the fraction of the whole that is done, 0 to 1."""

_PARSED = 0.4
"""Of the whole time: reading the numbers."""


def load(path: Path, progress: Progress) -> Graph:
    """Reads a snapshot of V8 or of Python, and computes sizes, distances, dominators and classes.

    `progress` is called from the calling thread.

    Raises:
        Unreadable: the file is no snapshot, cut off, or contradicts itself.
    """
    with uncollected():
        if not warm.is_warm():
            progress("compiling the reader (once)", 0.0)
            warm.compile_all()

        def reading(phase: str, fraction: float) -> None:
            progress(phase, _PARSED * fraction)

        graph = _python(path, reading) or parse(path, reading)
        analyse(graph, progress)
        return graph


def _python(path: Path, progress: Progress) -> Graph | None:
    """None: another format."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from error
    return python_file.load_python(path, progress) if python_file.is_python(head) else None


def analyse(graph: Graph, progress: Progress) -> None:
    """Fills in what a graph's file does not say."""
    progress("finding who owns what", _PARSED)
    rules = rules_of(graph)

    def beside() -> None:
        graph.shallow = shallow_sizes(graph, rules)
        graph.distance = distances(graph, rules)
        if not graph.class_names:
            graph.class_of, graph.class_names = classify(graph)

    with ThreadPoolExecutor(1) as aside:
        rest = aside.submit(beside)
        holds = essential_edges(graph, rules)
        progress("finding what retains what", 0.5)
        graph.dominator, order = dominators(graph.first_edge, graph.edge_to, holds)
        del holds
        progress("adding up what is retained", 0.9)
        rest.result()
    graph.retained = retained_sizes(graph.shallow, graph.dominator, order)
    progress("read", 1.0)
