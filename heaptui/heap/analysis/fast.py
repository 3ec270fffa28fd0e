"""The fast engine: a graph in arrays, and an answer to every question."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from heaptui.errors import UsageError
from heaptui.heap import answers
from heaptui.heap.analysis import diff, leak, objects, retainers, texts
from heaptui.heap.analysis.classes import aggregates
from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.files import shown_path
from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.indexed import SYSTEM_DISTANCE, Indexed
from heaptui.heap.analysis.load import load
from heaptui.heap.analysis.measured import peak_bytes
from heaptui.heap.analysis.pairing import Pairing, pair
from heaptui.heap.analysis.rows import NOT_ONE_PROCESS

ROWS_MOST = 1000
CHARACTERS_MOST = 1_000_000
_ORDERS = ("retained", "shallow", "count", "name")
_OBJECT_NOTE = (
    "all plain objects; DevTools splits them by their properties, so its rows for them are several"
)


class Fast:
    """One or two loaded files. Of two the second is the one that is asked about."""

    def __init__(self, paths: Sequence[Path], progress: Callable[[str, float], None]) -> None:
        began = [time.monotonic()]
        graphs: list[Graph] = []
        for index, path in enumerate(paths):

            def part(phase: str, fraction: float, index: int = index) -> None:
                progress(phase, (index + fraction) / len(paths))

            graphs.append(load(path, part))
            began.append(time.monotonic())
        self._old = Indexed(graphs[0]) if len(graphs) == 2 else None
        self._new = Indexed(graphs[-1])
        self._places = Places(self._new)
        self.headers = tuple(
            _header(path, graph, began[index + 1] - began[index], self._notes(index))
            for index, (path, graph) in enumerate(zip(paths, graphs, strict=True))
        )

    def _notes(self, index: int) -> tuple[str, ...]:
        if index == 0 or self._old is None or self._pairing.one_process:
            return ()
        return (NOT_ONE_PROCESS,)

    @cached_property
    def _pairing(self) -> Pairing:
        return pair(self._older.graph, self._new.graph)

    @property
    def _older(self) -> Indexed:
        """Raises:
        UsageError: only one file is open.
        """
        if self._old is None:
            raise UsageError(
                "A difference needs two snapshots.", "Name the older and the newer file."
            )
        return self._old

    def answer(self, question: answers.Question) -> object:
        """As `answers.ANSWERS` types it.

        Raises:
            HeaptuiError: there is no such object, class, or order.
        """
        new, places = self._new, self._places
        match question:
            case answers.Summary():
                return self._summary(question)
            case answers.Objects(name=name):
                return objects.of_class(new, places, name, *_part(question))
            case answers.Children(node=node):
                return objects.children(new, places, node, *_part(question))
            case answers.Retainers(node=node):
                return retainers.retainers(new, places, node, *_part(question))
            case answers.Path(node=node):
                return retainers.path(new, places, node)
            case answers.Dominated(node=at):
                return objects.dominated(new, places, at, *_part(question))
            case answers.Strings(order=order, match=match):
                return texts.strings(new, order=order, match=match, limit=_most(question.limit))
            case answers.Find(id=wanted):
                return objects.find(new, places, wanted)
            case answers.Value(node=node, most=most):
                return self._value(node, most)
            case answers.Diff(order=order, match=match):
                return self._with_retained(
                    diff.differences(
                        self._older, new, self._pairing,
                        order=order, match=match, limit=_most(question.limit),
                    )
                )  # fmt: skip
            case answers.Fresh(name=name):
                self._older  # noqa: B018  (says what is missing)
                return diff.fresh(new, places, self._pairing, name, *_part(question))
            case answers.Leak(most=most):
                older = self._older
                return leak.leak(older, new, places, self._pairing, min(max(most, 0), ROWS_MOST))

    @cached_property
    def _classes(self) -> tuple[answers.ClassRow, ...]:
        graph = self._new.graph
        table = aggregates(graph)
        whole = int(graph.retained[0]) or 1
        return tuple(
            answers.ClassRow(
                name=name,
                count=int(table.count[code]),
                shallow=int(table.shallow[code]),
                retained=int(table.retained[code]),
                share=int(table.retained[code]) / whole,
                distance=_shown_distance(int(table.distance[code])),
                note=_OBJECT_NOTE if name == "Object" and graph.format == "v8" else "",
            )
            for code, name in enumerate(graph.class_names)
            if table.count[code]
        )

    def _summary(self, question: answers.Summary) -> tuple[answers.ClassRow, ...]:
        if question.order not in _ORDERS:
            raise UsageError(
                f"Classes have no order {question.order!r}.", f"Orders: {', '.join(_ORDERS)}."
            )
        wanted = question.match.casefold()
        rows = [row for row in self._classes if wanted in row.name.casefold()]
        if question.order == "name":
            rows.sort(key=lambda row: row.name)
        else:
            rows.sort(key=lambda row: (-getattr(row, question.order), row.name))
        return tuple(rows[: _most(question.limit)])

    def _with_retained(self, rows: tuple[answers.DiffRow, ...]) -> tuple[answers.DiffRow, ...]:
        retained = {row.name: row.retained for row in self._classes}
        return tuple(
            answers.DiffRow(
                name=row.name,
                new=row.new,
                freed=row.freed,
                delta=row.delta,
                new_bytes=row.new_bytes,
                freed_bytes=row.freed_bytes,
                delta_bytes=row.delta_bytes,
                retained=retained.get(row.name, 0),
            )
            for row in rows
        )

    def _value(self, node: int, most: int) -> str:
        objects.known(self._new, node)
        if self._new.kind(node) not in answers.STRINGS:
            raise UsageError(
                f"@{self._new.graph.node_id[node]} is not a string.",
                "Open it to see what it refers to.",
            )
        return texts.beginning(self._new, node, min(max(most, 0), CHARACTERS_MOST))


def _most(limit: int) -> int:
    return min(max(limit, 0), ROWS_MOST)


def _part(question: object) -> tuple[int, int]:
    """Offset and limit, as far as they make sense."""
    offset, limit = getattr(question, "offset", 0), getattr(question, "limit", ROWS_MOST)
    return max(offset, 0), _most(limit)


def _shown_distance(distance: int) -> int | None:
    return distance if 0 <= distance < SYSTEM_DISTANCE else None


def _header(path: Path, graph: Graph, took_s: float, notes: tuple[str, ...]) -> answers.Header:
    return answers.Header(
        path=shown_path(path),
        file_bytes=path.stat().st_size,
        format=graph.format,
        engine="fast",
        nodes=graph.nodes,
        edges=graph.edges,
        heap_bytes=int(graph.shallow.sum()),
        runtime=graph.runtime,
        took_s=round(took_s, 3),
        peak_bytes=peak_bytes(),
        notes=(*graph.notes, *notes),
    )
