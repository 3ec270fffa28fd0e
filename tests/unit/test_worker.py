"""heaptui.worker as a program uses it: alone, and with somebody at the other end of its socket."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from heaptui import worker
from heaptui.wire import Checkpoint, Drained, Hello, Log, Progress, Result, Role, decode_from_worker

WITHIN_S = 30.0


class Listening:
    """A supervisor's end: what arrives, message by message, on the connection that came last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: queue.Queue[object] = queue.Queue()
        self.lines: queue.Queue[socket.socket] = queue.Queue()
        self.open()

    def open(self) -> None:
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen()
        threading.Thread(target=self._accept, args=(self.socket,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            self.lines.put(line)
            threading.Thread(target=self._read, args=(line,), daemon=True).start()

    def _read(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as file, suppress(ConnectionError):
            for words in file:
                self.heard.put(decode_from_worker(words))
        self.heard.put("closed")

    def line(self) -> socket.socket:
        return self.lines.get(timeout=WITHIN_S)

    def until(self, kind: type | str) -> object:
        """The next of this kind; what came before it is dropped."""
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            message = self.heard.get(timeout=WITHIN_S)
            if message == kind or (isinstance(kind, type) and isinstance(message, kind)):
                return message
        raise AssertionError(f"in vain waited for {kind}")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def order(line: socket.socket, **words: object) -> None:
    line.sendall(json.dumps(words).encode() + b"\n")


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files for it, and one worker of the test's own."""
    for name in ("SOCKET", "TASK"):
        monkeypatch.delenv(f"HEAPTUI_{name}", raising=False)
    monkeypatch.setenv("HEAPTUI_CHECKPOINT", str(tmp_path / "checkpoint"))
    monkeypatch.setenv("HEAPTUI_RESULT", str(tmp_path / "result"))
    monkeypatch.setattr(worker, "_current", None)
    yield tmp_path
    if worker._current is not None:
        worker._current.close()


@pytest.fixture
def server(around: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    monkeypatch.setenv("HEAPTUI_SOCKET", str(around / "s"))
    monkeypatch.setenv("HEAPTUI_TASK", "t1.2")
    made = Listening(around / "s")
    yield made
    made.close()


# --- alone
def test_it_needs_nothing_of_heaptui() -> None:
    source = (
        "import sys; from heaptui import worker; "
        "print(sorted(m for m in sys.modules if m.startswith(('heaptui', 'msgspec', 'psutil'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], check=False, capture_output=True, text=True
    )
    assert done.stdout == "['heaptui', 'heaptui.worker']\n", done.stderr


def test_without_anything_around_nothing_happens(around, monkeypatch):
    monkeypatch.delenv("HEAPTUI_CHECKPOINT")
    monkeypatch.delenv("HEAPTUI_RESULT")
    with worker.connect() as w:
        assert w.resume() is None
        w.progress(1, 2, "x")
        w.log("x")
        assert not w.checkpoint({"n": 1})
        assert not w.result(1)
        assert w.flush()
        assert not w.draining
        assert w.seconds_left is None
        w.drained()
    assert [one.name for one in threading.enumerate() if one.name == "heaptui"] == []
    assert list(around.iterdir()) == []


def test_without_a_supervisor_checkpoints_are_kept_all_the_same(around):
    with worker.connect() as w:
        assert worker.resume() is None
        assert w.checkpoint({"n": 1, "text": "ü\ud800"})
        assert w.result([1])
    assert worker.resume() == w.resume() == {"n": 1, "text": "ü\ud800"}
    for name in ("checkpoint", "result"):
        assert (around / name).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in around.iterdir()) == ["checkpoint", "result"]


def test_a_file_is_copied(around):
    source = around / "source"
    source.write_bytes(b"\0" * 3_000_000)
    w = worker.connect()
    assert w.checkpoint_file(str(source))
    assert w.result_file(str(source))
    assert (around / "checkpoint").read_bytes() == source.read_bytes()
    assert (around / "result").stat().st_size == 3_000_000
    with pytest.raises(ValueError, match="no JSON"):
        w.resume()


def test_too_much_json_names_the_file_way_and_the_one_before_stands(around):
    w = worker.connect()
    w.checkpoint("x" * (worker.DATA_MAX - 2))
    with pytest.raises(ValueError, match="checkpoint_file"):
        w.checkpoint("x" * (worker.DATA_MAX - 1))
    with pytest.raises(TypeError):
        w.checkpoint({"a": object()})
    assert (around / "checkpoint").stat().st_size == worker.DATA_MAX


def test_trouble_with_the_disk_is_no_trouble_for_the_work(around, monkeypatch):
    w = worker.connect()
    assert w.checkpoint(1)
    (around / f"checkpoint.{os.getpid()}.part").mkdir()
    assert not w.checkpoint(2)
    assert not w.checkpoint_file("/nowhere")
    assert worker.resume() == 1


def test_not_more_often_than_every_so_often_unless_it_is_wanted(around):
    w = worker.connect()
    assert w.checkpoint(1, every_s=3600)
    assert not w.checkpoint(2, every_s=3600)
    w.checkpoint_wanted.set()
    assert w.checkpoint(3, every_s=3600)
    assert not w.checkpoint_wanted
    assert not w.checkpoint(4, every_s=3600)
    w.draining.set()
    assert w.checkpoint(5, every_s=3600)
    assert w.checkpoint(6)
    assert worker.resume() == 6


def test_one_worker_for_all_who_ask(around):
    assert worker.connect() is worker.connect()


# --- flags
def test_a_flag_wakes_everybody_who_waits():
    flag = worker.Flag()
    assert not flag.wait(0.01)
    woken: queue.Queue[bool] = queue.Queue()
    for _ in range(3):
        threading.Thread(target=lambda: woken.put(flag.wait(WITHIN_S)), daemon=True).start()
    flag.set()
    assert [woken.get(timeout=WITHIN_S) for _ in range(3)] == [True] * 3
    flag.clear()
    assert not flag.is_set()
    assert not flag.wait(0.01)


@pytest.mark.parametrize(
    ("before", "given", "ends_with"),
    [
        ("", "sigterm=True", 7),
        ("", "", -signal.SIGTERM),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))", "sigterm=True", 5),
    ],
)
def test_sigterm_means_a_drain_only_where_that_is_wanted(before, given, ends_with):
    source = (
        f"import os, signal, sys\nfrom heaptui import worker\n{before}\n"
        f"w = worker.connect({given})\nos.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(7 if w.draining.wait(30) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", source], check=False, timeout=60)
    assert done.returncode == ends_with


def test_a_flag_that_is_set_while_it_is_cleared_wakes_who_waits():
    flag = worker.Flag()

    class Bell(queue.SimpleQueue[None]):
        def get_nowait(self) -> None:
            super().get_nowait()
            if not flag.is_set():
                flag.set()

    flag._bell = Bell()
    flag.set()
    flag.clear()
    assert flag.is_set()
    # one that saw it unset waits for the bell by now
    assert flag._bell.get(timeout=WITHIN_S) is None


@pytest.mark.parametrize(
    ("how", "before", "ends_with"),
    [
        ("forks()", "pass", -signal.SIGTERM),
        (
            "one = threading.Thread(target=forks)\none.start()\none.join()",
            "pass",
            -signal.SIGTERM,
        ),
        ("forks()", "worker.connect(sigterm=True)", 7),
    ],
)
def test_sigterm_ends_a_forked_child_that_does_not_say_otherwise(how, before, ends_with):
    source = (
        "import os, signal, sys, threading, time\nfrom heaptui import worker\n"
        "told, tell = os.pipe()\n"
        "def forks():\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        f"        {before}\n"
        "        os.write(tell, b'!')\n"
        "        sys.exit(7 if w.draining.wait(600) else 0)\n"
        "    os.read(told, 1)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "w = worker.connect(sigterm=True)\n"
        f"{how}\n"
        "os.kill(os.getpid(), signal.SIGTERM)\nprint(w.draining.wait(30))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=WITHIN_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert said.split() == [str(int(ends_with)), "True"]


# --- with somebody at the other end
def test_it_says_who_it_is_and_what_it_does(server):
    w = worker.connect(title="one")
    hello = server.until(Hello)
    assert (hello.v, hello.role, hello.task) == (1, Role.WORK, "t1.2")
    assert (hello.pid, hello.ppid, hello.runtime) == (os.getpid(), os.getppid(), "python")
    assert (hello.title, hello.can) == ("one", ("checkpoint", "drain"))
    w.progress(1, 4, "unit\n1")
    assert server.until(Progress) == Progress(done=1, total=4, text="unit\n1")
    w.log("half a pair: \ud800")
    assert server.until(Log) == Log(text="half a pair: ?")
    assert w.checkpoint({"n": 1}, note="first")
    found = server.until(Checkpoint)
    assert (found.id, found.note, bytes(found.data), found.path) == (0, "first", b"", None)
    w.result(1)
    assert isinstance(server.until(Result), Result)
    w.drained()
    assert isinstance(server.until(Drained), Drained)
    w.close()
    server.until("closed")


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), "x", object()])
def test_odd_figures_are_left_out(server, odd):
    w = worker.connect()
    w.progress(odd, 3)
    assert server.until(Progress) == Progress(done=None, total=3)


def test_of_much_progress_the_newest_is_told(server):
    w = worker.connect()
    for n in range(20_000):
        w.progress(n)
    assert w.flush()
    w.log("end")
    told = []
    while not isinstance(message := server.heard.get(timeout=WITHIN_S), Log):
        told += [message.done] if isinstance(message, Progress) else []
    assert told[-1] == 19_999
    assert len(told) < 200


def test_a_question_is_answered_by_the_next_checkpoint(server):
    w = worker.connect()
    line = server.line()
    order(line, op="checkpoint", id=7)
    assert w.checkpoint_wanted.wait(WITHIN_S)
    assert w.checkpoint(1, every_s=3600)
    assert server.until(Checkpoint).id == 7
    assert not w.checkpoint_wanted
    w.checkpoint(2)
    assert server.until(Checkpoint).id == 0


def test_a_callback_runs_between_two_items_on_the_works_own_thread(server):
    threads: list[str] = []

    def state() -> dict[str, int]:
        threads.append(threading.current_thread().name)
        w.progress(2)  # as a program would: no question within a question
        return {"n": 1}

    w = worker.connect(on_checkpoint=state)
    order(server.line(), op="checkpoint", id=3)
    assert w.checkpoint_wanted.wait(WITHIN_S)
    assert threads == []
    w.poll()
    assert server.until(Checkpoint).id == 3
    assert threads == [threading.current_thread().name]
    assert worker.resume() == {"n": 1}
    w.poll()
    assert len(threads) == 1


def test_a_drain_is_a_flag_with_a_time(server):
    w = worker.connect()
    order(server.line(), op="drain", grace_ms=60_000, why="")
    assert w.draining.wait(WITHIN_S)
    assert 0 < w.seconds_left <= 60


@pytest.mark.parametrize(
    "words",
    [b"what?\n", b"x" * 200_000, b"[1]\n" * 3, b'{"op":"fly"}\n'],
    ids=["nonsense", "endless", "no-order", "unknown"],
)
def test_whatever_the_other_end_says_the_work_goes_on(server, words):
    w = worker.connect()
    server.line().sendall(words)
    for n in range(100):
        w.progress(n)
    assert w.checkpoint(5)
    while (found := server.until(Progress)).done != 99:
        pass
    assert found.total is None


def test_another_supervisor_is_told_everything_again(server):
    w = worker.connect()
    w.progress(3, 9)
    w.checkpoint(1)
    server.until(Checkpoint)
    server.close()
    server.line().shutdown(socket.SHUT_RDWR)
    server.until("closed")
    server.open()
    assert server.until(Hello).pid == os.getpid()
    assert server.until(Progress).done == 3
    assert server.until(Checkpoint).id == 0


def test_one_that_never_reads_holds_up_nobody(around, monkeypatch):
    monkeypatch.setenv("HEAPTUI_SOCKET", str(around / "s"))
    monkeypatch.setenv("HEAPTUI_TASK", "t1.2")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(around / "s"))
        silent.listen()
        w = worker.connect()
        for n in range(50_000):
            w.progress(n, text="x" * 900)
            w.log("x" * 900)
        assert w.checkpoint(1)
        assert not w.flush(0.01)
    w._line.close()


def test_a_forked_child_is_silent_until_it_speaks_as_itself(server):
    source = (
        "import os, sys, time\nfrom heaptui import worker\nw = worker.connect()\n"
        "w.progress(1)\nw.flush()\n"
        "if os.fork() == 0:\n"
        "    assert not w.draining\n"
        "    os._exit(0)\n"
        "os.wait()\nw.progress(2)\nw.flush()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    w.progress(50)\n    assert w.checkpoint({'by': 'child'})\n    w.flush()\n"
        "    os._exit(0)\n"
        "os.wait()\nw.progress(3)\nw.flush()\nprint(os.getpid(), child)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    parent, child = map(int, done.stdout.split())
    hellos = []
    seen: dict[int, list[float]] = {}
    while len(hellos) < 2 or 3 not in seen[parent]:
        message = server.heard.get(timeout=WITHIN_S)
        if isinstance(message, Hello):
            hellos.append(message.pid)
        elif isinstance(message, Progress):
            seen.setdefault(child if message.done == 50 else parent, []).append(message.done)
    assert hellos == [parent, child]
    assert seen == {parent: [1, 2, 3], child: [50]}
    assert worker.resume() == {"by": "child"}


def test_a_child_that_lives_on_does_not_hold_its_parents_connection(server):
    source = (
        "import os, sys, time\nfrom heaptui import worker\nw = worker.connect()\n"
        "w.progress(1)\nw.flush()\n"
        "if os.fork() == 0:\n    time.sleep(600)\n"
        "sys.stdin.read()\nos._exit(0)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        server.until(Progress)
        process.communicate(timeout=WITHIN_S)
        server.until("closed")
        os.killpg(process.pid, 0)  # the child lives
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_the_last_words_are_said_before_the_program_ends(server):
    source = "from heaptui import worker\nw = worker.connect()\nw.result(1)\nw.progress(5)\n"
    subprocess.run([sys.executable, "-c", source], check=True, timeout=60)
    heard = []
    while (message := server.heard.get(timeout=WITHIN_S)) != "closed":
        heard.append(message)
    assert {type(one) for one in heard} == {Hello, Progress, Result}


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node here")
def test_the_node_example_keeps_little_for_one_that_never_reads(around, monkeypatch):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(around / "worker.sock"))
    listener.listen()
    example = Path(__file__).parents[2] / "examples" / "worker.cjs"
    source = (
        f"const w = require({json.dumps(str(example))}).connect();\n"
        "const later = () => new Promise((resolve) => setTimeout(resolve, 1));\n"
        "(async () => {\n"
        "  for (let n = 0; n < 200; n++) {\n"
        "    for (let m = 0; m < 500; m++) w.log('x'.repeat(1000));\n"
        "    await later();\n"
        "  }\n"
        "  console.log(process.memoryUsage().rss >> 20);\n"
        "  process.exit(0);\n"
        "})();\n"
    )
    env = os.environ | {
        "HEAPTUI_SOCKET": str(around / "worker.sock"),
        "HEAPTUI_TASK": "k7w2ma.1",
    }
    done = subprocess.run(
        ["node", "-e", source], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    listener.close()
    assert int(done.stdout) < 150, "a hundred megabytes of lines wait in it"
