"""The supervisor's line to the warden: finds it, starts it where there is none, speaks its JSON.

The warden outlives whoever started it, so it is started in a session of its own, with an
environment that holds no secret of the shell it happens to come from.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

import heaptui
from heaptui.engine.base import LaunchSpec
from heaptui.engine.plan import RunPlan, data_limit
from heaptui.errors import Unreachable
from heaptui.paths import StateDir

LINE_MAX = 64 << 20
ORDER_MAX = 8 << 20
"""The longest line that a warden reads: no kernel takes a command of that length anyway."""

START_WITHIN_S = 10.0
_TRY_AGAIN_S = 0.02
_CARRIED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR",
    "DBUS_SESSION_BUS_ADDRESS", "PYTHONDONTWRITEBYTECODE",
)  # fmt: skip
_CARRIED_PREFIXES = ("LC_", "XDG_", "HEAPTUI_")


class LiveRun(Struct, frozen=True):
    """An attempt the warden watches."""

    task: str
    attempt: int
    pid: int
    start: int
    at: float


class RunStarted(Struct, frozen=True, tag="started", tag_field="ev"):
    """The command was executed."""

    task: str
    attempt: int
    pid: int
    start: int
    at: float


class RunEnded(Struct, frozen=True, tag="ended", tag_field="ev", kw_only=True):
    """It ended, or could not be executed; sent again until acknowledged.

    `how` is waitpid, pidfd or unseen; `why` says what unseen means: reboot or unwatched.
    """

    task: str
    attempt: int
    at: float
    pid: int | None = None
    start: int | None = None
    code: int | None = None
    signal: int | None = None
    error: str | None = None
    how: str = "waitpid"
    why: str | None = None
    maxrss: int | None = None


class WardenState(Struct, frozen=True, tag="state", tag_field="ev"):
    """The answer to hello: everything the warden holds."""

    warden: int
    boot: str
    live: list[LiveRun]
    ended: list[RunEnded]


_decode_state = msgspec.json.Decoder(WardenState).decode
_decode_event = msgspec.json.Decoder(RunStarted | RunEnded).decode
_encode = msgspec.json.Encoder().encode


def spawn_order(spec: LaunchSpec, plan: RunPlan, join: Sequence[str], oom_score_adj: int) -> bytes:
    """The line that tells the warden to start an attempt; `join`: its groups' member files.

    Raises:
        ValueError: it cannot be told: text that is no Unicode, or more than the warden reads.
    """
    data = data_limit(plan, plan.cap_bytes)
    order = {
        "op": "spawn",
        "task": spec.task_id,
        "attempt": plan.attempt,
        "argv": spec.argv,
        "cwd": spec.cwd,
        "env": spec.env,
        "out": spec.output,
        "join": join,
        "rlimits": {} if data is None else {"DATA": data},
        "oom_score_adj": oom_score_adj,
    }
    line = _encode(order) + b"\n"
    if len(line) > ORDER_MAX:
        raise ValueError(
            f"its command and environment take {len(line)} bytes of at most {ORDER_MAX}"
        )
    return line


class WardenLink:
    """One connection at a time; `connect` again after `messages` came to its end.

    `wrap` is put before the command of a warden that is started here, which has `patience_s` to
    answer.
    """

    def __init__(
        self,
        state: StateDir,
        supervisor_id: str,
        serve_argv: Sequence[str],
        patience_s: float = START_WITHIN_S,
    ) -> None:
        self._state = state
        self._supervisor_id = supervisor_id
        self._serve_argv = list(serve_argv)
        self._patience_s = patience_s
        self.wrap: Sequence[str] = ()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._child: subprocess.Popen[bytes] | None = None

    async def connect(self) -> WardenState:
        """Says hello to the warden, starting one where none answers.

        Raises:
            Unreachable: none could be started, or it does not answer; its log says why.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        started = False
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._hello()
            except (OSError, EOFError, ValueError) as error:
                if loop.time() > deadline:
                    raise Unreachable(
                        f"The warden does not answer within {self._patience_s:g} s"
                        f" ({str(error) or type(error).__name__}).",
                        f"See {self._state.warden_log}.",
                    ) from error
                if not self._state.root.is_dir():
                    raise Unreachable(
                        f"The state directory {self._state.root} was deleted.",
                        "What runs is left alone; end this supervisor and start another one.",
                    ) from error
                if not started or (self._child is not None and self._child.poll() is not None):
                    self._start()
                    started = True
                await asyncio.sleep(_TRY_AGAIN_S)

    async def _hello(self) -> WardenState:
        path = os.fspath(self._state.socket("warden"))
        self._reader, self._writer = await asyncio.open_unix_connection(path, limit=LINE_MAX)
        try:
            self.post({"op": "hello", "supervisor": self._supervisor_id, "pid": os.getpid()})
            await self._writer.drain()
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise EOFError("it closed the connection")
            return _decode_state(line)
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        script = Path(heaptui.__file__).with_name("warden") / "__main__.py"
        argv = [
            *self.wrap,
            sys.executable, "-I", "-S", "-X", "frozen_modules",
            str(script),
            str(self._state.root),
            str(self._state.socket("warden")),
            json.dumps(self._serve_argv),
        ]  # fmt: skip
        env = {
            key: value
            for key, value in os.environ.items()
            if key in _CARRIED or key.startswith(_CARRIED_PREFIXES)
        }
        for task_marker in ("HEAPTUI_TASK", "HEAPTUI_TASK_ID", "HEAPTUI_TASK_NAME"):
            env.pop(task_marker, None)
        try:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=env,
                start_new_session=True,
            )
        except OSError as error:  # no room for a process, or the interpreter is being replaced
            raise Unreachable(
                f"The warden cannot be started by {argv[0]}: {error.strerror or error}.",
                "What runs goes on; make room for processes, or mend the installation.",
            ) from error

    def post(self, message: dict[str, Any]) -> None:
        self.send(_encode(message) + b"\n")

    def send(self, line: bytes) -> None:
        """Without waiting. Where there is no connection it is dropped: whoever needs it says it
        again after the next hello."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(line)

    async def messages(self) -> AsyncIterator[RunStarted | RunEnded]:
        """What the warden says, until the connection ends."""
        reader = self._reader
        while reader is not None:
            try:
                line = await reader.readline()
                if not line.endswith(b"\n"):
                    break
                message = _decode_event(line)
            except (OSError, ValueError):  # it is gone, or speaks another version's language
                break
            yield message
        self.close()

    def close(self) -> None:
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            with suppress(OSError):
                writer.close()
        if self._child is not None:
            # reaps it if it has ended; a warden that lives on is nobody's concern here
            self._child.poll()
