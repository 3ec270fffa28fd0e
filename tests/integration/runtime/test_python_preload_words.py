"""What the Python preload says on its socket and does when it is told to."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from heaptui import wire
from heaptui.heap.analysis.python_file import load_python
from tests.integration.runtime.python_preload_stage import (
    Engine,
    engine,
    environment,
    interpreters,
    running,
    until,
)

PYTHONS = interpreters()
WAITS = "\nprint('ready')\nimport sys\nsys.stdin.read()\n"


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as one:
        yield one


@pytest.mark.parametrize("python", PYTHONS)
def test_it_says_who_it_is_and_then_its_figures(
    python: str, tmp_path: Path, listening: Engine
) -> None:
    with running(python, "d = [str(i) * 50 for i in range(9999)]" + WAITS, tmp_path) as program:
        worker = listening.accept()
        hello = worker.hello
        assert (hello.task, hello.pid, hello.ppid) == ("t7.1", program.pid, os.getpid())
        assert hello.runtime == "python"
        assert hello.can == ("gc", "snapshot")
        worker.send(wire.encode(wire.Every(ms=200)) + b"\n")
        reports = [worker.heap() for _ in range(2)]
        assert reports[1].at > reports[0].at
        assert reports[0].blocks
        assert reports[0].blocks > 9999
        asked, _ = worker.ask(wire.AskHeap)
        # the strings alone; both figures need glibc's mallinfo2
        if asked.used is not None:
            assert asked.used > 9999 * 200
            assert asked.committed >= asked.used
        assert asked.age_ms < 5000


@pytest.mark.parametrize("python", PYTHONS)
def test_collections_of_the_program_are_counted(
    python: str, tmp_path: Path, listening: Engine
) -> None:
    code = "import gc\nfor _ in range(7): gc.collect()" + WAITS
    with running(python, code, tmp_path) as program:
        worker = listening.accept()
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        told, _ = worker.ask(wire.AskHeap)
        assert told.gc_count >= 7
        assert told.gc_ms > 0
        # what is collected by command is not the program's own
        worker.ask(wire.Collect)
        again, _ = worker.ask(wire.AskHeap)
        assert again.gc_count == told.gc_count


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("busy", ["while True: pass", "while True: [[] for _ in range(999)]"])
def test_it_collects_whatever_the_program_does(
    python: str, busy: str, tmp_path: Path, listening: Engine
) -> None:
    code = (
        "class A: pass\n"
        "for _ in range(20000):\n"
        "  a = A(); a.me = a; a.text = 'x' * 1000\n"
        "  if _ == 0: import gc; gc.disable()\n" + busy
    )
    with running(python, code, tmp_path):
        worker = listening.accept()
        until(lambda: worker.ask(wire.AskHeap)[0].blocks > 20000)
        answer, phases = worker.ask(wire.Collect)
        assert phases == ["collecting"]
        done = answer.collected
        assert done.flavour.startswith("gc.collect")
        assert done.pause_ms > 0
        if done.used_before is not None:
            assert done.used_before - done.used_after > 1_000_000


@pytest.mark.parametrize("python", PYTHONS)
def test_finalizers_that_run_in_the_probe_leave_no_thread_behind(
    python: str, tmp_path: Path, listening: Engine
) -> None:
    code = (
        "import gc, threading\ngc.disable()\n"
        "class A:\n def __del__(self): threading.current_thread()\n"
        "a = A(); a.me = a; del a\n"
        "print('ready'); input(); print(threading.active_count())"
    )
    with running(python, code, tmp_path) as program:
        worker = listening.accept()
        assert program.stdout is not None
        program.stdout.readline()
        worker.ask(wire.Collect)
        assert program.communicate("\n")[0] == "1\n"


SNAPPED = """
class Agent:
    def __init__(self):
        self.history = ['turn %d ' % i * 40 for i in range(3000)]
class Slim:
    __slots__ = ('blob',)
def make():
    cache = []
    def add(x):
        cache.append(x)
    return add
add = make()
for i in range(2000): add('cached %d ' % i * 40)
agent, slim = Agent(), Slim()
slim.blob = b'z' * 500000
results = {'found': ['r%d ' % i * 60 for i in range(1500)], (1, 2): 'by tuple' * 9000}
import threading
def serve(go):
    kept = ['in a thread %d ' % i * 40 for i in range(2500)]
    go.wait()
go = threading.Event()
threading.Thread(target=serve, args=(go,), daemon=True).start()
def generate():
    waiting = ['in a generator %d ' % i * 40 for i in range(1200)]
    yield len(waiting)
pending = generate()
next(pending)
print('ready')
input()
"""
"""What holds much, and how it is reached: edges' names from the root."""
HELD = {
    "turn 7 ": ["agent", "history"],
    "cached 7 ": ["add", "cache", "cell_contents"],
    "zzzz": ["slim", "blob"],
    "r7 ": ["results", "found"],
    "in a thread 7 ": ["kept"],
    "in a generator 7 ": ["pending", "waiting"],
}


@pytest.mark.parametrize("python", PYTHONS)
def test_a_snapshot_names_what_holds_what(python: str, tmp_path: Path, listening: Engine) -> None:
    path = tmp_path / "one.pyheap"
    with running(python, SNAPPED, tmp_path) as program:
        worker = listening.accept()
        assert program.stdout is not None
        program.stdout.readline()
        answer, phases = worker.ask(wire.Snap, path=str(path))
        assert answer.written.path == str(path)
        assert answer.written.bytes == path.stat().st_size
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert set(phases) == {"writing"}
        assert answer.written.pause_ms < answer.written.took_ms
        # never over a file that is there
        again, _ = worker.ask(wire.Snap, path=str(path))
        assert again.code == "exists"
        # the program goes on and notices no child
        assert program.poll() is None
        assert program.communicate("\n")[1] == ""
    graph = load_python(path, lambda *_: None)
    assert not list(tmp_path.glob("*.part"))
    assert graph.nodes > 10_000
    sizes = {}
    before: dict[int, tuple[int, str]] = {0: (0, "")}
    queue = [0]
    for node in queue:
        for edge in range(graph.first_edge[node], graph.first_edge[node + 1]):
            target = int(graph.edge_to[edge])
            if target not in before:
                kind = graph.edge_types[graph.edge_type[edge]]
                name = int(graph.edge_name[edge])
                before[target] = (
                    node,
                    str(name) if kind in ("element", "hidden") else graph.strings[name],
                )
                queue.append(target)
    assert len(before) == graph.nodes, "everything is reached from the root"
    for node in range(graph.nodes):
        text = graph.strings[int(graph.node_name[node])].removeprefix("b'")
        begins = next((one for one in HELD if text.startswith(one)), None)
        if begins is None or begins in sizes or int(graph.self_size[node]) < 200:
            continue
        sizes[begins] = int(graph.self_size[node])
        names, at = [], node
        while at:
            at, name = before[at]
            names.insert(0, name)
        wanted = iter(names)
        assert all(one in wanted for one in HELD[begins]), (begins, names)
    assert set(sizes) == set(HELD)
    assert sizes["zzzz"] > 500_000
    classes = {graph.class_names[one] for one in graph.class_of}
    assert {"__main__.Agent", "__main__.Slim", "str", "dict", "list", "function"} <= classes


@pytest.mark.parametrize("python", PYTHONS)
def test_a_program_that_waits_for_any_child_does_not_meet_the_snapshots(
    python: str, tmp_path: Path, listening: Engine
) -> None:
    code = (
        "import os, signal, sys, time\n"
        "seen = []\n"
        "signal.signal(signal.SIGCHLD, lambda *a: seen.append(1))\n"
        "data = [str(i) for i in range(50000)]\n"
        "r, w = os.pipe()\n"
        "p = os.fork()\n"
        "if not p: os.close(w); os.read(r, 1); os._exit(0)\n"
        "print('ready')\n"
        "sys.stdin.readline(); os.close(w)\n"
        "print(os.wait()[0] == p)\n"
        "try: os.wait()\n"
        "except ChildProcessError: print('none', len(seen))\n"
    )
    with running(python, code, tmp_path) as program:
        workers = [listening.accept() for _ in range(2)]
        worker = next(one for one in workers if one.hello.pid == program.pid)
        assert program.stdout is not None
        program.stdout.readline()
        answer, _ = worker.ask(wire.Snap, path=str(tmp_path / "one"))
        assert isinstance(answer, wire.Done)
        assert program.communicate("\n")[0] == "True\nnone 1\n"


@pytest.mark.parametrize("python", PYTHONS)
def test_a_full_disk_is_told_and_leaves_nothing(
    python: str, tmp_path: Path, listening: Engine
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)],
        capture_output=True, check=False,
    )  # fmt: skip
    full = "/dev/full" if mounted.returncode else str(small / "one")
    try:
        with running(python, "d = [str(i) for i in range(99999)]" + WAITS, tmp_path):
            worker = listening.accept()
            answer, _ = worker.ask(wire.Snap, path=full)
            assert answer.code in ("disk", "exists")
            assert list(small.iterdir()) == []
            missing, _ = worker.ask(wire.Snap, path=str(tmp_path / "no" / "one"))
            assert missing.code == "disk"
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize("python", PYTHONS)
def test_forked_children_are_told_of(python: str, tmp_path: Path, listening: Engine) -> None:
    code = (
        "import multiprocessing as m, sys\n"
        "def work(q): q.get()\n"
        "c = m.get_context('fork'); q = c.Queue()\n"
        "p = c.Process(target=work, args=(q,)); p.start(); print(p.pid)\n"
        "sys.stdin.readline(); q.put(1); p.join(); print(p.exitcode)"
    )
    with running(python, code, tmp_path) as program:
        workers = [listening.accept() for _ in range(2)]
        assert program.stdout is not None
        child = int(program.stdout.readline())
        by_pid = {one.hello.pid: one for one in workers}
        assert set(by_pid) == {program.pid, child}
        assert by_pid[child].hello.ppid == program.pid
        assert by_pid[child].ask(wire.Collect)[0].collected is not None
        assert program.communicate("\n") == ("0\n", "")


@pytest.mark.parametrize("python", PYTHONS)
def test_many_forks_while_it_is_at_work(python: str, tmp_path: Path, listening: Engine) -> None:
    code = (
        "import os\n"
        "print('ready')\n"
        "for _ in range(300):\n"
        "  p = os.fork()\n"
        "  if not p:\n"
        "    import ctypes; os._exit(0)\n"
        "  assert os.waitpid(p, 0)[1] == 0\n"
        "print('over')\ninput()"
    )
    with running(python, code, tmp_path) as program:
        worker = listening.accept()
        assert program.stdout is not None
        program.stdout.readline()
        for number in range(5):
            worker.ask(wire.Collect)
            answer, _ = worker.ask(wire.Snap, path=str(tmp_path / f"{number}"))
            assert isinstance(answer, wire.Done)
        assert program.communicate("\n") == ("over\n", "")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"\x00\xff{}\n", id="bytes"),
        pytest.param(b"{}\n", id="nothing asked"),
        pytest.param(b"[1]\n", id="a list"),
        pytest.param(b"nope\n" * 9999, id="many lines"),
        pytest.param(b"{" * 200_000, id="a line without end"),
        pytest.param(b"[" * 60_000 + b"\n", id="deep"),
        pytest.param(b'{"op":"snapshot","id":1,"path":"relative"}\n', id="a relative path"),
        pytest.param(b'{"op":"every","ms":"soon"}\n', id="a text for a number"),
        pytest.param(b'{"op":"every","ms":NaN}\n', id="no number"),
    ],
)
def test_nonsense_ends_the_connection_and_nothing_else(
    python: str, nonsense: bytes, tmp_path: Path, listening: Engine
) -> None:
    with running(python, WAITS, tmp_path) as program:
        first = listening.raw()
        with suppress(OSError):
            first.sendall(nonsense)
        with suppress(ConnectionResetError):
            while first.recv(65536):
                pass
        first.close()
        # it comes again by itself
        assert listening.accept().hello.pid == program.pid
        assert program.poll() is None
        assert program.communicate("") == ("ready\n", "")


def test_a_traced_program_says_where_it_allocates(tmp_path: Path, listening: Engine) -> None:
    script = tmp_path / "program.py"
    script.write_text("d = [str(i) * 100 for i in range(9999)]\nprint('ready')\ninput()\n")
    code = f"exec(compile(open({str(script)!r}).read(), {str(script)!r}, 'exec'))"
    with running(PYTHONS[0], code, tmp_path, PYTHONTRACEMALLOC="1") as program:
        worker = listening.accept()
        assert program.stdout is not None
        program.stdout.readline()
        assert worker.ask(wire.AskHeap)[0].traced > 9999 * 100
        worker.ask(wire.Snap, path=str(tmp_path / "one"))
        graph = load_python(tmp_path / "one", lambda *_: None)
        assert any(f"{script}:1" in note for note in graph.notes)


def test_daemons_that_close_everything_are_not_written_into(
    tmp_path: Path, listening: Engine
) -> None:
    code = (
        "import os, socket, time\n"
        "print('ready'); input()\n"
        "os.closerange(3, 4096)\n"
        "pairs = [socket.socketpair() for _ in range(500)]\n"
        "time.sleep(2.5)\n"
        "import select\n"
        "print([1 for p in pairs for s in p if select.select([s], [], [], 0)[0]])"
    )
    with running(PYTHONS[0], code, tmp_path) as program:
        listening.accept()
        assert program.communicate("\n") == ("ready\n[]\n", "")
        assert environment(tmp_path)["HEAPTUI_TASK"] == "t7.1"
