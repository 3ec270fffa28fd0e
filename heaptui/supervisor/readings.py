"""What one pass of the sampler changes: figures of tasks, their peaks and roll-ups in the books."""

from __future__ import annotations

from heaptui.engine.base import Sampled
from heaptui.store.records import Rollup
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.pictures import Gallery, visibly_moved
from heaptui.supervisor.task import Task

COMPUTES_PERCENT = 1.0
"""Of a core; with less, and without a word printed, a task is silent."""

_PEAKS_EVERY_S = 10
"""How much of a peak a killed supervisor can forget."""

_SPARK_EVERY_S = 5


class Readings:
    """Of all live tasks. `at` is an instant of the minute that is rolled up first."""

    def __init__(self, ledger: Ledger, gallery: Gallery, at: float) -> None:
        self._ledger = ledger
        self._gallery = gallery
        self._minute = int(at) // 60

    def take_in(self, event: Sampled) -> bool:
        """Whether something of it is to be stored now. Figures of attempts that are not their
        tasks' current one are passed over."""
        # first the heaps, so that rows are compared as a whole with what is shown of them
        self._look_into(event)
        second = int(event.at)
        store_peaks = second % _PEAKS_EVERY_S == 0
        for sample in event.tasks:
            task = self._ledger.get(sample.task_id)
            if task is None or task.attempts != sample.attempt or not task.state.live:
                continue
            task.measured(sample, event.at)
            written = event.output_bytes.get(task.id, task.output_bytes)
            grown, task.output_bytes = written != task.output_bytes, written
            if grown or (sample.cpu_percent or 0) >= COMPUTES_PERCENT:
                task.active_at = event.at
            if task.gauge is not None and (not task.spark or second % _SPARK_EVERY_S == 0):
                task.spark = task.gauge.spark()
            if visibly_moved(task) or grown:
                self._ledger.changed(task)
            if store_peaks:
                self._ledger.peaked(task)
        if second // 60 == self._minute:
            return store_peaks
        self.roll_up()
        self._minute = second // 60
        return True

    def _look_into(self, event: Sampled) -> None:
        for task_id, heaps in event.heaps.items():
            task = self._ledger.get(task_id)
            if task is not None and task.state.live:
                task.looked_into(heaps)
        for task_id, work in event.work.items():
            task = self._ledger.get(task_id)
            if task is not None and task.state.live:
                self._ledger.worked(task, work)
        for task_id, why in event.heapless.items():
            task = self._ledger.get(task_id)
            if task is not None and task.state.live:
                task.looked_into(())
                task.heap_absent = why

    def roll_up(self) -> None:
        """The minute under way, of every live task."""
        for task in self._ledger.tasks.values():
            if task.state.live:
                self.roll_up_task(task)

    def roll_up_task(self, task: Task) -> None:
        """The minute under way, of one: for an attempt that ends in it."""
        figures = task.gauge.minute(self._minute) if task.gauge else None
        if figures is not None:
            low, high, last = figures
            attempt, minute = task.attempts, self._minute
            self._ledger.rolled(
                Rollup(
                    task_id=task.id, attempt=attempt, minute=minute, low=low, high=high, last=last
                )
            )
