"""The gauge against a model that keeps everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heaptui.supervisor.metrics import COARSE_SLOTS, FINE_SLOTS, SPARK_SLOTS, Gauge, seconds_to_cap
from tests.unit.supervisor.tasks import GIB, MIB

START = 1_700_000_000
READINGS = st.lists(
    st.tuples(
        # most readings follow within a second; some after gaps, one of them longer than a ring
        st.one_of(st.integers(1, 1), st.integers(0, 40), st.sampled_from([600, 700, 9000])),
        st.integers(min_value=0, max_value=64 * GIB),
    ),
    min_size=1,
    max_size=400,
)


class Everything:
    """Each second's last reading in KiB, and every reading of each ten seconds."""

    def __init__(self, readings: list[tuple[int, int]]) -> None:
        self.gauge = Gauge()
        self.seconds: dict[int, int] = {}
        self.tens: dict[int, list[int]] = {}
        now = START
        for after, memory in readings:
            now += after
            self.gauge.add(now + 0.5, memory)
            kib = max(1, memory >> 10)
            self.seconds[now] = kib
            self.tens.setdefault(now // 10, []).append(kib)
        self.last = now
        self.first = min(self.seconds)

    def mean(self, since: int, until: int) -> float | None:
        held = [self.seconds[s] for s in range(since, until + 1) if s in self.seconds]
        return sum(held) / len(held) if held else None


@given(READINGS, st.integers(1, FINE_SLOTS))
def test_a_short_series_is_every_second_with_its_gaps(readings, span):
    model = Everything(readings)
    series = model.gauge.series("a", span)
    length = min(span, model.last - model.first + 1)
    seconds = range(model.last - length + 1, model.last + 1)
    expected = tuple(
        model.seconds[second] * 1024 if second in model.seconds else None for second in seconds
    )
    assert (series.step_s, series.until) == (1, model.last)
    assert series.low == series.high == expected


@given(READINGS, st.integers(FINE_SLOTS + 1, 20_000))
def test_a_long_series_has_the_extremes_of_every_ten_seconds(readings, span):
    model = Everything(readings)
    series = model.gauge.series("a", span)
    if model.last - model.first + 1 <= FINE_SLOTS:
        assert series.step_s == 1
        return
    assert series.step_s == 10
    assert len(series.low) == len(series.high) <= COARSE_SLOTS
    newest = model.last // 10
    for back, (low, high) in enumerate(
        zip(reversed(series.low), reversed(series.high), strict=True)
    ):
        held = model.tens.get(newest - back)
        assert low == (min(held) * 1024 if held else None)
        assert high == (max(held) * 1024 if held else None)


@given(READINGS)
def test_the_peak_and_the_latest_are_exact(readings):
    gauge = Everything(readings).gauge
    assert gauge.peak == max(memory for _, memory in readings)
    assert gauge.latest == readings[-1][1]


@given(READINGS)
def test_the_sparkline_is_the_means_of_half_minutes(readings):
    model = Everything(readings)
    spark = model.gauge.spark()
    assert len(spark) == SPARK_SLOTS
    newest = model.last // 30
    oldest = max(model.first, model.last - FINE_SLOTS + 1)
    for back, shown in enumerate(reversed(spark)):
        since = (newest - back) * 30
        mean = model.mean(max(since, oldest), min(since + 29, model.last))
        assert shown == (None if mean is None else round(mean))


@given(READINGS, st.integers(0, 12))
def test_a_minute_is_its_low_high_and_last(readings, back):
    model = Everything(readings)
    minute = model.last // 60 - back
    oldest = model.last - FINE_SLOTS + 1
    held = [
        model.seconds[s]
        for s in range(minute * 60, minute * 60 + 60)
        if s in model.seconds and s >= oldest
    ]
    expected = (min(held) << 10, max(held) << 10, held[-1] << 10) if held else None
    assert model.gauge.minute(minute) == expected


@given(READINGS)
def test_growth_is_known_only_where_both_ends_of_the_minute_are(readings):
    model = Everything(readings)
    growth = model.gauge.growth()
    span = min(60, model.last - model.first + 1)
    if growth is None:
        edge = min(10, span // 2)
        old = model.mean(model.last - span + 1, model.last - span + edge)
        assert span < 20 or old is None
    else:
        assert span >= 20


@given(
    st.integers(min_value=-50, max_value=50),
    st.integers(min_value=20, max_value=300),
    st.integers(min_value=0, max_value=9),
)
def test_growth_of_a_straight_line_is_its_slope(megabytes_per_s, seconds, one_missing):
    gauge = Gauge()
    for second in range(seconds):
        if second != one_missing or second in (0, seconds - 1):
            gauge.add(START + second, 20 * GIB + second * megabytes_per_s * MIB)
    growth = gauge.growth()
    assert growth is not None
    expected = megabytes_per_s * MIB * 60
    # where a second is missing the mean of its end lies up to half a second beside the middle
    assert abs(growth - expected) <= abs(expected) * 0.06 + 1
    assert (growth > 0) == (megabytes_per_s > 0)


def test_one_spike_makes_no_trend():
    gauge = Gauge()
    for second in range(60):
        gauge.add(START + second, 4 * GIB if second == 59 else GIB)
    assert gauge.growth() < 0.5 * GIB


def test_a_clock_that_goes_back_replaces_the_latest_reading():
    gauge = Gauge()
    gauge.add(START, MIB)
    gauge.add(START - 100, 2 * MIB)
    assert gauge.series("a", 60).low == (2 * MIB,)


def test_a_clock_that_was_set_back_costs_the_past_and_not_the_trend_to_come():
    gauge = Gauge()
    for second in range(120):
        gauge.add(START + second, 500 * MIB)
    for second in range(60):
        gauge.add(START - 3600 + second, (100 + second) * MIB)
    assert gauge.peak == 500 * MIB
    assert round(gauge.growth() / MIB) == 60
    assert len(gauge.series("a", 3600).low) == 60


def test_nothing_is_known_of_an_empty_gauge():
    gauge = Gauge()
    assert gauge.growth() is None
    assert gauge.spark() == ()
    assert gauge.series("a", 60).low == ()
    assert gauge.minute(0) is None
    assert gauge.new_highs() is None


def test_what_breathes_reaches_no_new_highs_and_what_climbs_does():
    breathing, climbing = Gauge(), Gauge()
    for second in range(180):
        breathing.add(START + second, (100 + 50 * (second // 10 % 2)) * MIB)
        climbing.add(START + second, (100 + second) * MIB)
    assert breathing.new_highs() is False
    assert climbing.new_highs() is True


@given(
    st.integers(0, 8 * GIB),
    st.integers(1, 8 * GIB),
    st.floats(min_value=-1e12, max_value=1e12, allow_nan=False),
)
def test_the_time_to_the_cap_is_never_negative_and_needs_growth(memory, cap, growth):
    left = seconds_to_cap(memory, cap, growth)
    if growth < MIB:
        assert left is None
    else:
        assert left is not None
        assert left >= 0
        assert (left == 0) == (memory >= cap)


def test_the_time_to_the_cap():
    assert seconds_to_cap(GIB, 2 * GIB, 512 * MIB) == 120
    assert seconds_to_cap(None, GIB, MIB) is None
    assert seconds_to_cap(GIB, None, MIB) is None
    assert seconds_to_cap(GIB, 2 * GIB, None) is None
