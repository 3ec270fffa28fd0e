"""The plain engine: answers `Summary` and `Diff`, and says how to get the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from heaptui.errors import Refused, UsageError
from heaptui.heap import answers
from heaptui.heap.analysis import python_file
from heaptui.heap.analysis.files import shown_path
from heaptui.heap.analysis.measured import peak_bytes
from heaptui.heap.analysis.plain.classes import Class, Counted, count_v8
from heaptui.heap.analysis.plain.python_rows import count_python
from heaptui.heap.analysis.rows import (
    LASTING,
    NOT_ONE_PROCESS,
    difference,
    modules_stay,
    net,
    order_field,
    same_ids_mean_the_same,
)

ROWS_MOST = 1000
HOW_TO_GET_THE_REST = (
    "read without numpy and numba: counts and own sizes only; "
    "`pip install 'heaptui[heap]'` adds what is retained, retainers, strings and the leak's holder"
)
_SAMPLE = 8


class Plain:
    """One or two files, counted by class."""

    def __init__(self, paths: Sequence[Path], progress: Callable[[str, float], None]) -> None:
        counted: list[Counted] = []
        took: list[float] = []
        for index, path in enumerate(paths):
            began = time.monotonic()

            def part(fraction: float, index: int = index) -> None:
                progress("counting", (index + fraction) / len(paths))

            one = _counted(path, with_ids=len(paths) == 2, progress=part)
            counted.append(one)
            took.append(time.monotonic() - began)
        self._old = counted[0] if len(counted) == 2 else None
        self._new = counted[-1]
        self._one_process = self._old is None or _one_process(self._old, self._new)
        self.headers = tuple(
            _header(path, one, seconds, self._notes(index))
            for index, (path, one, seconds) in enumerate(zip(paths, counted, took, strict=True))
        )

    def _notes(self, index: int) -> tuple[str, ...]:
        last = index == 1 or self._old is None
        return (HOW_TO_GET_THE_REST,) * last + (NOT_ONE_PROCESS,) * (
            index == 1 and not self._one_process
        )

    def answer(self, question: answers.Question) -> object:
        """As `answers.ANSWERS` types it.

        Raises:
            Refused: it needs the fast engine.
            UsageError: there is no such order, or only one file is open.
        """
        match question:
            case answers.Summary():
                return _summary(self._new, question)
            case answers.Diff():
                return self._difference(question)
        raise Refused(
            f"{type(question).__name__} needs the fast engine.",
            "Install it beside heaptui: pip install 'heaptui[heap]'",
        )

    def _difference(self, question: answers.Diff) -> tuple[answers.DiffRow, ...]:
        if self._old is None:
            raise UsageError(
                "A difference needs two snapshots.", "Name the older and the newer file."
            )
        field = order_field(question.order)
        wanted = question.match.casefold()
        rows = []
        for name in self._old.classes.keys() | self._new.classes.keys():
            if wanted in name.casefold():
                row = _compared(
                    name, self._old.classes.get(name, Class()), self._new.classes.get(name, Class())
                )
                row = row if self._one_process else net(row)
                if row.new or row.freed:
                    rows.append(row)
        rows.sort(key=lambda row: (-getattr(row, field), row.name))
        return tuple(rows[: min(max(question.limit, 0), ROWS_MOST)])


def _counted(path: Path, *, with_ids: bool, progress: Callable[[float], None]) -> Counted:
    with path.open("rb") as file:
        head = file.read(64)
    count = count_python if python_file.is_python(head) else count_v8
    return count(path, with_ids=with_ids, progress=progress)


def _summary(counted: Counted, question: answers.Summary) -> tuple[answers.ClassRow, ...]:
    # what is retained is not known; who asks for the largest gets them by their own bytes
    field = {"retained": "bytes", "shallow": "bytes", "count": "count", "name": ""}
    if question.order not in field:
        raise UsageError(
            f"Classes have no order {question.order!r}.", f"Orders: {', '.join(field)}."
        )
    wanted = question.match.casefold()
    rows = [(name, one) for name, one in counted.classes.items() if wanted in name.casefold()]
    by = field[question.order]
    rows.sort(key=lambda row: (-getattr(row[1], by) if by else 0, row[0]))
    return tuple(
        answers.ClassRow(name=name, count=one.count, shallow=one.bytes)
        for name, one in rows[: min(max(question.limit, 0), ROWS_MOST)]
    )


def _compared(name: str, old: Class, new: Class) -> answers.DiffRow:
    """A set of one class's ids at a time: no more than the largest class takes."""
    held = set(old.ids)
    came = [size for one, size in zip(new.ids, new.sizes, strict=True) if one not in held]
    held = set(new.ids)
    gone = [size for one, size in zip(old.ids, old.sizes, strict=True) if one not in held]
    return difference(name, len(came), sum(came), len(gone), sum(gone))


def _one_process(old: Counted, new: Counted) -> bool:
    if old.format != new.format:
        return False
    if old.format == "python":
        before = set(old.classes.get("module", Class()).ids)
        return modules_stay(len(before), len(before & set(new.classes.get("module", Class()).ids)))
    there = {one: name for name, group in new.classes.items() for one in _sampled(group)}
    same = {
        name: [there[one] == name for one in _sampled(group) if one in there]
        for name, group in old.classes.items()
    }
    counts = [(len(same.get(name, ())), sum(same.get(name, ()))) for name in LASTING]
    return same_ids_mean_the_same(
        [*counts, (sum(map(len, same.values())), sum(map(sum, same.values())))]
    )


def _sampled(group: Class) -> list[int]:
    # V8's are odd: the lowest bits say nothing
    return [one for one in group.ids if (one >> 1) % _SAMPLE == 0]


def _header(path: Path, counted: Counted, took_s: float, notes: tuple[str, ...]) -> answers.Header:
    return answers.Header(
        path=shown_path(path),
        file_bytes=path.stat().st_size,
        format=counted.format,
        engine="plain",
        nodes=counted.nodes,
        edges=counted.edges,
        heap_bytes=counted.bytes,
        runtime=counted.runtime,
        took_s=round(took_s, 3),
        peak_bytes=peak_bytes(),
        notes=notes,
    )
