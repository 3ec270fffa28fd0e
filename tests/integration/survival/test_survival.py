"""Whatever dies, no task is lost, none runs twice, and no end is made up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from heaptui.cli.starting import ensure_served
from heaptui.client import Client, Down
from heaptui.model import Limits, Row, State, TaskSpec, VerdictKind
from heaptui.protocol import Change, Picture
from tests.integration.operating import HEAPTUI, Operated, alive, end, marked, said, wait_until

LIVE, ENDING = 40, 10


def spec(name: str, script: str, **fields) -> TaskSpec:
    return TaskSpec(
        argv=("sh", "-c", script), cwd="/", name=name, limits=Limits(cap_bytes=1 << 28), **fields
    )


def client(heaptui: Operated, revive: Callable[[], None] | None = None) -> Client:
    return Client(heaptui.state.prepare(), "test", 20, revive)


async def until(client: Client, names: set[str], *states: State) -> dict[str, Row]:
    """The rows once every one of `names` is in one of `states`."""
    async with asyncio.timeout(30):
        while True:
            rows = {row.name: row for row in await client.tasks(all=True)}
            if all(name in rows and rows[name].state in states for name in names):
                return rows
            await asyncio.sleep(0.02)


def told_to_go(go: Path) -> str:
    """A script's beginning that waits until `go` is there."""
    return f"while [ ! -e {go} ]; do sleep 0.05; done; "


async def test_a_killed_supervisor_is_replaced_and_nothing_is_lost_or_doubled(heaptui, tmp_path):
    go = tmp_path / "go"
    heaptui("dispatch", "--concurrency", "100")
    async with client(heaptui) as before:
        lasting = [spec(f"live-{n}", "exec sleep 60") for n in range(LIVE)]
        ending = [spec(f"ends-{n}", f"{told_to_go(go)} exit {n}") for n in range(ENDING)]
        ids = await before.submit([*lasting, *ending], dict(os.environ))
        rows = await until(before, {one.name for one in [*lasting, *ending]}, State.RUNNING)
        pids = {row.name: row.pid for row in rows.values()}
    warden, supervisor = heaptui.warden(), heaptui.supervisor()
    # the warden is held up while they end, so that nobody at all supervises meanwhile
    os.kill(warden, signal.SIGSTOP)
    end(supervisor)
    go.touch()
    for n in range(ENDING):
        wait_until(lambda pid=pids[f"ends-{n}"]: not alive(pid), f"the end of ends-{n}")
    assert heaptui.supervisors() == []
    os.kill(warden, signal.SIGCONT)
    killed = time.monotonic()
    async with client(heaptui) as after:
        pong = await after.ping()
        assert time.monotonic() - killed < 10
        assert pong.pid != supervisor
        assert pong.warden_pid == warden
        rows = await until(after, {f"ends-{n}" for n in range(ENDING)}, State.DONE, State.FAILED)
        assert sorted(row.id for row in rows.values()) == sorted(ids)
        for n in range(ENDING):
            row = rows[f"ends-{n}"]
            assert (row.exit_code, row.signal, row.attempts) == (n, None, 1)
        for n in range(LIVE):
            row = rows[f"live-{n}"]
            assert (row.state, row.pid, row.attempts) == (State.RUNNING, pids[row.name], 1)
    counted = {mark: number for mark, number in marked().items() if mark.split(".")[0] in ids}
    assert counted == {f"{rows[f'live-{n}'].id}.1": 1 for n in range(LIVE)}


async def test_a_killed_warden_is_replaced_and_adopts_what_lives(heaptui, tmp_path):
    go = tmp_path / "go"
    heaptui("dispatch", "--concurrency", "20")
    async with client(heaptui) as operator:
        specs = [spec(f"live-{n}", f"{told_to_go(go)} exit {n}") for n in range(8)]
        ids = await operator.submit(specs, dict(os.environ))
        before = await until(operator, {one.name for one in specs}, State.RUNNING)
        warden = heaptui.warden()
        end(warden)
        wait_until(lambda: heaptui.wardens() not in ([], [warden]), "another warden")
        told = await operator.tasks()
        assert {(row.name, row.pid) for row in told} == {
            (row.name, row.pid) for row in before.values()
        }
        assert all(row.state is State.RUNNING and row.attempts == 1 for row in told)
        assert sum(marked()[f"{task_id}.1"] >= 1 for task_id in ids) == 8
        go.touch()
        rows = await until(
            operator, {one.name for one in specs}, State.DONE, State.FAILED, State.LOST
        )
    for n in range(8):
        row = rows[f"live-{n}"]
        # where the kernel keeps the code of a process it is right; elsewhere it is not made up
        if row.state is State.LOST:
            assert (row.exit_code, row.signal, row.verdict) == (None, None, VerdictKind.LOST)
        else:
            assert row.exit_code == n


async def test_both_killed_together_adopts_the_living_and_invents_no_end(heaptui, tmp_path):
    go = tmp_path / "go"
    async with client(heaptui) as operator:
        heaptui("dispatch", "--concurrency", "20")
        specs = [
            spec("lives", "sleep 60"),
            spec("ends", f"{told_to_go(go)} exit 0"),
            spec("fails", f"{told_to_go(go)} exit 9"),
        ]
        await operator.submit(specs, dict(os.environ))
        before = await until(operator, {"lives", "ends", "fails"}, State.RUNNING)
    supervisor, warden = heaptui.supervisor(), heaptui.warden()
    os.kill(warden, signal.SIGSTOP)
    end(supervisor)
    end(warden)
    go.touch()
    for name in ("ends", "fails"):
        # until it is reaped: of a zombie the next warden would still learn the code
        pid = before[name].pid
        wait_until(lambda pid=pid: not psutil.pid_exists(pid), f"the last of {name}")
    rows = {row["name"]: row for row in heaptui.told("ps", "--all")}
    assert rows["lives"]["state"] == "running"
    assert (rows["lives"]["pid"], rows["lives"]["attempts"]) == (before["lives"].pid, 1)
    for name in ("ends", "fails"):
        row = heaptui.until(name, "lost")
        assert (row["exit_code"], row["signal"], row["verdict"]) == (None, None, "lost")
        ended = "lost: it ended while nothing watched it; its exit code is not known"
        assert row["reason"] == ended
    said(heaptui("run", "--wait", "--name", "next", "--", "true"), 0)
    assert marked()[f"{before['lives'].id}.1"] >= 1


def test_a_restart_of_the_machine_is_told_as_such(heaptui):
    heaptui.run("sleep", "60", name="was")
    pid = heaptui.until("was", "running")["pid"]
    warden = heaptui.warden()
    os.kill(warden, signal.SIGSTOP)
    end(heaptui.supervisor())
    end(warden)
    end(pid)
    journal = heaptui.state.journal
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    for row in rows:
        if row["j"] == "start":
            row["boot"] = "00000000-0000-0000-0000-000000000000"
    journal.write_text("".join(json.dumps(row) + "\n" for row in rows))
    row = heaptui.until("was", "lost")
    assert "restarted" in row["reason"]
    assert row["exit_code"] is None


async def test_the_queue_and_its_pause_survive(heaptui):
    heaptui("dispatch", "pause", "--concurrency", "3")
    async with client(heaptui) as operator:
        ids = await operator.submit(
            [spec(f"q{n}", f"exit {n}", priority=n) for n in range(5)], dict(os.environ)
        )
        for dies in (heaptui.supervisor, heaptui.warden):
            end(dies())
            wait_until(lambda: heaptui.supervisors() and heaptui.wardens(), "both to be there")
            rows = await operator.tasks()
            assert {row.id for row in rows} == set(ids)
            assert {row.state for row in rows} == {State.QUEUED}
            host = await operator.dispatch()
            assert (host.paused, host.concurrency) == (True, 3)
        await operator.dispatch(paused=False)
        rows_by_name = await until(operator, {f"q{n}" for n in range(5)}, State.DONE, State.FAILED)
        assert [rows_by_name[f"q{n}"].exit_code for n in range(5)] == list(range(5))


async def test_queued_tasks_run_after_a_restart_without_being_asked(heaptui, tmp_path):
    go = tmp_path / "go"
    heaptui("dispatch", "--concurrency", "1")
    async with client(heaptui) as operator:
        await operator.submit(
            [spec("first", f"{told_to_go(go)} exit 1"), spec("second", "exit 2")], dict(os.environ)
        )
        await until(operator, {"first"}, State.RUNNING)
        end(heaptui.supervisor())
        go.touch()
        rows = await until(operator, {"first", "second"}, State.FAILED)
    assert (rows["first"].exit_code, rows["second"].exit_code) == (1, 2)


async def test_a_queue_that_nobody_blocks_runs_after_both_died(heaptui):
    heaptui("dispatch", "pause")
    async with client(heaptui) as operator:
        await operator.submit([spec("waits", "exit 4")], dict(os.environ))
        await operator.dispatch(paused=False)
        await until(operator, {"waits"}, State.FAILED)
        await operator.dispatch(paused=True)
        await operator.submit([spec("waits-too", "exit 5")], dict(os.environ))
    os.kill(heaptui.warden(), signal.SIGSTOP)
    end(heaptui.supervisor())
    end(heaptui.warden())
    said(heaptui("dispatch", "resume"), 0)
    assert heaptui.until("waits-too", "failed")["exit_code"] == 5


async def test_a_back_off_survives_with_its_count(heaptui):
    heaptui.config.write_text("[retry]\nbackoff = '2s'\n")
    async with client(heaptui) as operator:
        heaptui("dispatch")
        await operator.submit([spec("again", "exit 1", retries=1)], dict(os.environ))
        rows = await until(operator, {"again"}, State.BACKOFF)
        due = rows["again"].next_try_at
        end(heaptui.supervisor())
        rows = await until(operator, {"again"}, State.BACKOFF, State.FAILED)
        rows = await until(operator, {"again"}, State.FAILED)
    assert rows["again"].attempts == 2
    assert due is not None
    assert rows["again"].started_at is not None
    assert rows["again"].started_at >= due


async def test_a_time_out_survives(heaptui):
    heaptui("dispatch")
    async with client(heaptui) as operator:
        limits = Limits(cap_bytes=1 << 28, timeout_s=2.0, grace_s=1.0)
        task = TaskSpec(argv=("sleep", "60"), cwd="/", name="long", limits=limits)
        await operator.submit([task], dict(os.environ))
        await until(operator, {"long"}, State.RUNNING)
        end(heaptui.supervisor())
        rows = await until(operator, {"long"}, State.FAILED)
    assert rows["long"].verdict is VerdictKind.TIMED_OUT


async def test_a_stop_that_was_begun_is_seen_through(heaptui):
    heaptui("dispatch")
    script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
    async with client(heaptui) as operator:
        (task_id,) = await operator.submit([spec("deaf", script)], dict(os.environ))
        await until(operator, {"deaf"}, State.RUNNING)
        output = heaptui.state.output(task_id, 1)
        wait_until(lambda: output.exists() and output.read_bytes(), "the trap")
        await operator.stop([task_id], grace_s=1.5)
        end(heaptui.supervisor())
        rows = await until(operator, {"deaf"}, State.STOPPED)
    assert rows["deaf"].signal == signal.SIGKILL
    assert marked()[f"{task_id}.1"] == 0


@pytest.mark.parametrize("now", [False, True])
async def test_a_stop_that_was_answered_holds_though_the_supervisor_dies_at_once(heaptui, now):
    heaptui("dispatch", "--concurrency", "1")
    # with all of it ended there is nothing for which the warden would bring up another
    async with client(heaptui, revive=lambda: ensure_served(heaptui.state)) as operator:
        live, queued = await operator.submit(
            [spec("live", "exec sleep 60"), spec("queued", "exec sleep 60")], dict(os.environ)
        )
        rows = await until(operator, {"live"}, State.RUNNING)
        assert rows["queued"].state is State.QUEUED
        supervisor = heaptui.supervisor()
        await operator.stop([live, queued], now=now)
        os.kill(supervisor, signal.SIGKILL)
        rows = await until(operator, {"live", "queued"}, State.STOPPED)
        assert (await operator.ping()).pid != supervisor
    assert rows["live"].signal == (signal.SIGKILL if now else signal.SIGTERM)
    assert (rows["live"].attempts, rows["queued"].attempts) == (1, 0)
    assert marked()[f"{live}.1"] == marked()[f"{queued}.1"] == 0


@pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="who waits cannot be seen")
def test_a_command_inside_a_task_leaves_the_hand_over_to_the_warden(heaptui, tmp_path):
    go, told = tmp_path / "go", tmp_path / "told"
    ask = f"{' '.join(HEAPTUI)} ps --json > {told}.part && mv {told}.part {told}"
    task_id = heaptui.run("sh", "-c", f"{told_to_go(go)} {ask}; exec sleep 60", name="asks")
    heaptui.until("asks", "running")
    warden, supervisor = heaptui.warden(), heaptui.supervisor()
    # the warden is held up, so that the command in the task certainly comes first
    os.kill(warden, signal.SIGSTOP)
    end(supervisor)
    go.touch()
    wait_until(lambda: marked()[f"{task_id}.1"] > 1, "the command in the task")
    wait_until(lambda: _asks_the_warden(heaptui), "it to look for the warden")
    assert heaptui.supervisors() == []
    os.kill(warden, signal.SIGCONT)
    wait_until(told.exists, "its answer")
    successor = psutil.Process(heaptui.supervisor())
    assert successor.ppid() == warden
    assert "HEAPTUI_TASK" not in successor.environ()
    assert [row["name"] for row in json.loads(told.read_text())] == ["asks"]
    said(heaptui("kill", "asks"), 0)
    assert heaptui.supervisor() == successor.pid


def _asks_the_warden(heaptui: Operated) -> bool:
    """Whether somebody waits at the socket of a warden that is held up."""
    path = os.fspath(heaptui.state.socket("warden"))
    lines = Path("/proc/net/unix").read_text().splitlines()
    # a connection that nobody has accepted yet has the state CONNECTING on the listener's side
    return sum(line.endswith(f" {path}") for line in lines) > 2


async def test_every_supervisor_has_the_configuration_that_was_named(heaptui, tmp_path):
    config = tmp_path / "named.toml"
    config.write_text("[queue]\nconcurrency = 37\n")
    said(heaptui("--config", "named.toml", "run", "--", "sleep", "60", cwd=tmp_path), 0)
    for _ in range(2):
        supervisor = heaptui.supervisor()
        assert heaptui.told("dispatch")["concurrency"] == 37
        end(supervisor)
        wait_until(lambda: heaptui.supervisors() not in ([], [supervisor]), "the next")  # noqa: B023


async def test_commands_wait_through_a_hand_over(heaptui):
    heaptui.run("sleep", "60", name="lives")
    heaptui.until("lives", "running")
    for _ in range(3):
        supervisor = heaptui.supervisor()
        os.kill(supervisor, signal.SIGKILL)
        began = time.monotonic()
        rows = heaptui.told("ps")
        assert [row["state"] for row in rows] == ["running"]
        assert time.monotonic() - began < 10
        assert heaptui.supervisor() != supervisor
    assert rows[0]["attempts"] == 1


def test_waiting_and_following_go_on_through_a_hand_over(heaptui, tmp_path):
    go = tmp_path / "go"
    script = f"echo before; {told_to_go(go)} echo after; exit 7"
    waiting = heaptui.start("run", "--wait", "--name", "w", "--", "sh", "-c", script)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"before\n"
    following = heaptui.start("logs", "-f", "w")
    assert following.stdout is not None
    assert following.stdout.readline() == b"before\n"
    end(heaptui.supervisor())
    end(heaptui.warden())
    go.touch()
    for process, code in ((waiting, 7), (following, 0)):
        out, words = process.communicate(timeout=30)
        assert out == b"after\n"
        assert b"Traceback" not in words
        if heaptui.rows()["w"]["state"] == "failed":
            assert process.returncode == code


async def test_a_watcher_is_told_and_goes_on(heaptui):
    heaptui.run("sleep", "60", name="seen")
    seen: list[Picture | Change | Down] = []
    async with (
        client(heaptui) as operator,
        asyncio.timeout(30),
        contextlib.aclosing(operator.watch()) as updates,
    ):
        async for update in updates:
            if not seen:
                assert isinstance(update, Picture)
                end(heaptui.supervisor())
            seen.append(update)
            if isinstance(update, Picture) and len(seen) > 1:
                break
    kinds = Counter(type(update) for update in seen)
    assert kinds[Down] >= 1
    assert kinds[Picture] == 2
    assert isinstance(seen[-1], Picture)
    assert [row.name for row in seen[-1].rows] == ["seen"]


@pytest.mark.parametrize("after_s", [0, 0.003, 0.01, 0.03])
async def test_a_submission_that_was_cut_off_is_queued_once(heaptui, after_s):
    heaptui("dispatch", "pause")
    # idle, it leaves no work for which the warden would bring up another
    async with client(heaptui, revive=lambda: ensure_served(heaptui.state)) as operator:
        supervisor = (await operator.ping()).pid
        sending = asyncio.create_task(
            operator.submit([spec(f"n{n}", "true") for n in range(200)], dict(os.environ))
        )
        # somewhere between its arrival and its answer
        await asyncio.sleep(after_s)
        os.kill(supervisor, signal.SIGKILL)
        ids = await sending
        rows = await operator.tasks(all=True)
    assert sorted(row.id for row in rows) == sorted(ids)
    assert len({row.name for row in rows}) == 200


async def test_left_in_order_the_work_goes_on_in_the_background(heaptui):
    heaptui.run("sh", "-c", "sleep 1; exit 3", name="lives")
    heaptui.until("lives", "running")
    async with client(heaptui) as operator:
        supervisor = (await operator.ping()).pid
        await operator.leave()
        rows = await until(operator, {"lives"}, State.FAILED)
        assert (await operator.ping()).pid != supervisor
    assert (rows["lives"].exit_code, rows["lives"].attempts) == (3, 1)
    assert not alive(supervisor)
