"""Memory of each task over time, in compact arrays: ten minutes at 1 Hz, two hours at 10 s.

About 8.5 kB a task. Figures are kept in KiB; 0 is a gap.
"""

from __future__ import annotations

from array import array

from heaptui.model import Series

FINE_SLOTS = 600
COARSE_STEP = 10
COARSE_SLOTS = 720
SPARK_SLOTS = 20
_SPARK_STEP = FINE_SLOTS // SPARK_SLOTS

_GROWTH_SPAN = 60
_GROWTH_EDGE = 10
_GROWTH_LEAST = 20
_SET_BACK = 30
"""Seconds by which a clock may lag and is waited for; one that was set back by more begins anew."""

_STARTS_S, _FLOOR_S = 3, 60

_NOISE_BYTES_PER_MIN = 1 << 20
_HIGHER = 1.01


class Gauge:
    """The memory of one attempt's tree. Instants are whole seconds; readings come in order."""

    __slots__ = ("_fine", "_high", "_low", "first", "floor", "last", "latest", "peak")

    def __init__(self) -> None:
        self._fine = array("I", bytes(4 * FINE_SLOTS))
        self._low = array("I", bytes(4 * COARSE_SLOTS))
        self._high = array("I", bytes(4 * COARSE_SLOTS))
        self.first: int | None = None
        self.last: int | None = None
        self.latest = 0
        self.peak = 0
        self.floor: int | None = None
        """The lowest of the first minute, without the seconds in which it only started: what it
        takes before its work makes it grow."""

    def add(self, at: float, memory_bytes: int) -> None:
        """One reading. Seconds that were passed over stay gaps."""
        second = int(at)
        if self.last is not None and second < self.last - _SET_BACK:
            self._begin_anew()
        if self.last is not None and second < self.last:
            second = self.last
        kib = max(1, memory_bytes >> 10)
        if self.last is not None:
            for skipped in range(self.last + 1, min(second, self.last + FINE_SLOTS) + 1):
                self._fine[skipped % FINE_SLOTS] = 0
            last_coarse, coarse = self.last // COARSE_STEP, second // COARSE_STEP
            for skipped in range(last_coarse + 1, min(coarse, last_coarse + COARSE_SLOTS) + 1):
                self._low[skipped % COARSE_SLOTS] = self._high[skipped % COARSE_SLOTS] = 0
        self._fine[second % FINE_SLOTS] = kib
        slot = second // COARSE_STEP % COARSE_SLOTS
        self._low[slot] = min(self._low[slot] or kib, kib)
        self._high[slot] = max(self._high[slot], kib)
        if self.first is None:
            self.first = second
        elif _STARTS_S <= second - self.first < _FLOOR_S:
            self.floor = min(self.floor or memory_bytes, memory_bytes)
        self.last = second
        self.latest = memory_bytes
        self.peak = max(self.peak, memory_bytes)

    def _begin_anew(self) -> None:
        for ring in (self._fine, self._low, self._high):
            ring[:] = array("I", bytes(4 * len(ring)))
        self.first = self.last = None

    def restore(self, minute: int, low: int, high: int) -> None:
        """A minute that an earlier supervisor saw; oldest first, before the first `add`."""
        for second in range(minute * 60, minute * 60 + 60, COARSE_STEP):
            slot = second // COARSE_STEP % COARSE_SLOTS
            self._low[slot], self._high[slot] = max(1, low >> 10), max(1, high >> 10)
        if self.first is None:
            self.first, self.floor = minute * 60, low
        self.last = minute * 60 + 59
        self.peak = max(self.peak, high)

    def growth(self) -> float | None:
        """Bytes a minute over the last minute: between the means of its two ends, so that one
        spike does not make a trend. None until there are twenty seconds: what a process takes
        while it starts says nothing about later."""
        if self.first is None or self.last is None:
            return None
        span = min(_GROWTH_SPAN, self.last - self.first + 1)
        if span < _GROWTH_LEAST:
            return None
        edge = min(_GROWTH_EDGE, span // 2)
        new = self._mean(self.last - edge + 1, self.last)
        old = self._mean(self.last - span + 1, self.last - span + edge)
        if new is None or old is None:
            return None
        return (new - old) * 1024 * 60 / (span - edge)

    def new_highs(self) -> bool | None:
        """Whether the last minute went higher than the minute before. A task that breathes grows
        with every breath and never does; None while it is younger than a minute and a half."""
        if self.first is None or self.last is None or self.last - self.first < 90:
            return None
        middle = self.last - 60
        before = max(self._cells(max(self.first, middle - 59), middle))
        return max(self._cells(middle + 1, self.last)) > before * _HIGHER

    def _mean(self, since: int, until: int) -> float | None:
        cells = self._cells(since, until)
        held = len(cells) - cells.count(0)
        return sum(cells) / held if held else None

    def _cells(self, since: int, until: int) -> array[int]:
        start, end = since % FINE_SLOTS, until % FINE_SLOTS
        if start <= end:
            return self._fine[start : end + 1]
        return self._fine[start:] + self._fine[: end + 1]

    def spark(self) -> tuple[int | None, ...]:
        """Means of 30 seconds each in KiB, oldest first, the last one still filling."""
        if self.last is None:
            return ()
        newest = self.last // _SPARK_STEP
        oldest_second = max(self.first or 0, self.last - FINE_SLOTS + 1)
        means: list[int | None] = []
        for step in range(newest - SPARK_SLOTS + 1, newest + 1):
            since = max(step * _SPARK_STEP, oldest_second)
            until = min(step * _SPARK_STEP + _SPARK_STEP - 1, self.last)
            mean = self._mean(since, until) if since <= until else None
            means.append(None if mean is None else round(mean))
        return tuple(means)

    def series(self, task_id: str, span_s: float) -> Series:
        """The last `span_s` seconds at the finest step that holds them."""
        if self.last is None or self.first is None:
            return Series(task_id=task_id, step_s=1, until=0, low=(), high=())
        span = min(int(span_s), self.last - self.first + 1)
        if span <= FINE_SLOTS:
            points = tuple(
                self._fine[second % FINE_SLOTS] * 1024 or None
                for second in range(self.last - span + 1, self.last + 1)
            )
            return Series(task_id=task_id, step_s=1, until=self.last, low=points, high=points)
        newest = self.last // COARSE_STEP
        steps = range(newest - min(COARSE_SLOTS, -(-span // COARSE_STEP)) + 1, newest + 1)
        return Series(
            task_id=task_id,
            step_s=COARSE_STEP,
            until=self.last,
            low=tuple(self._low[step % COARSE_SLOTS] * 1024 or None for step in steps),
            high=tuple(self._high[step % COARSE_SLOTS] * 1024 or None for step in steps),
        )

    def minute(self, minute: int) -> tuple[int, int, int] | None:
        """Low, high and last bytes of an epoch minute that is still held at one second."""
        if self.last is None or self.first is None:
            return None
        since = max(minute * 60, self.first, self.last - FINE_SLOTS + 1)
        until = min(minute * 60 + 59, self.last)
        held = [cell for s in range(since, until + 1) if (cell := self._fine[s % FINE_SLOTS])]
        return (min(held) << 10, max(held) << 10, held[-1] << 10) if held else None


_FULL = 0.8
"""Of its cap: a task that holds so much has no room to breathe, and any growth is a trend."""


def climbs(gauge: Gauge | None, memory_bytes: int, cap_bytes: int) -> bool:
    """Whether growth is a trend: a task that breathes, or only starts, is none of the operator's
    business while it is far from its cap."""
    if memory_bytes >= cap_bytes * _FULL:
        return True
    highs = gauge.new_highs() if gauge is not None else None
    return memory_bytes >= cap_bytes / 2 if highs is None else highs


def seconds_to_cap(
    memory_bytes: int | None, cap_bytes: int | None, growth_bytes_per_min: float | None
) -> float | None:
    """Seconds until the cap at this rate; None when it is not known, not growing, or growing by
    less than a megabyte a minute."""
    if memory_bytes is None or cap_bytes is None or growth_bytes_per_min is None:
        return None
    if growth_bytes_per_min < _NOISE_BYTES_PER_MIN:
        return None
    return max(0.0, (cap_bytes - memory_bytes) / growth_bytes_per_min * 60)
