"""The operator's own command for alerts: real programs, good ones and bad ones."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from heaptui.supervisor.hook import WAITING_MOST, Hook, execute
from tests.integration.engine.contract import eventually
from tests.integration.operating import alive

LARGE = b"x" * 300_000


def script(tmp_path: Path, text: str, name: str = "hook") -> list[str]:
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return [str(path)]


@asynccontextmanager
async def at_work(hook: Hook):
    work = asyncio.create_task(hook.run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def test_it_reads_the_alert_and_is_no_shell(tmp_path):
    seen = tmp_path / "seen"
    argv = [*script(tmp_path, f'cat > {seen}; echo "$1" >> {seen}'), "$(touch broken); *"]
    assert await execute(argv, b'{"event":"begin"}\n', 30) is None
    assert lines(seen) == ['{"event":"begin"}', "$(touch broken); *"]


async def test_a_long_alert_arrives_whole_whatever_it_prints(tmp_path):
    seen = tmp_path / "seen"
    argv = script(tmp_path, f"head -c 1000000 /dev/zero; cat > {seen}")
    assert await execute(argv, LARGE, 30) is None
    assert seen.read_bytes() == LARGE


async def test_one_that_does_not_read_is_as_good(tmp_path):
    assert await execute(script(tmp_path, "exit 0"), LARGE, 30) is None
    assert await execute(script(tmp_path, "exec <&-; sleep 0.1"), LARGE, 30) is None


async def test_it_runs_in_a_session_of_its_own_with_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HEAPTUI_TEST_PAGER", "me")
    seen = tmp_path / "seen"
    code = (
        "import os, pathlib; pathlib.Path(%r).write_text("
        "f'{os.getsid(0) == os.getpid()} {os.getcwd()} {os.environ[\"HEAPTUI_TEST_PAGER\"]}')"
    )
    assert await execute([sys.executable, "-c", code % str(seen)], b"", 30) is None
    assert seen.read_text() == "True / me"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo one; printf 'no \\033[2Jroute\\n\\n' >&2; exit 3", "exit code 3: no route"),
        ("kill -9 $$", "ended by SIGKILL"),
        ("exit 7", "exit code 7"),
    ],
)
async def test_a_failure_says_what_it_printed_last(tmp_path, text, words):
    assert await execute(script(tmp_path, text), b"", 30) == words


async def test_what_cannot_be_started(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("no program")
    for argv in (["/nowhere/hook"], [str(plain)], [str(tmp_path)], ["/bin/sh", "a\0b"]):
        failure = await execute(argv, b"", 30)
        assert failure is not None and "cannot be started" in failure


async def test_one_that_hangs_is_ended_with_what_it_started(tmp_path):
    pids = tmp_path / "pids"
    argv = script(tmp_path, f"sleep 1000 & echo $! $$ > {pids}.part; mv {pids}.part {pids}; wait")
    failure = await execute(argv, b"", 1)
    assert failure is not None and "ended after" in failure
    for pid in map(int, pids.read_text().split()):
        await eventually(lambda pid=pid: not alive(pid), f"the end of {pid}")


async def test_one_that_does_not_listen_is_killed(tmp_path):
    argv = script(tmp_path, "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
    failure = await execute(argv, b"", 1)
    assert failure == "ended after 1s: deaf"


async def test_what_it_leaves_in_the_background_holds_nobody_up(tmp_path):
    pid = tmp_path / "pid"
    argv = script(tmp_path, f"sleep 1000 & echo $! > {pid}")
    async with asyncio.timeout(20):
        assert await execute(argv, b"", 1000) is None
    left = int(pid.read_text())
    assert alive(left)
    os.kill(left, 9)


async def test_descriptors_are_given_back(tmp_path):
    argv = script(tmp_path, "cat > /dev/null")
    await execute(argv, LARGE, 30)
    before = psutil.Process().num_fds()
    for _ in range(5):
        await execute(argv, LARGE, 30)
        await execute(["/nowhere/hook"], LARGE, 30)
    assert psutil.Process().num_fds() == before


async def test_one_key_keeps_its_order_and_others_do_not_wait_for_it(tmp_path):
    seen, go = tmp_path / "seen", tmp_path / "go"
    text = (
        f"read line; case $line in slow) while [ ! -e {go} ]; do sleep 0.02; done;; esac; "
        f"echo $line >> {seen}"
    )
    told: list[str] = []
    hook = Hook(script(tmp_path, text), told.append)
    async with at_work(hook):
        hook.call("a", b"slow\n")
        hook.call("a", b"after\n")
        hook.call("b", b"other\n")
        await eventually(lambda: lines(seen) == ["other"], "the other")
        go.touch()
        await eventually(lambda: lines(seen) == ["other", "slow", "after"], "both")
    assert told == []


async def test_a_failure_is_told_once_and_so_is_its_end(tmp_path):
    bad, seen, tries = tmp_path / "bad", tmp_path / "seen", tmp_path / "tries"
    bad.touch()
    told: list[str] = []
    text = f"if [ -e {bad} ]; then echo >> {tries}; exit 4; fi; echo ok >> {seen}"
    hook = Hook(script(tmp_path, text), told.append)
    async with at_work(hook):
        for _ in range(3):
            hook.call("a", b"")
        await eventually(lambda: len(lines(tries)) == 3, "three runs")
        bad.unlink()
        hook.call("a", b"")
        await eventually(lambda: len(told) == 2, "its end")
    assert told[0] == "the alert hook failed: exit code 4"
    assert told[1] == "the alert hook works again, after 3 failed runs"


async def test_too_many_lose_the_oldest_and_that_is_said(tmp_path):
    seen, go = tmp_path / "seen", tmp_path / "go"
    text = f"read line; while [ ! -e {go} ]; do sleep 0.02; done; echo $line >> {seen}"
    told: list[str] = []
    hook = Hook(script(tmp_path, text), told.append)
    for n in range(WAITING_MOST + 3):
        hook.call("a", b"%d\n" % n)
    assert told == [f"the alert hook is slow: more than {WAITING_MOST} alerts wait for it"]
    async with at_work(hook):
        go.touch()
        await eventually(lambda: lines(seen), "the first run")
    assert lines(seen)[0] == "3"
    assert told[1].endswith("were not given to the alert hook, the oldest first")


async def test_when_the_supervisor_leaves_what_hangs_is_ended(tmp_path):
    pid = tmp_path / "pid"
    argv = script(tmp_path, f"echo $$ > {pid}.part; mv {pid}.part {pid}; sleep 1000")
    told: list[str] = []
    hook = Hook(argv, told.append)
    async with at_work(hook):
        hook.call("a", json.dumps({"event": "begin"}).encode())
        hook.call("a", b"never begun")
        await eventually(pid.exists, "its beginning")
    assert not alive(int(pid.read_text()))
    assert told == ["1 alert was not given to the alert hook, the oldest first"]
