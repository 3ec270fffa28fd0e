import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.memory.watchdog import LONGEST_S, PLAUSIBLE_BYTES_PER_S, SHORTEST_S, guard, next_check

sizes = st.integers(0, 1 << 42)
growths = st.floats(-1e12, 1e12)


@given(sizes, sizes, growths)
def test_the_interval_is_bounded(cap: int, memory: int, growth: float) -> None:
    assert SHORTEST_S <= next_check(cap, memory, growth) <= LONGEST_S


@given(sizes, sizes, sizes, growths)
def test_less_headroom_never_means_a_later_look(
    cap: int, one: int, other: int, growth: float
) -> None:
    near, far = max(one, other), min(one, other)
    assert next_check(cap, near, growth) <= next_check(cap, far, growth)


@given(sizes, sizes, growths, growths)
def test_faster_growth_never_means_a_later_look(
    cap: int, memory: int, one: float, other: float
) -> None:
    assert next_check(cap, memory, max(one, other)) <= next_check(cap, memory, min(one, other))


@given(st.integers(1, 1 << 42), st.floats(0, 1), st.floats(0, PLAUSIBLE_BYTES_PER_S))
def test_growth_up_to_what_is_plausible_cannot_pass_the_cap_between_two_looks(
    cap: int, share: float, really: float
) -> None:
    memory = int(cap * share)
    interval = next_check(cap, memory, 0.0)
    beyond = memory + really * interval - cap
    assert beyond <= PLAUSIBLE_BYTES_PER_S * SHORTEST_S * 1.000001


def test_growth_that_is_seen_shortens_the_interval() -> None:
    cap, memory = 64 << 30, 32 << 30
    assert next_check(cap, memory, 100e9) < next_check(cap, memory, 0.0)


def nothing() -> int:
    return 0


async def test_guard_reports_the_first_figure_beyond_the_cap_and_ends() -> None:
    figures = iter([10, 99, 100, 101, 102])
    judgements = iter([103, 104, 105])
    told: list[int] = []

    async def judge() -> int:
        return next(judgements)

    async def over(memory: int) -> None:
        told.append(memory)

    await guard(lambda: next(figures), nothing, judge, lambda: 100, over)
    assert told == [103]
    assert (next(figures), next(judgements)) == (102, 104)


async def test_a_cheap_figure_beyond_the_cap_ends_nobody_whose_judgement_is_within_it() -> None:
    figures = iter([200, 200, 200, None])
    judgements = iter([90, 80, 100])

    async def judge() -> int:
        return next(judgements)

    async def over(_: int) -> None:
        raise AssertionError

    await guard(lambda: next(figures), nothing, judge, lambda: 100, over)
    assert list(judgements) == []


async def test_guard_ends_when_a_judgement_finds_nothing_any_more() -> None:
    async def judge() -> None:
        return None

    async def over(_: int) -> None:
        raise AssertionError

    await guard(lambda: 200, nothing, judge, lambda: 100, over)


async def never_asked() -> int:
    raise AssertionError


async def test_guard_ends_when_there_is_nothing_to_watch() -> None:
    figures = iter([10, None])

    async def over(_: int) -> None:
        raise AssertionError

    await guard(lambda: next(figures), nothing, never_asked, lambda: 100, over)


async def test_guard_can_be_cancelled() -> None:
    async def over(_: int) -> None:
        raise AssertionError

    looked = asyncio.Event()

    def read() -> int:
        looked.set()
        return 0

    task = asyncio.create_task(guard(read, nothing, never_asked, lambda: 1 << 40, over))
    await looked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_proven_beyond_the_cap_needs_no_judgement() -> None:
    told: list[int] = []

    async def over(memory: int) -> None:
        told.append(memory)

    await guard(lambda: 200, lambda: 150, never_asked, lambda: 100, over)
    assert told == [150]


async def test_a_proof_that_comes_while_a_judgement_takes_its_time_ends_both() -> None:
    told: list[int] = []
    judging, given_up = asyncio.Event(), asyncio.Event()

    async def judge() -> int:
        judging.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError

    async def over(memory: int) -> None:
        told.append(memory)

    def proof() -> int:
        return 130 if judging.is_set() else 60

    async with asyncio.timeout(30):
        await guard(lambda: 200, proof, judge, lambda: 100, over)
        await given_up.wait()
    assert told == [130]


async def test_a_judgement_that_fails_is_heard_of() -> None:
    async def judge() -> int:
        raise OSError(5, "no reading")

    async def over(_: int) -> None:
        raise AssertionError

    with pytest.raises(OSError, match="no reading"):
        await guard(lambda: 200, nothing, judge, lambda: 100, over)
