"""Finding the supervisor of a state directory, and starting one in the background."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from heaptui.client import HAND_OVER_S
from heaptui.errors import FAMILY, HeaptuiError, Unreachable
from heaptui.paths import StateDir

_START_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.02
_LOOK_AT_WARDEN_EVERY_S = 0.1
_PLACE_TAKEN_S = 0.5
"""Until another is started where one found the place taken, and nobody answers there."""

_LOG_BYTES = 256 << 10
_RULE = " |+-"
"""What the rules and margins of a trace are drawn with."""


def serve_argv(state: StateDir, config_path: Path | None) -> list[str]:
    """How the warden, or a command, brings up a supervisor that ends when nothing is left.

    `config_path`: the configuration that was named, None: the usual one.
    """
    named = [] if config_path is None else ["--config", str(config_path.absolute())]
    return [
        sys.executable, "-m", "heaptui", "--state", str(state.root), *named,
        "serve", "--until-idle",
    ]  # fmt: skip


def answers(state: StateDir) -> bool:
    """Whether a supervisor accepts connections on this state directory."""
    return _accepts(state.socket("supervisor"))


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        try:
            connection.connect(os.fspath(path))
        except BlockingIOError:
            # somebody is there, and so far behind that its queue is full
            return True
        except OSError:
            return False
    return True


def inside_task() -> bool:
    """Whether this process belongs to a task: what it starts is in the task's group and ends with
    it."""
    return "HEAPTUI_TASK" in os.environ


def ensure_served(state: StateDir, config_path: Path | None = None) -> None:
    """Starts a supervisor in the background where none serves; it ends when nothing is left.

    Where a warden lives its own start is waited for, inside a task for as long as it takes.
    Commands that come at the same moment start one between them. One that is just leaving is
    waited for: a supervisor that finds the place taken ends without a word, and is started again.

    Raises:
        HeaptuiError: it could not start; with its own words.
    """
    if answers(state):
        return
    deadline = time.monotonic() + _START_WITHIN_S
    _let_warden(state, deadline if inside_task() else time.monotonic() + HAND_OVER_S)
    with _alone(state, deadline):
        while not answers(state):
            if inside_task():
                _let_warden(state, deadline)
            _start(state, config_path, deadline)


def _let_warden(state: StateDir, deadline: float) -> None:
    """Until a supervisor answers, or no warden is there to bring one up, or the deadline.

    Raises:
        Unreachable: inside a task, the deadline: nothing may be started beside the warden.
    """
    look_at = 0.0
    while not answers(state):
        now = time.monotonic()
        if now >= look_at:
            # it writes down each who comes: not too often
            look_at = now + _LOOK_AT_WARDEN_EVERY_S
            if not _accepts(state.socket("warden")):
                return
        if now > deadline:
            if inside_task():
                raise _silent(state)
            return
        time.sleep(_LOOK_EVERY_S)


@contextmanager
def _alone(state: StateDir, deadline: float) -> Iterator[None]:
    """Nobody else who also takes this turn starts a supervisor meanwhile."""
    handle = os.open(state.root / "starting.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if answers(state):
                    break
                time.sleep(_LOOK_EVERY_S)
        yield
    finally:
        os.close(handle)


def _start(state: StateDir, config_path: Path | None, deadline: float) -> None:
    """Starts one and waits until it answers, or has found the place taken."""
    log = state.supervisor_log
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(handle).st_size > _LOG_BYTES:
            os.ftruncate(handle, 0)
        before = os.fstat(handle).st_size
        child = subprocess.Popen(
            serve_argv(state, config_path),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            cwd="/",
            env=_without_marks(os.environ),
            start_new_session=True,
        )
    finally:
        os.close(handle)
    again: float | None = None
    while not answers(state):
        code = child.poll()
        if code == 0:
            # whoever holds the place may be about to answer, or to leave it
            again = again or time.monotonic() + _PLACE_TAKEN_S
        elif code is not None:
            raise _not_started(log, before, code)
        if time.monotonic() > min(deadline, again or deadline):
            break
        time.sleep(_LOOK_EVERY_S)
    if time.monotonic() > deadline and not answers(state):
        raise _silent(state)


def _without_marks(environment: Mapping[str, str]) -> dict[str, str]:
    """What a supervisor inherits: it must not be taken for a part of the task it came from."""
    return {
        key: value
        for key, value in environment.items()
        if not key.startswith("HEAPTUI_TASK") and key != "HEAPTUI_ATTEMPT"
    }


def _silent(state: StateDir) -> HeaptuiError:
    """Somebody holds the place and does not answer."""
    try:
        holder = state.supervisor_lock.read_text().strip()
    except OSError:
        holder = ""
    return Unreachable(
        f"The supervisor of {state.root}{f' (pid {holder})' if holder else ''} does not answer.",
        f"Its words are in {state.supervisor_log}. It is safe to kill it: live tasks go on, and "
        "the next command brings up another.",
    )


def _not_started(log: Path, offset: int, code: int) -> HeaptuiError:
    """The supervisor's last words as the error that they were."""
    with log.open("rb") as file:
        file.seek(offset)
        words = file.read(4000).decode(errors="replace").strip()
    return _error_of(words, code, log)


def _error_of(words: str, code: int, log: Path) -> HeaptuiError:
    # of a group's trace the last lines are rules, which say nothing
    lines = [line for line in words.splitlines() if line.strip(_RULE)] or ["no word"]
    lines = [line.removeprefix("heaptui: ") for line in lines]
    for kind in FAMILY.values():
        if kind is not HeaptuiError and kind.exit_code == code:
            return kind(lines[0], "\n".join(line.strip() for line in lines[1:]))
    return Unreachable(
        f"The supervisor could not start (exit {code}): {lines[-1].strip(_RULE)}", f"See {log}."
    )
