import asyncio

from heaptui.engine.base import EngineEvent, Exited, Sampled, Working
from heaptui.engine.stream import HELD, EventStream
from heaptui.model import Work


async def drained(stream: EventStream, count: int) -> list[EngineEvent]:
    found = []
    async with asyncio.timeout(10):
        async for event in stream.read():
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_of_what_passes_only_the_newest_waits_and_ends_always_wait() -> None:
    stream = EventStream()
    end = Exited(task_id="t", attempt=1, node="n", at=0, code=0)
    stream.put(end)
    for n in range(3 * HELD):
        stream.put(Sampled(node="n", at=n, host=None, tasks=[]))
        stream.put(
            Working(task_id="t", attempt=1, pid=1, verb="snapshot", phase="writing", written=n)
        )
    events = await drained(stream, 1 + 2 * HELD)
    assert events[0] is end
    assert [one.at for one in events if isinstance(one, Sampled)] == [*range(2 * HELD, 3 * HELD)]
    written = [one.written for one in events if isinstance(one, Working)]
    assert written == [*range(2 * HELD, 3 * HELD)]


async def test_room_that_was_read_free_is_used_again() -> None:
    stream = EventStream()
    for n in range(HELD):
        stream.put(Sampled(node="n", at=n, host=None, tasks=[]))
    await drained(stream, HELD)
    for n in range(HELD):
        stream.put(Sampled(node="n", at=100 + n, host=None, tasks=[]))
    events = await drained(stream, HELD)
    assert next(one.at for one in events if isinstance(one, Sampled)) == 100


async def test_what_a_dropped_pass_told_of_work_comes_with_the_next() -> None:
    stream = EventStream()
    for n in range(HELD + 2):
        told = {f"t{n}": Work(at=n)} | ({"t0": Work(at=99)} if n == 1 else {})
        stream.put(Sampled(node="n", at=n, host=None, tasks=[], work=told))
    first, second = (await drained(stream, HELD))[:2]
    assert isinstance(first, Sampled)
    assert isinstance(second, Sampled)
    assert first.work == {"t0": Work(at=99), "t1": Work(at=1), "t2": Work(at=2)}
    assert second.work == {"t3": Work(at=3)}
