"""The memory pane: the chart at the left, figures and the last events at the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from heaptui.model import Detail, Row, Series, State
from heaptui.tui.lines import Line, beside, indented, sentence
from heaptui.tui.widgets.dock.chart import AXIS, Frame, Marks, braille, chart, span_for
from heaptui.tui.widgets.dock.events import clock_time
from heaptui.tui.widgets.dock.figures import figures

GAP = 2
_LEAST_PLOT = 16


def figures_width(width: int) -> int:
    """Cells of the figures in a pane of `width`: the chart takes what is more."""
    return min(60, max(37, round(width * 0.42)))


def span_of(row: Row, now: float) -> float:
    """Seconds of the past to show of this task."""
    if row.started_at is None:
        return span_for(0.0)
    return span_for((row.ended_at or now) - row.started_at)


def memory_lines(
    row: Row,
    detail: Detail | None,
    series: Series | None,
    room: tuple[int, int],
    *,
    now: float,
    dots: Callable[[int], str] = braille,
    children: Sequence[Row] = (),
) -> list[Line]:
    """The pane in a room of (width, height)."""
    width, height = room
    right = figures_width(width) - GAP // 2
    plot_width = width - right - GAP - 1
    if plot_width < AXIS + _LEAST_PLOT:
        return figures(row, detail, width, height, now, children)
    side = figures(row, detail, right, height, now, children)
    if series is None or not any(each is not None for each in series.high):
        plot = _without_samples(row, series, plot_width, height)
    else:
        marks = Marks(row.cap_bytes, row.soft_bytes, row.peak_bytes)
        until = "now" if row.state.live else clock_time(series.until, now)
        plot = _chart(series, marks, Frame(plot_width, height, span_of(row, now), until, dots))
    return beside(plot, plot_width + GAP, side)


# figures change more often than the series
_chart = lru_cache(maxsize=4)(chart)


def _without_samples(row: Row, series: Series | None, width: int, height: int) -> list[Line]:
    if series is None and row.state.live:
        return []
    if row.state.ended:
        why = "No samples are kept of this task: it ended too soon, or too long ago."
    elif row.state is State.SPLIT:
        why = "Its children are measured each for itself: go to one of them."
    elif row.state.live:
        why = "The first sample comes within a second."
    else:
        why = "Nothing is measured before it runs."
    blank: list[Line] = [()] * max(0, height // 2 - 1)
    return blank + indented(sentence(why, max(10, width - AXIS), "dim"), AXIS)
