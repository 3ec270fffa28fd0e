"""A process that dies, by kill -9 or by an error of its own."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from contextlib import closing

from heaptui.store.store import Store

ROUNDS = 10

WRITES = """
import asyncio, itertools, sys
from pathlib import Path
from heaptui.model import Event, State, TaskSpec
from heaptui.store.records import Batch, StoredTask
from heaptui.store.store import Store

async def main(path, prefix):
    store = await Store.open(path, "child")

    async def writer(lane):
        for n in itertools.count():
            name = f"{prefix}-{lane}-{n}"
            spec = TaskSpec(argv=("true",), cwd="/", name="x" * 500)
            await store.write(Batch(
                tasks=[StoredTask(id=name, spec=spec, state=State.QUEUED, created_at=1.0)],
                events=[Event(at=1.0, task_id=name, attempt=0, kind="k", text="queued")],
            ))
            sys.stdout.write(name + "\\n")
            sys.stdout.flush()

    await asyncio.gather(*(writer(lane) for lane in range(8)))

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


async def test_kill_9_loses_nothing_that_was_acknowledged(path):
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITES, path, f"r{number}", stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        try:
            # a different point of the stream in each round
            lines = [await child.stdout.readline() for _ in range(20 + 37 * number)]
        finally:
            child.send_signal(signal.SIGKILL)
        lines += (await child.stdout.read()).splitlines(keepends=True)
        assert await child.wait() == -signal.SIGKILL
        acknowledged |= {line.decode().strip() for line in lines if line.endswith(b"\n")}
        # the log that was left behind is read as it is
        store = await Store.open(path, "parent")
        stored = {found.id for found in await store.all_tasks(1 << 30)}
        assert stored >= acknowledged
        for name in list(acknowledged)[:5]:
            assert len(await store.events(name, 9)) == 1
        await store.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (half,) = database.execute(
            "SELECT count(*) FROM tasks WHERE id NOT IN (SELECT task_id FROM events)"
        ).fetchone()
    assert half == 0
    assert len(acknowledged) > 20 * ROUNDS


CRASHES = """
import asyncio, sys
from pathlib import Path
from heaptui.store.store import Store

async def main():
    store = await Store.open(Path(sys.argv[1]), "child")
    raise SystemError("an error nobody foresaw")

asyncio.run(main())
"""


async def test_a_process_that_dies_of_an_error_does_not_hang_on_its_store(path):
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASHES, path, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            _, stderr = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    assert child.returncode == 1
    assert b"an error nobody foresaw" in stderr
