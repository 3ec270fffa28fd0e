"""Killed for real: what comes back, how soon, and what was lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from heaptui.client import Client
from heaptui.model import Row as TaskRow
from heaptui.model import State
from tests.bench.harness import HEAPTUI, Row, Screen, connected, end_everything, spec, state_dir

TREE = """
sh -c 'sleep 300' &
setsid sh -c 'sleep 300' &
(setsid sh -c 'sleep 300 & exec sleep 300' &)
(env -i /usr/bin/setsid /bin/sleep 300 &)
wait
"""


def marked(task_id: str) -> list[int]:
    """Processes whose environment carries the task's marker."""
    found = []
    needle = f"HEAPTUI_TASK_ID={task_id}\0".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if needle in environment:
                found.append(int(entry.name))
    return found


async def _until_running(client: Client, ids: list[str]) -> None:
    deadline = time.monotonic() + 60
    while True:
        rows = {row.id: row for row in await client.tasks(all=True)}
        if all(rows[task_id].state is not State.QUEUED and rows[task_id].pid for task_id in ids):
            return
        if time.monotonic() > deadline:
            raise TimeoutError("they did not start")
        await asyncio.sleep(0.1)


async def app_killed() -> Row:
    """kill -9 of the app with 50 live tasks, 10 of which end while nobody supervises."""
    with state_dir() as state:
        screen = Screen([*HEAPTUI, "--state", str(state.root)])
        screen.wait_for(b"heaptui")
        client = await connected(state)
        await client.dispatch(concurrency=100)
        gate = state.root / "gate"
        os.mkfifo(gate)
        short = [spec("sh", "-c", f"read x < {gate}; exit {n}", name=f"s{n}") for n in range(10)]
        long = [spec("sleep", "120", name=f"l{n}") for n in range(40)]
        ids = await client.submit([*short, *long], {"PATH": "/usr/bin:/bin"})
        await _until_running(client, ids)
        before = {row.id: row.pid for row in await client.tasks()}
        await client.close()
        # the writer lets all ten go at once, right after the kill
        writer = os.open(gate, os.O_RDWR)
        screen.end()
        killed = time.monotonic()
        os.write(writer, b"x\n" * 10)
        client = await connected(state)
        back = time.monotonic() - killed
        await client.settled(ids[:10])
        rows: dict[str, TaskRow] = {row.id: row for row in await client.tasks(all=True)}
        os.close(writer)
        lost = sum(task_id not in rows or rows[task_id].state is State.LOST for task_id in ids)
        wrong = sum(rows[task_id].exit_code != n for n, task_id in enumerate(ids[:10]))
        moved = sum(rows[task_id].pid != before[task_id] for task_id in ids)
        doubled = sum(len(marked(task_id)) > 1 for task_id in ids[10:])
        gone = sum(not marked(task_id) for task_id in ids[10:])
        await client.close()
        await end_everything(state)
    figure = (
        f"back in {back:.2f} s; lost {lost}, duplicated {doubled + moved}, "
        f"dead {gone}, wrong exit codes {wrong}, of 50"
    )
    return "kill -9 of heaptui, 50 live tasks", figure, "<= 3 s; 0 lost, 0 duplicated, 0 wrong"


async def warden_killed() -> Row:
    """kill -9 of the warden with live tasks; some end before anybody looks."""
    with state_dir() as state:
        serve = subprocess.Popen(
            [*HEAPTUI, "--state", str(state.root), "serve"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client = await connected(state)
        await client.dispatch(concurrency=100)
        short = [spec("sh", "-c", f"sleep 2; exit {n}", name=f"s{n}") for n in range(1, 6)]
        long = [spec("sleep", "120", name=f"l{n}") for n in range(15)]
        ids = await client.submit([*short, *long], {"PATH": "/usr/bin:/bin"})
        await _until_running(client, ids)
        warden = (await client.ping()).warden_pid
        assert warden is not None
        os.kill(warden, signal.SIGKILL)
        killed = time.monotonic()
        while (await client.ping()).warden_pid == warden:
            await asyncio.sleep(0.01)
        back = time.monotonic() - killed
        await client.settled(ids[:5])
        rows = {row.id: row for row in await client.tasks(all=True)}
        verdicts = Counter(
            "right code"
            if rows[task_id].exit_code == n
            else "lost"
            if rows[task_id].state is State.LOST
            else f"wrong: {rows[task_id].state} {rows[task_id].exit_code}"
            for n, task_id in enumerate(ids[:5], 1)
        )
        adopted = sum(
            rows[task_id].state is State.RUNNING and len(marked(task_id)) == 1
            for task_id in ids[5:]
        )
        await client.close()
        await end_everything(state)
        serve.wait(10)
    ends = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    figure = f"a new one in {back:.2f} s; {adopted} of 15 adopted, once each; ends unseen: {ends}"
    return "kill -9 of the warden", figure, "adopted, not duplicated; never a false end"


async def tree_killed() -> Row:
    """A tree with setsid and double-forked children, one of them with a scrubbed environment."""
    with state_dir() as state:
        serve = subprocess.Popen(
            [*HEAPTUI, "--state", str(state.root), "serve"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client = await connected(state)
        (task_id,) = await client.submit(
            [spec("sh", "-c", TREE, name="tree")], {"PATH": "/usr/bin:/bin"}
        )
        processes: list[int] = []
        deadline = time.monotonic() + 20
        while len(processes) < 6 and time.monotonic() < deadline:
            detail = await client.show(task_id, 0)
            processes = [process.pid for process in detail.processes]
            await asyncio.sleep(0.2)
        began = time.monotonic()
        await client.stop([task_id], now=True)
        await client.settled([task_id])
        took = time.monotonic() - began
        survivors = [pid for pid in processes if _lives(pid)]
        await client.close()
        await end_everything(state)
        serve.wait(10)
    figure = f"{len(survivors)} survivors of {len(processes)} processes, {took * 1e3:.0f} ms"
    return "kill of a tree with setsid and double forks", figure, "0 survivors"


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def run() -> list[Row]:
    return [asyncio.run(app_killed()), asyncio.run(warden_killed()), asyncio.run(tree_killed())]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
