"""What the Node preload costs a program, and how soon it answers while the program is busy.

Alone: python -m tests.bench.heap.preload
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from heaptui import wire
from heaptui.runtime import node
from heaptui.runtime.preload.place import Preload, environment, placed
from heaptui.wire import Done, Failed, Heap
from tests.bench.harness import MIB, Row, cpu_s, median, quantile, rss

STARTS = 15
ASKED = 15
COLLECTED = 7
WATCHED_S = 8.0
READY = "require('fs').writeSync(1, '!'); setInterval(() => {}, 1e6)"
IDLE = "setInterval(() => {}, 1e6)"
BUSY = {
    "while (true)": "while (true);",
    "a JSON loop": (
        "const rows = Array.from({length: 1e5}, (_, i) => ({i, text: 'x'.repeat(20)}));"
        "while (true) JSON.parse(JSON.stringify(rows));"
    ),
    "a regex": "/^(a+)+$/.test('a'.repeat(60) + 'b')",
    "Atomics.wait": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
}


class Engine:
    """The engine's end of the control socket, blocking: nothing else runs beside a measurement."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "heap.sock")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(64)
        self._listening.settimeout(20)

    @contextlib.contextmanager
    def worker(self) -> Iterator[Worker]:
        connection, _ = self._listening.accept()
        connection.settimeout(20)
        with connection, connection.makefile("rb") as lines:
            yield Worker(connection, lines)

    def close(self) -> None:
        self._listening.close()


class Worker:
    def __init__(self, connection: socket.socket, lines: Iterator[bytes]) -> None:
        self._connection = connection
        self._lines = lines
        self._asked = 0
        self.until(lambda message: isinstance(message, Heap))

    def until(self, fits: Callable[[wire.FromWorker], bool]) -> wire.FromWorker:
        for line in self._lines:
            message: wire.FromWorker = wire.decode_from_worker(line)
            if fits(message):
                return message
        raise EOFError("the worker is gone")

    def _answer(self, op: type[wire.AskHeap | wire.Collect]) -> tuple[wire.FromWorker, float]:
        self._asked += 1
        asked, began = self._asked, time.perf_counter()
        self._connection.sendall(wire.encode(op(asked)) + b"\n")
        ends = (Heap, Done, Failed)
        answer = self.until(lambda told: isinstance(told, ends) and told.id == asked)
        return answer, (time.perf_counter() - began) * 1e3

    def heap(self) -> tuple[Heap, float]:
        """The figures, and milliseconds from the question to the answer."""
        answer, took_ms = self._answer(wire.AskHeap)
        assert isinstance(answer, Heap), answer
        return answer, took_ms

    def collect(self) -> float:
        """Milliseconds from the question to the answer, without the collection itself."""
        answer, took_ms = self._answer(wire.Collect)
        assert isinstance(answer, Done), answer
        assert answer.collected is not None
        return took_ms - answer.collected.pause_ms


def _environment(preload: Preload, engine: Engine) -> dict[str, str]:
    base = {key: value for key, value in os.environ.items() if key != "NODE_OPTIONS"}
    base |= {"HEAPTUI_TASK": "bench.1"}
    return environment(base, preload, engine.path, node_version=None)


def _ended(program: subprocess.Popen[bytes]) -> None:
    program.kill()
    program.wait()
    if program.stdout is not None:
        program.stdout.close()


def answers(binary: Path, name: str, env: dict[str, str], engine: Engine) -> list[Row]:
    """Latency of figures and collections in each busy state."""
    rows = []
    for state, code in BUSY.items():
        program = subprocess.Popen([binary, "-e", f"setTimeout(() => {{ {code} }}, 20)"], env=env)
        try:
            with engine.worker() as worker:
                while worker.heap()[0].main == "idle":
                    pass
                asked = [worker.heap() for _ in range(ASKED)]
                times = [took for _, took in asked]
                ages = [heap.age_ms for heap, _ in asked]
                beside = [worker.collect() for _ in range(COLLECTED)]
        finally:
            _ended(program)
        rows += [
            (
                f"{name}, {state}: heap figures, median of {ASKED} (p90; median age)",
                f"{median(times):.1f} ms ({quantile(times, 0.9):.1f}; {median(ages):.0f} ms)",
                "<= 25 ms",
            ),
            (
                f"{name}, {state}: a collection by key, without the collection itself",
                f"{median(beside):.0f} ms",
                "<= 150 ms",
            ),
        ]
    return rows


def _start(binary: Path, env: dict[str, str], engine: Engine | None) -> tuple[float, int]:
    """Milliseconds to the program's first line, and resident bytes when it has settled."""
    began = time.perf_counter()
    program = subprocess.Popen([binary, "-e", READY], env=env, stdout=subprocess.PIPE)
    try:
        assert program.stdout is not None
        assert program.stdout.read(1) == b"!"
        ready_ms = (time.perf_counter() - began) * 1e3
        if engine is None:
            time.sleep(0.1)
            return ready_ms, rss(program.pid)
        with engine.worker() as worker:
            worker.heap()
            return ready_ms, rss(program.pid)
    finally:
        _ended(program)


def start(binary: Path, name: str, env: dict[str, str], engine: Engine, more_mb: int) -> list[Row]:
    """What a start takes with and without it, in turns."""
    bare_env = {key: value for key, value in os.environ.items() if key != "NODE_OPTIONS"}
    bare, loaded = [], []
    for _ in range(STARTS):
        bare.append(_start(binary, bare_env, None))
        loaded.append(_start(binary, env, engine))
    bare_ms, loaded_ms = (median([ms for ms, _ in runs]) for runs in (bare, loaded))
    bare_mb, loaded_mb = (median([held for _, held in runs]) / MIB for runs in (bare, loaded))
    return [
        (f"yardstick: {name} without it, ready", f"{bare_ms:.1f} ms", ""),
        (f"{name} with it, ready", f"{loaded_ms - bare_ms:+.1f} ms", "<= +15 ms"),
        (f"yardstick: {name} without it, resident", f"{bare_mb:.1f} MB", ""),
        (f"{name} with it, resident", f"{loaded_mb - bare_mb:+.1f} MB", f"<= +{more_mb} MB"),
    ]


def idling(binary: Path, name: str, env: dict[str, str], engine: Engine) -> list[Row]:
    """CPU of a program that does nothing but report once a second."""
    program = subprocess.Popen([binary, "-e", IDLE], env=env)
    try:
        with engine.worker() as worker:
            worker.until(lambda told: isinstance(told, Heap) and told.id == 0)
            began, used = time.perf_counter(), cpu_s(program.pid)
            while time.perf_counter() - began < WATCHED_S:
                worker.until(lambda told: isinstance(told, Heap))
            share = (cpu_s(program.pid) - used) / (time.perf_counter() - began)
    finally:
        _ended(program)
    return [(f"{name}, idle, once a second: CPU", f"{share * 100:.2f} %", "<= 1 %")]


def run() -> list[Row]:
    rows: list[Row] = []
    found = [node.locate(dict(os.environ), Path("/")), node.wheel()]
    with tempfile.TemporaryDirectory(prefix="heaptui-bench-") as home:
        engine = Engine(Path(home))
        env = _environment(placed(Path(home)), engine)
        try:
            for binary in dict.fromkeys(path for path in found if path):
                version = subprocess.check_output([binary, "--version"], text=True).strip()
                name = f"Node {version.lstrip('v')}"
                more_mb = 18 if int(version[1:].partition(".")[0]) < 22 else 28
                rows += start(binary, name, env, engine, more_mb)
                rows += idling(binary, name, env, engine)
                rows += answers(binary, name, env, engine)
        finally:
            engine.close()
    return rows


if __name__ == "__main__":
    for what, figure, bar in run():
        print(f"{what:<90} {figure:>28}  {bar}")
