"""The Node preload, in real Nodes, asked over a real socket: figures, collections, snapshots."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heaptui import wire
from heaptui.runtime.preload.place import placed
from heaptui.wire import Done, Failed, Heap, Phase
from tests.integration.runtime.preload_server import Engine, engine, nodes

MIB = 1 << 20
IDLE = "setInterval(() => {}, 1e6)"
BUSY = {
    "while": "while (true);",
    "json": (
        "const rows = Array.from({length: 2e4}, (_, i) => ({i}));"
        "while (true) JSON.parse(JSON.stringify(rows));"
    ),
    "regex": "/^(a+)+$/.test('a'.repeat(60) + 'b')",
    "microtasks": "(function again() { Promise.resolve().then(again) })()",
    "Atomics.wait": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
}


@pytest.fixture(params=nodes(), ids=str)
def node(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(placed(tmp_path / "state")) as made:
        yield made


@pytest.fixture
async def deaf(tmp_path: Path) -> AsyncIterator[Engine]:
    """Nobody listens on its socket yet."""
    async with engine(placed(tmp_path / "state"), listening=False) as made:
        yield made


def _parts(directory: Path) -> list[Path]:
    return list(directory.glob("*.part"))


# --- figures -------------------------------------------------------------------------------------
async def test_a_worker_says_who_it_is_and_what_its_heap_holds(node: Path, house: Engine) -> None:
    script = house.directory / "agent.js"
    script.write_text(f"globalThis.kept = Buffer.alloc(30 << 20); {IDLE}")
    program = await house.start(node, str(script), NODE_OPTIONS="--max-old-space-size=300")
    worker = await house.connected()
    version = subprocess.check_output([node, "--version"], text=True).strip()
    assert worker.hello == wire.Hello(
        v=1,
        task="k7.1",
        pid=program.pid,
        ppid=os.getpid(),
        runtime="node",
        version=version,
        title="agent.js",
        can=("gc", "snapshot"),
    )
    worker.say(wire.Every(50))
    pushed = await worker.until(
        Heap, lambda heap: heap.main == "idle" and (heap.array_buffers or 0) > 30 * MIB
    )
    heap = await worker.heap()
    assert pushed.id == 0 < heap.id
    assert heap.used and heap.committed and heap.limit and heap.rss and heap.external
    assert 2 * MIB < heap.used <= heap.committed < heap.limit < 600 * MIB
    assert heap.external >= 30 * MIB < heap.rss
    assert heap.old is not None and heap.new is not None
    assert heap.old + heap.new == heap.used


async def test_collections_delays_and_requests_are_counted(node: Path, house: Engine) -> None:
    worker = await house.running(
        node,
        """
        const http = require('http');
        let held = [];
        const server = http.createServer((_, answer) => {
          const until = Date.now() + 300;
          while (Date.now() < until) held = [...held.slice(-1e4), {}];
          answer.end();
        });
        // delays are measured from the loop's first turns on
        setTimeout(() => server.listen(0, '127.0.0.1', () =>
          http.get({ port: server.address().port, agent: false })), 200);
        """,
    )
    worker.say(wire.Every(50))
    delays: list[float] = []

    def both(heap: Heap) -> bool:
        delays.append(heap.loop_delay_ms or 0)
        return heap.requests == 2 and (heap.gc_count or 0) > 0 and max(delays) > 200

    assert (await worker.until(Heap, both)).gc_ms


async def test_children_say_hello_and_worker_threads_do_not(node: Path, house: Engine) -> None:
    program = await house.start(
        node,
        "-e",
        f"""
        const code = "{IDLE}";
        new (require('worker_threads').Worker)(code, {{ eval: true }}).on('online', () =>
          require('child_process').spawn(process.execPath, ['-e', code], {{ stdio: 'inherit' }}));
        setTimeout(() => process.exit(), 60e3);
        """,
    )
    first, second = await house.connected(), await house.connected()
    assert first.hello.pid == program.pid
    assert second.hello.ppid == program.pid != second.hello.pid
    # whatever the thread would have said was said before its parent started the child
    await second.heap()
    assert house.waiting == 0
    os.kill(second.hello.pid, signal.SIGKILL)


# --- a main thread that does not answer ----------------------------------------------------------
@pytest.mark.parametrize("state", BUSY)
async def test_a_busy_program_is_seen_collected_and_written(
    node: Path, house: Engine, state: str
) -> None:
    worker = await house.running(node, f"setTimeout(() => {{ {BUSY[state]} }}, 50)")
    await worker.busy()
    fresh = await worker.heap()
    while fresh.age_ms > 500:  # V8 comes to a statement between two calls of JSON
        fresh = await worker.heap()
    assert fresh.main == "busy" and fresh.used
    collected = await worker.collect()
    assert isinstance(collected, Done) and collected.collected
    assert collected.collected.pause_ms > 0
    assert "collecting" in worker.phases
    path = house.directory / "busy.heapsnapshot"
    written = await worker.snapshot(path)
    assert isinstance(written, Done) and written.written
    assert written.written.bytes == path.stat().st_size
    assert json.loads(path.read_bytes())["snapshot"]["node_count"] > 1000
    # the program went on with what it did
    assert (await worker.heap()).main == "busy"


async def test_a_program_busy_from_its_first_line_has_figures(node: Path, house: Engine) -> None:
    worker = await house.running(node, "while (true);")
    heap = await worker.until(Heap)
    assert heap.used and heap.age_ms > 0 and heap.main == "busy"


async def test_a_native_call_is_waited_for_and_pushes_go_on(node: Path, house: Engine) -> None:
    gate = house.directory / "gate"
    os.mkfifo(gate)
    worker = await house.running(
        node, f"require('fs').readFileSync('{gate}'); setInterval(() => {{}}, 1e6)"
    )
    await worker.busy()
    worker.say(wire.Every(50))
    worker.say(wire.Collect(700))
    assert (await worker.until(Phase)).name == "waiting"
    first = await worker.until(Heap, lambda heap: heap.main == "native")
    second = await worker.until(Heap)
    assert first.rss and second.main == "native" and second.age_ms > first.age_ms
    gate.write_bytes(b"go")
    done = await worker.until(Done)
    assert done.id == 700 and worker.phases == ["waiting", "collecting"]
    assert (await worker.heap()).main == "idle"


@pytest.mark.parametrize("ending", ["process.exitCode = 3", "process.exit(3)", "throw 'x'"])
async def test_a_program_that_ends_in_a_command_ends_as_ever(
    node: Path, house: Engine, ending: str
) -> None:
    gate = house.directory / "gate"
    os.mkfifo(gate)
    program = await house.start(node, "-e", f"require('fs').readFileSync('{gate}'); {ending}")
    worker = await house.connected()
    await worker.busy()
    worker.say(wire.Collect(1))
    await worker.until(Phase)
    gate.write_bytes(b"go")
    out, err = await program.communicate()
    assert out == b"" and b"debugger" not in err
    assert program.returncode == (1 if "throw" in ending else 3)
    assert err.count(b"\n") > 3 if "throw" in ending else err == b""


async def test_a_frozen_process_answers_when_it_thaws(node: Path, house: Engine) -> None:
    worker = await house.running(node, IDLE)
    await worker.heap()
    os.kill(worker.hello.pid, signal.SIGSTOP)
    try:
        worker.say(wire.AskHeap(900))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await worker.until(Heap, lambda heap: heap.id == 900)
    finally:
        os.kill(worker.hello.pid, signal.SIGCONT)
    assert (await worker.until(Heap, lambda heap: heap.id == 900)).used
    assert isinstance(await worker.collect(), Done)


# --- collections ---------------------------------------------------------------------------------
async def test_a_collection_gives_memory_back(node: Path, house: Engine) -> None:
    program = await house.start(
        node,
        "-e",
        """
        let garbage = [];
        for (let i = 0; i < 2e6; i++) garbage.push({ i });
        garbage.push(Array.from({ length: 60 }, () => Buffer.alloc(1 << 20, 1)));
        setTimeout(() => { garbage = null; console.log('dropped'); }, 10);
        setInterval(() => {}, 1e6);
        """,
    )
    worker = await house.connected()
    assert program.stdout is not None
    assert await program.stdout.readline() == b"dropped\n"
    done = await worker.collect()
    assert isinstance(done, Done) and done.collected
    told = done.collected
    assert told.used_before and told.used_after and told.rss_before and told.rss_after
    assert told.used_before - told.used_after > 50 * MIB
    assert told.rss_before - told.rss_after > 80 * MIB
    assert told.flavour in {"three full", "last-resort"}
    heap = await worker.heap()
    assert heap.used is not None and heap.used < told.used_after + 5 * MIB


async def test_the_program_sees_no_gc_function(node: Path, house: Engine) -> None:
    look = "console.log(typeof gc, require('vm').runInNewContext('typeof gc')); process.exit()"
    program = await house.start(node, "-e", f"process.on('SIGTERM', () => {{ {look} }}); {IDLE}")
    worker = await house.connected()
    assert isinstance(await worker.collect(), Done)
    program.send_signal(signal.SIGTERM)
    assert (await program.communicate())[0] == b"undefined undefined\n"


async def test_commands_are_served_one_after_another_and_bounded(node: Path, house: Engine) -> None:
    gate = house.directory / "gate"
    os.mkfifo(gate)
    worker = await house.running(node, f"require('fs').readFileSync('{gate}'); {IDLE}")
    await worker.busy()
    for number in range(1, 21):
        worker.say(wire.Collect(100 + number))
    refused = await worker.until(Failed)
    assert refused.code == "error" and "wait already" in refused.text
    gate.write_bytes(b"go")
    done = [(await worker.until(Done)).id for _ in range(refused.id - 101)]
    assert done == list(range(101, refused.id))


# --- snapshots -----------------------------------------------------------------------------------
async def test_a_snapshot_is_private_whole_and_leaves_no_part(node: Path, house: Engine) -> None:
    worker = await house.running(node, f"globalThis.kept = 'a secret of mine'; {IDLE}")
    path = house.directory / "of a name with spaces.heapsnapshot"
    done = await worker.snapshot(path)
    assert isinstance(done, Done) and done.written
    assert done.written.path == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_nlink == 1
    assert done.written.took_ms >= done.written.pause_ms > 0 and done.written.used
    assert "a secret of mine" in json.loads(path.read_bytes())["strings"]
    assert _parts(house.directory) == [] and worker.phases == ["writing"]


async def test_a_snapshot_goes_over_no_file(node: Path, house: Engine) -> None:
    worker = await house.running(node, IDLE)
    taken = house.directory / "taken.heapsnapshot"
    taken.write_text("precious")
    failed = await worker.snapshot(taken)
    assert isinstance(failed, Failed) and failed.code == "exists"
    assert taken.read_text() == "precious"
    other = house.directory / "other.heapsnapshot"
    part = Path(f"{other}.part")
    part.write_text("somebody writes")
    failed = await worker.snapshot(other)
    assert isinstance(failed, Failed) and failed.code == "exists" and ".part" in failed.text
    assert part.read_text() == "somebody writes" and not other.exists()


async def test_a_snapshot_that_cannot_be_written_says_why(node: Path, house: Engine) -> None:
    worker = await house.running(node, IDLE)
    failed = await worker.snapshot(house.directory / "nowhere" / "a.heapsnapshot")
    assert isinstance(failed, Failed)
    assert failed.code == "error" and "no such file" in failed.text
    assert isinstance(await worker.collect(), Done)


async def test_a_snapshot_on_a_full_disk_leaves_nothing(node: Path, house: Engine) -> None:
    # EFBIG stands in for ENOSPC: a disk of a megabyte takes root to mount
    limited = 'ulimit -f 1024; exec "$@"'
    await house.start(Path("/bin/bash"), "-c", limited, "sh", str(node), "-e", IDLE)
    worker = await house.connected()
    failed = await worker.snapshot(house.directory / "full.heapsnapshot")
    assert isinstance(failed, Failed) and failed.code == "disk"
    assert list(house.directory.glob("full*")) == []
    assert (await worker.heap()).main == "idle"


# --- the socket ----------------------------------------------------------------------------------
async def test_a_socket_that_appears_later_and_is_replaced_is_found(
    node: Path, deaf: Engine
) -> None:
    program = await deaf.start(node, "-e", f"console.log('up'); {IDLE}")
    assert program.stdout is not None
    assert await program.stdout.readline() == b"up\n"
    for _ in range(2):
        await deaf.listen()
        worker = await deaf.connected()
        assert worker.hello.pid == program.pid
        assert (await worker.heap()).main == "idle"
        await deaf.stop_listening()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff\xfe\x00 nonsense\n",
        b"[]\n",
        b"null\n",
        b'{"op": 7}\n',
        b'{"op": "every", "ms": "soon"}\n',
        b'{"op": "gc"}\n',
        b'{"op": "snapshot", "id": 1, "path": "relative"}\n',
        b'{"op": "snapshot", "id": 1, "path": "/zero\\u0000byte"}\n',
        b"x" * (wire.LINE_MAX + 2),
        b'{"op": "gc", "id": 1, "more": "' + b"x" * wire.LINE_MAX + b'"}\n',
    ],
    ids=lambda text: repr(text[:30]),
)
async def test_nonsense_is_hung_up_on_and_forgotten(
    node: Path, house: Engine, nonsense: bytes
) -> None:
    worker = await house.running(node, IDLE)
    worker.send(nonsense)
    await worker.gone()
    again = await house.connected()
    assert again.hello.pid == worker.hello.pid
    assert (await again.heap()).main == "idle"


async def test_a_command_of_a_later_heaptui_is_answered(node: Path, house: Engine) -> None:
    worker = await house.running(node, IDLE)
    worker.send(b'{"op": "dance", "id": 5, "with": "me"}\n')
    failed = await worker.until(Failed)
    assert failed.id == 5 and failed.code == "unsupported" and "dance" in failed.text


async def test_an_engine_that_floods_is_let_go(node: Path, house: Engine) -> None:
    worker = await house.running(node, IDLE)
    worker.send(b'{"op":"heap","id":1}\n' * 20_000)
    await worker.gone()
    again = await house.connected()
    assert again.hello.pid == worker.hello.pid
    assert (await again.heap()).main == "idle"
