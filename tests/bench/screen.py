"""The screen through a real pseudo-terminal: CPU and bytes a tick, idle bytes, key to paint.

1,000 rows of which 10 % change each tick, at 80x24, against a Textual `DataTable` that is told the
same by `update_cell` in the same run.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator

import msgspec

ROWS, CHANGING, TICKS, TICK_S = 1000, 100, 20, 0.25
KEYS = 150
IDLE_S = 3.0
_START_S = 20.0


# --- the child: an app that is told what to do by its own clock ------------------------------
def _script(tick: Callable[[int], None], say: Callable[[str, float], None]) -> Callable[[], object]:
    """Waits, idles, ticks, and says where it is, with the CPU seconds it has used."""

    async def play() -> None:
        await asyncio.sleep(2.0)
        say("idle", time.process_time())
        await asyncio.sleep(IDLE_S)
        say("ticks", time.process_time())
        for n in range(TICKS):
            tick(n)
            await asyncio.sleep(TICK_S)
        await asyncio.sleep(0.3)
        say("keys", time.process_time())

    return play


def _changed(n: int) -> list[object]:
    """The rows that differ in tick `n`: every tenth, another tenth each time."""
    from tests.terminal import fake_operator

    rows = fake_operator.many(ROWS)[n % 10 :: ROWS // CHANGING]
    return [
        msgspec.structs.replace(
            row,
            memory_bytes=(row.memory_bytes or 0) + (n + 1) * (1 << 20),
            growth_bytes_per_min=float((n % 5 + 1) << 20),
            cpu_percent=float((n * 7) % 100),
        )
        for row in rows
    ]


def _heaptui(say: Callable[[str, float], None]) -> None:
    from heaptui.tui import early

    early.prepare()
    from heaptui.protocol import Change
    from heaptui.tui.app import HeaptuiApp
    from heaptui.tui.remembered import Remembered
    from tests.terminal import fake_operator

    operator = fake_operator.FakeOperator(fake_operator.picture(fake_operator.many(ROWS)))
    changes = [_changed(n) for n in range(TICKS)]

    def tick(n: int) -> None:
        operator.send(Change(at=fake_operator.NOW, rows=changes[n]))  # type: ignore[arg-type]

    class Played(HeaptuiApp, inherit_bindings=True):
        def on_ready(self) -> None:
            self.run_worker(_script(tick, say)())  # type: ignore[arg-type]

    Played(
        operator,
        state_label="bench",
        theme="dark",
        ascii=False,
        keys={},
        remembered=Remembered(),
        embedded=True,
        clock=fake_operator.now,
    ).run()


def _data_table(say: Callable[[str, float], None]) -> None:
    from heaptui.tui import early

    early.prepare()
    from textual.app import App, ComposeResult
    from textual.widgets import DataTable

    from heaptui import units
    from tests.terminal import fake_operator

    names = ("name", "memory", "cap", "peak", "growth", "cpu", "age", "tries", "kind", "pid")
    changes = [_changed(n) for n in range(TICKS)]

    class Yardstick(App[None]):
        def compose(self) -> ComposeResult:
            yield DataTable()

        def on_ready(self) -> None:
            table = self.query_one(DataTable)
            table.cursor_type = "row"
            for name in names:
                table.add_column(name, key=name, width=7)
            for row in fake_operator.many(ROWS):
                table.add_row(*(str(getattr(row, name, "")) for name in names), key=row.id)

            def tick(n: int) -> None:
                for row in changes[n]:
                    table.update_cell(row.id, "memory", units.size(row.memory_bytes))  # type: ignore[attr-defined]
                    table.update_cell(row.id, "growth", units.growth(row.growth_bytes_per_min))  # type: ignore[attr-defined]
                    table.update_cell(row.id, "cpu", f"{row.cpu_percent:.0f}%")  # type: ignore[attr-defined]

            self.run_worker(_script(tick, say)())  # type: ignore[arg-type]

    Yardstick().run()


def child(which: str, pipe: int) -> None:
    """Runs one of the two; every mark is a line of JSON on `pipe`."""

    def say(mark: str, cpu: float) -> None:
        os.write(pipe, json.dumps([mark, cpu]).encode() + b"\n")

    {"heaptui": _heaptui, "datatable": _data_table}[which](say)


# --- the parent: a terminal that counts ------------------------------------------------------
class _Terminal:
    """The other end of the pseudo-terminal, of 80x24 cells."""

    def __init__(self, which: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.marks, pipe = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.screen", which, str(pipe)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=(pipe,),
            env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
        )
        os.close(slave)
        os.close(pipe)
        self.read = 0
        self.cpu: dict[str, float] = {}
        self.bytes: dict[str, int] = {}

    def until(self, mark: str) -> None:
        """Reads what is painted until the child says `mark`."""
        deadline = time.monotonic() + _START_S
        while mark not in self.cpu:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the app did not come to {mark!r}")
            ready, _, _ = select.select([self.master, self.marks], [], [], 0.5)
            if self.master in ready:
                self.read += len(os.read(self.master, 1 << 16))
            elif self.marks in ready:
                for line in os.read(self.marks, 4096).splitlines():
                    name, cpu = json.loads(line)
                    self.cpu[name], self.bytes[name] = cpu, self.read

    def key(self, key: bytes) -> float:
        """Seconds from the key to the first byte painted, then waits until all is."""
        begun = time.perf_counter()
        os.write(self.master, key)
        if not select.select([self.master], [], [], 2.0)[0]:
            raise TimeoutError("no paint after a key")
        took = time.perf_counter() - begun
        while select.select([self.master], [], [], 0.03)[0]:
            os.read(self.master, 1 << 16)
        return took

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.marks)


def _measure(which: str) -> tuple[float, float, float, list[float]]:
    """CPU ms a tick, bytes a tick, idle bytes a second, and seconds from key to paint."""
    terminal = _Terminal(which)
    try:
        terminal.until("keys")
        cpu, count = terminal.cpu, terminal.bytes
        idle_cpu = (cpu["ticks"] - cpu["idle"]) / IDLE_S * (TICKS * TICK_S + 0.3)
        per_tick = (cpu["keys"] - cpu["ticks"] - idle_cpu) / TICKS * 1000
        keys = [terminal.key(key) for key in _keys()]
    finally:
        terminal.close()
    return (
        per_tick,
        (count["keys"] - count["ticks"]) / TICKS,
        (count["ticks"] - count["idle"]) / IDLE_S,
        keys,
    )


def _keys() -> Iterator[bytes]:
    for n in range(KEYS):
        yield b"k" if n % 40 > 30 else b"j"


def run() -> list[tuple[str, str, str]]:
    """What was measured, the figure, and the bar or the yardstick beside it."""
    ours = _measure("heaptui")
    yardstick = _measure_without_keys("datatable")
    keys = sorted(ours[3])
    p50, p95 = statistics.median(keys) * 1000, keys[int(len(keys) * 0.95)] * 1000
    what = f"{ROWS:,} rows, {CHANGING} changing, 80x24"
    return [
        (
            f"table tick, CPU ({what})",
            f"{ours[0]:.1f} ms",
            f"<= 25 ms; DataTable {yardstick[0]:.0f} ms",
        ),
        (
            f"table tick, bytes ({what})",
            f"{ours[1]:,.0f}",
            f"<= 2,048; DataTable {yardstick[1]:,.0f}",
        ),
        ("bytes a second when nothing changes", f"{ours[2]:.0f}", "0"),
        (
            f"cursor key to paint at {ROWS:,} rows",
            f"p50 {p50:.1f} ms, p95 {p95:.1f} ms",
            "p50 <= 10 ms, p95 <= 40 ms",
        ),
    ]


def _measure_without_keys(which: str) -> tuple[float, float]:
    terminal = _Terminal(which)
    try:
        terminal.until("keys")
        cpu, count = terminal.cpu, terminal.bytes
        idle_cpu = (cpu["ticks"] - cpu["idle"]) / IDLE_S * (TICKS * TICK_S + 0.3)
        ticked = cpu["keys"] - cpu["ticks"] - idle_cpu
        return ticked / TICKS * 1000, (count["keys"] - count["ticks"]) / TICKS
    finally:
        terminal.close()


if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]))
