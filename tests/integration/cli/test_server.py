"""What a client may do to the supervisor's socket without harm to anybody else."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator

import psutil
import pytest

from heaptui.protocol import LINE_MAX
from tests.integration.operating import Operated, said

MIB = 1 << 20


@pytest.fixture
def served(heaptui: Operated) -> Iterator[Operated]:
    heaptui.run("sleep", "300", name="work")
    heaptui.until("work", "running")
    before = heaptui.supervisor()
    yield heaptui
    assert heaptui.supervisor() == before
    assert [row["name"] for row in heaptui.told("ps")] == ["work"]


def connected(heaptui: Operated) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(str(heaptui.state.socket("supervisor")))
    return connection


def call(seq: int, kind: str, **fields: object) -> bytes:
    return json.dumps({"seq": seq, "call": {"type": kind, **fields}}).encode() + b"\n"


def answers(connection: socket.socket, n: int) -> list[dict]:
    with connection.makefile("rb") as file:
        return [json.loads(file.readline()) for _ in range(n)]


def test_the_socket_is_the_users_own(served):
    status = served.state.socket("supervisor").stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_uid == os.getuid()


def test_garbage_is_answered_and_the_conversation_goes_on(served):
    with connected(served) as connection:
        connection.sendall(
            b"\x00\xff not json\n"
            + b"[]\n{}\n"
            + call(7, "no-such-call")
            + call(8, "show")
            + call(9, "ping")
        )
        told = answers(connection, 6)
    assert [one["seq"] for one in told] == [0, 0, 0, 7, 8, 9]
    assert [one["fault"] and one["fault"]["kind"] for one in told] == ["usage"] * 5 + [None]
    assert told[-1]["answer"]["pid"] == served.supervisor()


@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_a_line_beyond_all_measure_ends_the_conversation(served, newline):
    gone = pytest.raises((BrokenPipeError, ConnectionResetError))
    with connected(served) as connection, gone:
        for _ in range(64):
            connection.sendall(b"x" * MIB)
        connection.sendall(newline)
    assert LINE_MAX < 64 * MIB


def test_a_client_that_never_reads_costs_little_and_holds_up_nobody(served):
    served("dispatch", "pause")
    served.run("true", "x" * 1000, name="filler", count="500")
    supervisor = psutil.Process(served.supervisor())
    before = supervisor.memory_info().rss
    with connected(served) as deaf:
        deaf.setblocking(False)
        deaf.send(call(1, "watch"))
        asked = 0
        quiet_since = time.monotonic()
        # half a second without room in its socket: it is not listened to any more
        while time.monotonic() - quiet_since < 0.5:
            try:
                deaf.send(call(2, "list", all=True))
            except BlockingIOError:
                time.sleep(0.01)
            else:
                asked += 1
                quiet_since = time.monotonic()
        assert asked * 500_000 > 64 * MIB
        assert supervisor.memory_info().rss - before < 64 * MIB
        assert served.told("dispatch")["paused"]
    said(served("stop", *[f"filler/{n}" for n in range(1, 501)]), 0)


def test_a_client_that_leaves_in_mid_call_takes_nothing_along(served):
    spec = {"argv": ["sh", "-c", "exit 3"], "cwd": "/", "name": "cut"}
    for n in range(20):
        with connected(served) as connection:
            connection.sendall(
                call(1, "settled", tasks=["work"])
                + call(2, "submit", ids=[f"aaaa{n:02}"], specs=[spec], environment={})
                + call(3, "show", task="work")[: n * 2]
            )
    with connected(served) as connection:
        connection.sendall(call(1, "ping"))
        assert answers(connection, 1)[0]["fault"] is None
    # each was queued whole or not at all
    for row in served.told("ps", "--all"):
        if row["id"].startswith("aaaa"):
            settled = served.told("stop", row["id"])[0]
            assert settled["state"] in ("failed", "stopped")


@pytest.mark.parametrize("task_id", ["../../../etc", "", "a/b", "x" * 500, "ünï", "a\0b"])
def test_an_id_that_is_no_id_never_becomes_a_path(served, task_id):
    spec = {"argv": ["true"], "cwd": "/", "name": "bad"}
    with connected(served) as connection:
        connection.sendall(call(1, "submit", ids=[task_id], specs=[spec], environment={}))
        (told,) = answers(connection, 1)
    assert told["fault"]["kind"] in ("usage", "refused")
    assert [row["name"] for row in served.told("ps", "--all")] == ["work"]


def test_many_watchers_see_the_same(served):
    watchers = [connected(served) for _ in range(20)]
    try:
        for one in watchers:
            one.sendall(call(1, "watch"))
        for one in watchers:
            reply, picture = answers(one, 2)
            assert reply["seq"] == 1
            assert [row["name"] for row in picture["rows"]] == ["work"]
    finally:
        for one in watchers:
            one.close()
