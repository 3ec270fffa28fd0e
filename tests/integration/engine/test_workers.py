"""Workers and the engine's hub: real sockets, real processes, and what workers do wrong."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from heaptui.engine.base import Exited, Message, Sampled, Started, Working, heaps_of
from heaptui.errors import Refused, UsageError
from heaptui.model import ProcessHeap
from heaptui.runtime.node import NodeFacts
from heaptui.wire import Collected, Written
from tests.integration.engine.contract import A, B, Part, begin, begun, eventually
from tests.integration.engine.local_stage import MIB, LocalStage

FAKE = Path(__file__).with_name("fake_worker.py")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[LocalStage]:
    made = LocalStage(tmp_path / "s")
    await made.enter()
    yield made
    await made.end_everything()


async def worker(
    stage: LocalStage, how: str, *rest: str, task_id: str = A, **fields: object
) -> Started:
    """A task whose only process is the fake worker."""
    argv = (sys.executable, "-I", "-S", str(FAKE), how, *rest)
    socket_path = str(stage.state.socket("worker"))
    spec = stage.command(task_id, *argv, env={"HEAPTUI_SOCKET": socket_path}, **fields)  # type: ignore[arg-type]
    await stage.engine.submit(spec, 1)
    return await stage.listener.first(Started, task_id)


async def reported(
    stage: LocalStage, task_id: str, fits: Callable[[tuple[ProcessHeap, ...]], bool]
) -> tuple[ProcessHeap, ...]:
    found = await stage.listener.find(
        lambda event: (
            isinstance(event, Sampled) and task_id in event.heaps and fits(event.heaps[task_id])
        ),
        f"heaps of {task_id}",
    )
    assert isinstance(found, Sampled)
    return found.heaps[task_id]


async def explained(stage: LocalStage, task_id: str, word: str) -> str:
    found = await stage.listener.find(
        lambda event: isinstance(event, Sampled) and word in event.heapless.get(task_id, ""),
        f"{word!r} as the reason of {task_id}",
    )
    assert isinstance(found, Sampled)
    return found.heapless[task_id]


async def connected(stage: LocalStage, how: str, *rest: str, **fields: object) -> int:
    """The pid of a worker that has told a heap."""
    started = await worker(stage, how, *rest, **fields)
    pid = started.identity.pid
    task_id = started.task_id
    await eventually(
        lambda: any(heap.pid == pid for heap in stage.engine._workers.heaps(task_id)),
        f"{task_id} reports",
    )
    return pid


def said(stage: LocalStage, kind: str) -> list[str]:
    return [
        event.text
        for event in stage.listener.events
        if isinstance(event, Message) and event.kind == kind
    ]


# --- heaps
async def test_a_workers_heap_comes_with_the_samples(stage):
    started = await worker(stage, "good")
    (heap,) = await reported(stage, A, bool)
    assert (heap.pid, heap.runtime, heap.used_bytes) == (started.identity.pid, "fake", MIB)
    assert heap.ppid == stage.engine.keeper_pid()
    assert heap.can == ("gc", "snapshot")
    assert heap.title == "a red one"
    assert 0 <= time.time() - heap.at < 60


async def test_every_process_of_a_task_is_listed_and_one_that_ends_is_not(stage):
    await worker(stage, "crowd", "3")
    heaps = await reported(stage, A, lambda heaps: len(heaps) == 3)
    os.kill(heaps[0].pid, signal.SIGKILL)
    left = await reported(stage, A, lambda heaps: len(heaps) == 2)
    assert heaps[0].pid not in [heap.pid for heap in left]


async def test_no_more_than_so_many_of_a_task_are_listened_to(stage):
    await worker(stage, "crowd", "70")
    await eventually(lambda: stage.said(A).count("dropped") >= 6, "some were let go")
    assert len(stage.engine._workers.of(A)) == 64


async def test_heaps_are_asked_anew(stage):
    await connected(stage, "good")
    (heap,) = heaps_of(await stage.engine.command(A, "heaps", {}, 10))
    assert heap.requests == 42


async def test_a_frozen_worker_is_shown_with_what_it_told_last(stage):
    pid = await connected(stage, "good")
    os.kill(pid, signal.SIGSTOP)
    (heap,) = heaps_of(await stage.engine.command(A, "heaps", {}, 10))
    assert heap.used_bytes == MIB
    os.kill(pid, signal.SIGCONT)


async def test_the_socket_is_ours_alone(stage):
    status = stage.state.socket("worker").stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, os.getuid())
    await stage.leave()
    assert not stage.state.socket("worker").exists()
    await stage.enter()


async def test_what_is_in_the_sockets_place_is_not_removed(stage):
    await stage.leave()
    place = stage.state.socket("worker")
    place.write_text("precious")
    with pytest.raises(Refused, match="in the way"):
        await stage.enter()
    assert place.read_text() == "precious"
    await stage.engine.close()
    assert place.read_text() == "precious"
    place.unlink()
    await stage.enter()


# --- another engine
async def test_workers_find_the_next_engine_by_themselves(stage):
    pid = await connected(stage, "good")
    await stage.leave()
    await stage.hear(A, "dropped")
    await stage.enter()
    assert (await reported(stage, A, bool))[0].pid == pid
    collected = await stage.engine.command(A, "gc", {"pid": pid}, 10)
    assert collected["flavour"] == "fake"


async def test_a_socket_left_behind_by_a_kill_is_replaced(stage):
    await stage.leave()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(stage.state.socket("worker")))
    left.close()
    await stage.enter()
    await connected(stage, "good")


async def test_a_newer_connection_of_a_process_replaces_the_older(stage):
    pid = await connected(stage, "second-line")
    await stage.hear(A, "the first is closed")
    hub = stage.engine._workers
    await eventually(lambda: [heap.used_bytes for heap in hub.heaps(A)] == [2], "the newer tells")
    assert (await stage.engine.command(A, "gc", {"pid": pid}, 10))["flavour"] == "fake"
    assert len(hub._known) == 1


# --- who is let in
async def dropped_without_a_heap(stage: LocalStage, process: subprocess.Popen[bytes]) -> None:
    try:
        out = b""
        while b"dropped" not in out:
            chunk = await asyncio.to_thread(process.stdout.read1)
            assert chunk, "it ended by itself"
            out += chunk
    finally:
        process.kill()
        process.wait()
    assert stage.engine._workers.of(A) == []


def outsider(stage: LocalStage, **more: object) -> subprocess.Popen[bytes]:
    """A worker that names a task which it is no part of."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(FAKE), "good", f"{A}.1"],
        env={"HEAPTUI_SOCKET": str(stage.state.socket("worker"))},
        stdout=subprocess.PIPE,
        **more,
    )


async def test_a_process_outside_the_tasks_tree_is_let_go(stage):
    await begun(stage, A, Part.RUNS)
    await dropped_without_a_heap(stage, outsider(stage))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_users_process_is_let_go(stage, tmp_path):
    await begun(stage, A, Part.RUNS)
    path = stage.state.socket("worker")
    # the mode of the socket alone would keep it out: what is tested is what comes after it
    path.chmod(0o666)
    for directory in (*path.parents,):
        if directory.stat().st_mode & 0o001 == 0:
            directory.chmod(0o711)
    script = tmp_path / "fake_worker.py"
    script.write_bytes(FAKE.read_bytes())
    process = subprocess.Popen(
        ["/usr/bin/env", "-i", f"HEAPTUI_SOCKET={path}", f"HEAPTUI_TASK={A}.1",
         "python3", "-I", "-S", str(script), "good"],
        stdout=subprocess.PIPE,
        user=65534,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
    )  # fmt: skip
    await dropped_without_a_heap(stage, process)


@pytest.mark.parametrize("how", ["another-pid", "another-version"])
async def test_who_is_not_what_it_says_is_let_go(stage, how):
    await worker(stage, how)
    await stage.hear(A, "dropped")
    assert stage.engine._workers.of(A) == []


async def test_an_attempt_that_does_not_run_has_no_workers(stage):
    await begun(stage, A, Part.RUNS)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(FAKE), "good"],
        env={"HEAPTUI_SOCKET": str(stage.state.socket("worker")), "HEAPTUI_TASK": f"{A}.7"},
        stdout=subprocess.PIPE,
    )
    await dropped_without_a_heap(stage, process)


async def test_a_process_that_took_the_marker_out_is_known_by_its_parent(stage):
    bare = f"env -i HEAPTUI_SOCKET=$HEAPTUI_SOCKET {sys.executable} -I -S {FAKE} good {A}.1"
    spec = stage.command(
        A, "sh", "-c", f"{bare}; true", env={"HEAPTUI_SOCKET": str(stage.state.socket("worker"))}
    )
    await stage.engine.submit(spec, 1)
    (heap,) = await reported(stage, A, bool)
    assert heap.ppid == (await stage.listener.first(Started, A)).identity.pid


async def test_a_process_in_a_pid_namespace_is_known_by_the_pid_that_we_see(stage):
    inside = ["unshare", "--pid", "--fork", sys.executable, "-I", "-S", str(FAKE), "good"]
    tried = subprocess.run([*inside[:3], "true"], check=False, capture_output=True)
    if tried.returncode != 0:
        pytest.skip("no pid namespace can be made here")
    env = {"HEAPTUI_SOCKET": str(stage.state.socket("worker"))}
    await stage.engine.submit(stage.command(A, *inside, env=env), 1)
    (heap,) = await reported(stage, A, bool)
    assert heap.pid > 1
    assert heap.ppid == (await stage.listener.first(Started, A)).identity.pid
    assert (await stage.engine.command(A, "gc", {"pid": heap.pid}, 10))["flavour"] == "fake"


async def test_a_socket_that_outlives_its_process_tells_nothing_any_more(stage):
    source = (
        f"{shlex.join([sys.executable, '-I', '-S', str(FAKE), 'leaves-its-socket'])}; sleep 600"
    )
    spec = stage.command(
        A, "sh", "-c", source, env={"HEAPTUI_SOCKET": str(stage.state.socket("worker"))}
    )
    await stage.engine.submit(spec, 1)
    await stage.hear(A, "connected")
    await stage.hear(A, "dropped")
    # the child speaks for itself, and is not what its first words said
    assert stage.engine._workers.heaps(A) == ()


async def test_silent_connections_are_let_go_and_hold_up_nobody(stage, monkeypatch):
    monkeypatch.setattr("heaptui.engine.workers.HELLO_WITHIN_S", 0.2)
    path = str(stage.state.socket("worker"))
    silent = []
    for _ in range(300):
        one = socket.socket(socket.AF_UNIX)
        one.connect(path)
        silent.append(one)
    await connected(stage, "good")
    for one in silent:
        assert await asyncio.to_thread(one.recv, 1) == b""
        one.close()


@pytest.mark.parametrize(
    "words",
    [
        b"what?\n",
        b"[" * 60_000 + b"\n",
        b"x" * (1 << 20),
        b'{"type":"heap","at":1}\n',
        b'{"type":"done","id":1}\n',
        b"\xff\x00\n",
        b"\n" * 1000,
    ],
)
async def test_nonsense_from_a_stranger_is_nobodys_fault(stage, words):
    well = await connected(stage, "good")
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(stage.state.socket("worker")))

        def speak() -> bytes:
            try:
                stranger.sendall(words)
                return stranger.recv(1)
            except ConnectionError:
                return b""

        assert await asyncio.to_thread(speak) == b""
    assert said(stage, "nonsense") == said(stage, "flooded") == []
    assert (await stage.engine.command(A, "gc", {"pid": well}, 10))["flavour"] == "fake"


# --- who misbehaves
@pytest.mark.parametrize(
    ("how", "kinds"),
    [
        ("flood", {"flooded"}),
        # where the engine gets its turn rarely, single bytes come as one line without end
        ("drip", {"flooded", "nonsense"}),
        ("nonsense", {"nonsense"}),
        ("endless-line", {"nonsense"}),
        ("deep", {"nonsense"}),
        ("absurd", {"nonsense"}),
        ("twice", {"nonsense"}),
    ],
)
async def test_who_misbehaves_is_let_go_and_the_operator_told_once(stage, how, kinds):
    well = await connected(stage, "good", task_id=B)
    started = await worker(stage, how)
    await stage.listener.find(
        lambda event: isinstance(event, Message) and event.kind in kinds, f"{kinds} is told"
    )
    # refused from now on, however often it comes again
    before = stage.said(A).count("dropped")
    await eventually(lambda: stage.said(A).count("dropped") > before + 3, "it came again")
    assert stage.engine._workers.of(A) == []
    (told,) = [text for kind in kinds for text in said(stage, kind)]
    assert f"process {started.identity.pid} " in told
    assert (await stage.engine.command(B, "gc", {"pid": well}, 10))["flavour"] == "fake"


async def test_a_task_whose_processes_all_flood_is_refused_as_a_whole(stage):
    source = f"for n in 1 2 3 4 5 6; do {sys.executable} -I -S {FAKE} flood & done; wait"
    spec = stage.command(
        A, "sh", "-c", source, env={"HEAPTUI_SOCKET": str(stage.state.socket("worker"))}
    )
    await stage.engine.submit(spec, 1)
    found = await stage.listener.find(
        lambda event: isinstance(event, Message) and "its whole task" in event.text, "all refused"
    )
    assert isinstance(found, Message)


async def test_one_that_does_not_read_is_let_go(stage):
    pid = await connected(stage, "deaf")
    hub = stage.engine._workers
    found = hub.find(A, pid)

    def told_too_much() -> bool:
        from heaptui.wire import Every

        for _ in range(1000):
            found.connection.send(Every(1000))
        return hub.find(A, pid) is None

    await eventually(told_too_much, "it is let go")
    await stage.listener.find(
        lambda event: isinstance(event, Message) and event.kind == "deaf", "it is told"
    )


# --- commands
async def test_a_collection_comes_back_with_its_figures(stage):
    pid = await connected(stage, "good")
    answer = await stage.engine.command(A, "gc", {"pid": pid}, 10)
    collected = msgspec.convert(answer, Collected)
    assert (collected.used_before, collected.used_after) == (MIB, 7)
    found = await stage.listener.find(lambda event: isinstance(event, Working), "it is at work")
    assert isinstance(found, Working)
    assert (found.task_id, found.pid, found.verb, found.phase) == (A, pid, "gc", "collecting")


async def test_a_snapshot_stands_where_it_was_wanted(stage, tmp_path):
    pid = await connected(stage, "good")
    path = tmp_path / "one.heap"
    answer = await stage.engine.command(A, "snapshot", {"pid": pid, "path": str(path)}, 10)
    extra = answer.pop("extra_bytes")
    written = msgspec.convert(answer, Written)
    # what was found on disk, not what the worker says
    assert (written.path, written.bytes) == (str(path), len("whole"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert 0 <= extra < 50 * MIB


async def test_a_snapshots_progress_and_growth_are_told(stage, tmp_path):
    pid = await connected(stage, "grows")
    path = tmp_path / "one.heap"
    answer = await stage.engine.command(A, "snapshot", {"pid": pid, "path": str(path)}, 30)
    assert 75 * MIB < answer["extra_bytes"] < 140 * MIB
    told = [event for event in stage.listener.events if isinstance(event, Working)]
    assert {event.phase for event in told} == {"writing"}
    sizes = [event.written for event in told]
    assert sizes == sorted(sizes)
    assert 0 < sizes[-1] <= 8000
    assert stage.engine._runs[A].plan.writing == ()


@pytest.mark.parametrize(
    ("how", "verb", "says"),
    [
        ("exits", "gc", "ended while its garbage was collected"),
        ("fails", "gc", "could not do it: no way"),
        ("untrue", "gc", "cannot be true"),
        ("cannot", "gc", "it is of stone"),
        ("cannot", "snapshot", "it offers no snapshot"),
        ("claims", "snapshot", "cannot be true"),
        ("dies-writing", "snapshot", "ended while its snapshot was written"),
    ],
)
async def test_a_command_that_fails_says_why(stage, tmp_path, how, verb, says):
    pid = await connected(stage, how)
    args = {"pid": pid} | ({"path": f"{tmp_path}/x.heap"} if verb == "snapshot" else {})
    with pytest.raises(Refused, match=says):
        await stage.engine.command(A, verb, args, 10)
    assert not list(tmp_path.glob("x.heap*"))


async def test_a_frozen_worker_times_out_and_is_well_again_afterwards(stage):
    pid = await connected(stage, "good")
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await stage.engine.command(A, "gc", {"pid": pid}, 0.3)
    os.kill(pid, signal.SIGCONT)
    assert (await stage.engine.command(A, "gc", {"pid": pid}, 10))["flavour"] == "fake"
    await eventually(lambda: not stage.engine._workers.find(A, pid).asked, "nothing is due")


async def test_one_frozen_while_it_writes_is_waited_for_and_goes_on(stage, tmp_path):
    pid = await connected(stage, "freezes-writing")
    path = tmp_path / "x.heap"
    with pytest.raises(TimeoutError):
        await stage.engine.command(A, "snapshot", {"pid": pid, "path": str(path)}, 0.5)
    (heap,) = heaps_of(await stage.engine.command(A, "heaps", {}, 10))
    assert heap.used_bytes == MIB
    os.kill(pid, signal.SIGCONT)
    await eventually(lambda: stage.engine._runs[A].plan.writing == (), "its end was heard of")
    assert path.read_bytes() == b"whole"


async def test_what_a_snapshot_links_to_is_not_touched(stage, tmp_path):
    other = tmp_path / "other"
    other.write_text("theirs")
    other.chmod(0o644)
    pid = await connected(stage, "links", str(other))
    with pytest.raises(Refused, match="cannot be true"):
        await stage.engine.command(A, "snapshot", {"pid": pid, "path": f"{tmp_path}/x.heap"}, 10)
    assert other.stat().st_mode & 0o777 == 0o644


async def test_a_worker_that_never_answers_is_not_asked_without_end(stage):
    pid = await connected(stage, "silent")
    for _ in range(16):
        with pytest.raises(TimeoutError):
            await stage.engine.command(A, "gc", {"pid": pid}, 0.01)
    with pytest.raises(Refused, match="has not answered"):
        await stage.engine.command(A, "gc", {"pid": pid}, 10)


async def test_nothing_else_is_begun_while_a_snapshot_is_written(stage, tmp_path):
    pid = await connected(stage, "writes-for-ever")
    args = {"pid": pid, "path": f"{tmp_path}/x.heap"}
    with pytest.raises(TimeoutError):
        await stage.engine.command(A, "snapshot", args, 0.5)
    for verb, more in (("gc", {}), ("snapshot", {"path": f"{tmp_path}/y.heap"})):
        with pytest.raises(Refused, match="is writing a snapshot"):
            await stage.engine.command(A, verb, {"pid": pid} | more, 10)


async def test_a_process_that_no_worker_speaks_for_is_refused(stage):
    started = await begun(stage, A, Part.RUNS)
    await explained(stage, A, "no Node or Python")
    with pytest.raises(Refused, match="no Node or Python process in it"):
        await stage.engine.command(A, "gc", {"pid": started.identity.pid}, 10)


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("gc", {}),
        ("gc", {"pid": "x"}),
        ("heaps", {"pid": 1}),
        ("snapshot", {"pid": 1, "path": "relative"}),
        ("snapshot", {"pid": 1, "path": "/x\0y"}),
        ("cap", {"cap_bytes": 0}),
        ("cap", {}),
    ],
)
async def test_wrong_arguments_are_a_usage_error(stage, verb, args):
    await begun(stage, A, Part.RUNS)
    with pytest.raises(UsageError):
        await stage.engine.command(A, verb, args, 10)


async def test_a_command_given_up_leaves_nothing_behind(stage):
    pid = await connected(stage, "silent")
    before = len(asyncio.all_tasks())
    asking = asyncio.create_task(stage.engine.command(A, "gc", {"pid": pid}, 60))
    await eventually(lambda: bool(stage.engine._workers.find(A, pid).asked), "it was asked")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await eventually(lambda: len(asyncio.all_tasks()) == before, "no task is left")


# --- why there is no heap
async def test_without_a_runtime_there_is_no_heap(stage):
    await begin(stage, A, Part.RUNS)
    assert await explained(stage, A, "no Node") == "no Node or Python process in it"


async def test_a_runtime_without_a_preload_says_so(stage):
    spec = stage.command(A, sys.executable, "-c", "import time; time.sleep(600)")
    await stage.engine.submit(spec, 1)
    assert await explained(stage, A, "off") == "preload off"


async def test_a_program_that_cleans_its_environment_says_so(stage):
    source = f"env -i {sys.executable} -c 'import time; time.sleep(600)'; true"
    spec = stage.command(
        A, "sh", "-c", source, env={"HEAPTUI_SOCKET": str(stage.state.socket("worker"))}
    )
    await stage.engine.submit(spec, 1)
    await explained(stage, A, "took the preload out")


@pytest.mark.parametrize("name", ["deno", "bun"])
async def test_other_runtimes_are_named(stage, tmp_path, name):
    program = tmp_path / name
    program.write_bytes(Path("/bin/sleep").resolve().read_bytes())
    program.chmod(0o755)
    await stage.engine.submit(stage.command(A, str(program), "600"), 1)
    await explained(stage, A, name.capitalize())


@pytest.mark.parametrize(
    ("version", "says"), [("v16.20.2", "its Node 16 is older than 18"), (None, "not said hello")]
)
async def test_a_node_that_stays_silent_is_explained_by_its_version(stage, tmp_path, version, says):
    program = tmp_path / "node"
    program.write_bytes(Path("/bin/sleep").resolve().read_bytes())
    program.chmod(0o755)
    if version is not None:
        # as if it had answered before
        status = program.stat()
        key = f"{program.resolve()}:{status.st_mtime_ns}:{status.st_size}"
        facts = NodeFacts(version, ())
        stage.state.runtimes.write_bytes(msgspec.json.encode({key: facts}))
    env = {"HEAPTUI_SOCKET": "/x", "NODE_OPTIONS": "--require=/x"}
    await stage.engine.submit(stage.command(A, str(program), "600", env=env), 1)
    await explained(stage, A, says)


async def test_what_only_begins_like_node_is_none(stage, tmp_path):
    program = tmp_path / "node_exporter"
    program.write_bytes(Path("/bin/sleep").resolve().read_bytes())
    program.chmod(0o755)
    await stage.engine.submit(stage.command(A, str(program), "600"), 1)
    await explained(stage, A, "no Node or Python")


async def test_a_python_that_ignores_its_environment_is_told_as_such(stage):
    argv = (sys.executable, "-I", "-c", "import time; time.sleep(600)")
    env = {"HEAPTUI_SOCKET": "/x", "PYTHONPATH": "/x"}
    await stage.engine.submit(stage.command(A, *argv, env=env), 1)
    await explained(stage, A, "started with -I")


async def test_a_heap_that_ends_gives_way_to_a_reason(stage):
    source = f"{sys.executable} -I -S {FAKE} exits & wait; while :; do sleep 0.05; done"
    spec = stage.command(
        A, "sh", "-c", source, env={"HEAPTUI_SOCKET": str(stage.state.socket("worker"))}
    )
    await stage.engine.submit(spec, 1)
    (heap,) = await reported(stage, A, bool)
    os.kill(heap.pid, signal.SIGKILL)
    await reported(stage, A, lambda heaps: heaps == ())
    await explained(stage, A, "no Node or Python")


async def test_an_ended_task_leaves_no_connection(stage):
    await connected(stage, "good")
    await stage.engine.cancel(A, 0)
    await stage.listener.first(Exited, A)
    hub = stage.engine._workers
    assert (hub.of(A), hub._known, hub._of) == ([], {}, {})


async def test_a_defect_in_the_hub_reaches_whoever_reads_the_events(stage):
    await connected(stage, "good")
    stage.engine._workers._touched = None
    async with asyncio.timeout(30):
        with pytest.raises((AttributeError, TypeError)):
            await stage.listener._reading
    await stage.engine.close()
    await stage.enter()
