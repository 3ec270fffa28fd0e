"""What a supervisor counts and stores, as measures and as metrics, over its own socket."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from heaptui.client import Client
from heaptui.model import Kind, State, VerdictKind
from heaptui.server import Server
from heaptui.units import MIB
from tests.integration.supervisor.heaped import HeapHouse, heap


@pytest.fixture
async def served(house: HeapHouse):
    async with Server(house.supervisor, embedded=False).serving():
        yield house


async def over_http(house: HeapHouse, request: bytes) -> tuple[bytes, str]:
    path = house.state.socket("supervisor")
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body.decode()


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


async def test_ends_become_measures(served: HeapHouse):
    task = await served.submit("hold", retries=1)
    for attempt, outcome in ((1, {"signal": 9}), (2, {"code": 0})):
        await served.submitted(task, attempt)
        served.engine.start(task.id, attempt)
        await served.until(task, State.RUNNING)
        served.engine.end(task.id, attempt, peak_bytes=attempt * 100 * MIB, **outcome)
    await served.until(task, State.DONE)
    await served.settled()
    async with Client(served.state, "test") as client:
        found = await client.measures()
        bare = await client.measures(records=0)
    (profile,) = found.profiles
    assert (profile.kind, profile.name, profile.attempts) == (Kind.COMMAND, "hold", 2)
    assert [one.peak_bytes for one in profile.records] == [200 * MIB, 100 * MIB]
    assert profile.records[0].verdict is VerdictKind.FINISHED
    assert (profile.p50_bytes, profile.max_bytes) == (100 * MIB, 200 * MIB)
    assert profile.suggested_cap_bytes is None
    assert sum(found.verdicts.values()) == 2 and found.verdicts["finished"] == 1
    assert found.dispatch.count == 2
    assert found.dispatch.max is not None and found.dispatch.max >= 0
    assert bare.profiles[0].records == () and bare.profiles[0].max_bytes == 200 * MIB


async def test_metrics_tell_of_live_tasks_and_of_what_was_counted(served: HeapHouse):
    live = await served.running(heap(7, used=20 * MIB), memory=120 * MIB)
    gone = await served.submit("exit", "3")
    await served.until(gone, State.FAILED)
    await served.settled()
    async with Client(served.state, "test") as client:
        found = samples(await client.metrics())
    labels = {"task": live.id, "name": "hold", "kind": "command"}
    assert found["heaptui_task_memory_bytes"] == [(labels, 120 * MIB)]
    assert found["heaptui_task_cap_bytes"] == [(labels, 1 << 30)]
    assert found["heaptui_task_heap_used_bytes"] == [(labels, 20 * MIB)]
    assert ({"kind": "command", "verdict": "failed"}, 1) in found["heaptui_attempts_ended_total"]
    assert ({"state": "running"}, 1) in found["heaptui_tasks"]
    assert found["heaptui_dispatch_latency_seconds_count"] == [({}, 2)]
    assert found["heaptui_host_memory_available_bytes"][0][1] > 0


async def test_the_socket_answers_a_scraper_and_operators_go_on(served: HeapHouse):
    async with Client(served.state, "test") as client:
        await client.ping()
        request = b"GET /metrics HTTP/1.1\r\nHost: whatever\r\nAccept: */*\r\n\r\n"
        head, body = await over_http(served, request)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"application/openmetrics-text" in head
        assert samples(body)["heaptui_dispatch_places"]
        for asked, status in (
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
            (b"PUT /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
            (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 9000 + b"\r\n", b"431"),
        ):
            head, _ = await over_http(served, asked)
            assert head.split()[1] == status
        assert (await client.ping()).supervisor_id == "s"
