"""Node processes that heaptui did not start: opened, asked, closed again, and never harmed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from heaptui.errors import HeaptuiError, NoSuchTask, Refused
from heaptui.inspection import asking, foreign, inspector, node, place, sockets
from heaptui.inspection.foreign import Foreign
from heaptui.runtime.node import wheel

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs to see signal handlers in /proc"
)

NODES = {str(path) for path in (shutil.which("node"), wheel()) if path is not None}

IDLE = "globalThis.kept = Array.from({length: 50000}, (_, i) => ({i})); setInterval(() => {}, 1e6);"
BUSY = "setTimeout(() => { for (;;) JSON.parse('[1,2,3]'); }, 50);"
NATIVE = "setTimeout(() => require('child_process').execSync('sleep 30'), 50);"

Start = Callable[..., Foreign]


@pytest.fixture
def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def start(free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a program in Node; it has printed, so its handlers stand, when this returns."""
    monkeypatch.setattr(foreign, "YOUNGEST_S", 0.0)
    running: list[subprocess.Popen[bytes]] = []

    def begin(program: str, *options: str, binary: str = min(NODES), **env: str) -> Foreign:
        options = options or (f"--inspect-port={free_port}",)
        process = subprocess.Popen(
            [binary, *options, "-e", f"console.log('up'); {program}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"]} | env,
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        return asking.require(process.pid)

    yield begin
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize("binary", sorted(NODES))
@pytest.mark.parametrize("program", [IDLE, BUSY], ids=["idle", "busy"])
async def test_its_heap_is_read_and_its_inspector_closed_again(
    start: Start, program: str, binary: str
) -> None:
    one = start(program, binary=binary)
    heap = await asking.heap(one)
    assert heap.used_bytes
    assert heap.committed_bytes
    assert heap.limit_bytes
    assert heap.used_bytes <= heap.committed_bytes < heap.limit_bytes
    assert sockets.listening(one.pid) == set()


@pytest.mark.parametrize("binary", sorted(NODES))
async def test_one_that_is_asked_again_and_again_lives_on(start: Start, binary: str) -> None:
    allocating = "setInterval(() => { globalThis.held = 'x'.repeat(1e5) + Math.random(); }, 5);"
    one = start(allocating, binary=binary)
    for _ in range(8):
        assert (await asking.heap(one)).used_bytes
    assert foreign.look(one.pid) is not None


@pytest.mark.parametrize("binary", sorted(NODES))
async def test_its_garbage_is_collected(start: Start, binary: str) -> None:
    garbage = "globalThis.junk = 'x'.repeat(1e3); setInterval(() => {}, 1e6);" + (
        "(() => { const held = []; for (let i = 0; i < 2e5; i++) held.push({i}); })();"
    )
    done = await asking.collect(start(garbage, binary=binary))
    assert done.heap_before is not None
    assert done.heap_after is not None
    assert done.heap_after < done.heap_before
    assert done.flavour == ("last resort" if binary == str(wheel()) else "three full collections")


async def test_a_snapshot_is_written_whole_and_private(start: Start, tmp_path: Path) -> None:
    target = tmp_path / "held.heapsnapshot"
    await asking.snapshot(start(IDLE), target, insist=False)
    assert target.stat().st_mode & 0o777 == 0o600
    assert msgspec.json.decode(target.read_bytes())["snapshot"]["node_count"] > 50_000
    assert list(tmp_path.iterdir()) == [target]


async def test_a_file_that_is_there_stays(start: Start, tmp_path: Path) -> None:
    target = tmp_path / "held.heapsnapshot"
    target.write_text("mine")
    with pytest.raises(Refused, match="is there already"):
        await asking.snapshot(start(IDLE), target, insist=False)
    assert target.read_text() == "mine"


async def test_half_a_file_of_somebody_else_stays(start: Start, tmp_path: Path) -> None:
    other = tmp_path / "held.heapsnapshot.part"
    other.symlink_to("elsewhere")
    with pytest.raises(Refused, match="is there already"):
        await asking.snapshot(start(IDLE), tmp_path / "held.heapsnapshot", insist=False)
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize("where", ["/proc/1/x.heapsnapshot", "/nowhere/x.heapsnapshot"])
async def test_where_nothing_can_be_written_is_told(start: Start, where: str) -> None:
    with pytest.raises(Refused, match="cannot be made"):
        await asking.snapshot(start(IDLE), Path(where), insist=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its root")
def test_one_with_a_file_system_of_its_own_writes_nothing_there(
    start: Start, tmp_path: Path
) -> None:
    program = (
        f"import os, time; os.chroot({str(tmp_path)!r}); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as jailed:
        assert jailed.stdout is not None
        assert jailed.stdout.readline() == b"up\n"
        one = msgspec.structs.replace(start(IDLE), pid=jailed.pid)
        with pytest.raises(Refused, match="file system of its own"):
            place.reserve(one, tmp_path / "held.heapsnapshot")
        jailed.kill()
    assert list(tmp_path.iterdir()) == []


async def test_a_snapshot_that_may_not_fit_wants_insistence(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "WORST_EXTRA", 1 << 40)
    with pytest.raises(Refused, match=r"it has .* left"):
        await asking.snapshot(start(IDLE), tmp_path / "held.heapsnapshot", insist=False)
    assert list(tmp_path.iterdir()) == []


async def test_a_native_call_is_waited_for_and_named(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "_ASK_WITHIN_S", 0.3)
    one = start(NATIVE)
    while not _children(one.pid):
        await asyncio.sleep(0.01)
    with pytest.raises(Refused, match="native call"):
        await asking.heap(one)
    for child in _children(one.pid):
        os.kill(child, signal.SIGKILL)


async def test_an_open_inspector_is_used_and_left_open(start: Start, free_port: int) -> None:
    one = start(IDLE, f"--inspect={free_port}")
    assert (await asking.heap(one)).used_bytes
    assert sockets.listening(one.pid) == {free_port}


async def test_an_attached_debugger_is_left_alone(start: Start, free_port: int) -> None:
    one = start(IDLE, f"--inspect={free_port}")
    async with inspector.connected(free_port) as session:
        with pytest.raises(Refused, match="debugger is attached"):
            await asking.heap(one)
        assert await session.evaluate("JSON.stringify(1 + 1)", int, 5) == 2


async def test_a_debugger_from_elsewhere_is_left_alone(start: Start, free_port: int) -> None:
    one = start(IDLE, f"--inspect=0.0.0.0:{free_port}")
    with (
        socket.create_connection(("127.0.0.2", free_port)),
        pytest.raises(Refused, match="debugger is attached"),
    ):
        await asking.heap(one)


async def test_one_without_a_handler_is_never_signalled(start: Start) -> None:
    newest = wheel()
    assert newest is not None
    one = start(IDLE, "--disable-sigusr1", binary=str(newest))
    with pytest.raises(Refused, match="no handler for SIGUSR1"):
        await asking.heap(one)
    assert foreign.look(one.pid) is not None


async def test_a_taken_port_is_seen_before_the_signal(start: Start, free_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        one = start(IDLE)
        with pytest.raises(Refused, match=rf"port {free_port} is taken"):
            await asking.heap(one)


async def test_a_handler_of_its_own_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_OPENS_WITHIN_S", 0.3)
    one = start(f"process.on('SIGUSR1', () => {{}}); {IDLE}")
    with pytest.raises(Refused, match="SIGUSR1 handler of its own"):
        await asking.heap(one)


async def test_a_young_process_is_not_signalled(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = start(IDLE)
    monkeypatch.setattr(foreign, "YOUNGEST_S", 3600.0)
    with pytest.raises(Refused, match="a signal this early"):
        await asking.heap(one)


async def test_a_recycled_pid_is_not_asked(start: Start) -> None:
    one = start(IDLE)
    earlier = msgspec.structs.replace(one, start=one.start - 1)
    with pytest.raises(Refused, match="another one by now"):
        await asking.heap(earlier)
    assert sockets.listening(one.pid) == set()


async def test_one_that_ended_is_said_to_have_ended(start: Start) -> None:
    one = start(IDLE)
    os.kill(one.pid, signal.SIGKILL)
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(HeaptuiError, match="has ended"):
        await asking.heap(one)


async def test_a_frozen_one_does_not_hang_us(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_ASK_WITHIN_S", 0.2)
    monkeypatch.setattr(node, "_CLOSES_WITHIN_S", 0.2)
    one = start(IDLE)
    with pytest.raises(HeaptuiError, match=r"native call.*keeps its inspector open"):
        async with node.attached(one) as session:
            _stop(one.pid)
            await node.heap(session, one)
    os.kill(one.pid, signal.SIGCONT)
    await _until(lambda: sockets.listening(one.pid) == set())


async def test_a_stopped_one_is_not_signalled(start: Start) -> None:
    one = start(IDLE)
    _stop(one.pid)
    with pytest.raises(Refused, match="it is stopped"):
        await asking.heap(one)
    os.kill(one.pid, signal.SIGCONT)
    assert (await asking.heap(one)).used_bytes


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ('\'{"used": "\\u001b[2J"}\'', "does not understand"),
        ("'x'.repeat(3e6)", "closed its inspector"),
        ("{}", "does not understand"),
        ("(() => { throw ''; })()", "answered with an error"),
        ("process.exit()", "ended meanwhile"),
        ("process.kill(process.pid, 'SIGKILL')", "ended meanwhile"),
        ("require('inspector').close()", "closed its inspector"),
    ],
)
async def test_what_it_says_is_not_believed(start: Start, answers: str, says: str) -> None:
    one = start(f"JSON.stringify = () => {answers}; {IDLE}")
    with pytest.raises(Refused, match=says):
        await asking.collect(one)


async def test_given_up_while_its_inspector_opens_it_is_closed_again(start: Start) -> None:
    one = start(IDLE)
    asked = asyncio.create_task(asking.heap(one))
    await _until(lambda: sockets.listening(one.pid) != set())
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await _until(lambda: sockets.listening(one.pid) == set())


def test_another_users_process_is_not_looked_at(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = start(IDLE)
    monkeypatch.setattr(os, "getuid", lambda: one.uid + 1)
    with pytest.raises(NoSuchTask):
        asking.require(one.pid)
    assert one.pid not in [other.pid for other in foreign.foreigners()]


def test_the_task_that_it_names_is_harmless(start: Start) -> None:
    named = start(IDLE, HEAPTUI_TASK="t\x1b[2J\n1.1", HEAPTUI_SOCKET="/nowhere")
    assert named.task == "t 1"


def test_a_task_without_the_preload_is_entered_as_any_other(start: Start) -> None:
    one = start(IDLE, HEAPTUI_TASK="t1.1")
    assert one.task is None
    assert [way.verb for way in one.possible if way.how] == ["heap", "gc", "snapshot"]


def test_what_is_no_runtime_is_not_offered() -> None:
    with pytest.raises(NoSuchTask):
        asking.require(1)


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


async def _until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not there():
            await asyncio.sleep(0.005)


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
