"""Finding the supervisor of a state directory, and starting one in the background."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heaptui.errors import HeaptuiError, Unreachable
from heaptui.paths import StateDir

_START_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.02
_LOG_BYTES = 256 << 10


def serve_argv(state: StateDir) -> list[str]:
    """How the warden, or a command, brings up a supervisor that ends when nothing is left."""
    return [
        sys.executable, "-m", "heaptui", "--state", str(state.root), "serve", "--until-idle",
    ]  # fmt: skip


def answers(state: StateDir) -> bool:
    """Whether a supervisor accepts connections on this state directory."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(os.fspath(state.socket("supervisor")))
        except OSError:
            return False
    return True


def ensure_served(state: StateDir) -> None:
    """Starts a supervisor in the background where none serves; it ends when nothing is left.

    Commands that come at the same moment start one between them. One that is just leaving is
    waited for: a supervisor that finds the place taken ends without a word, and is started again.

    Raises:
        HeaptuiError: it could not start; with its own words.
    """
    if answers(state):
        return
    deadline = time.monotonic() + _START_WITHIN_S
    with _alone(state, deadline):
        while not answers(state):
            _start(state, deadline)


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


def _start(state: StateDir, deadline: float) -> None:
    """Starts one and waits until it answers or has ended without an error."""
    log = state.supervisor_log
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(handle).st_size > _LOG_BYTES:
            os.ftruncate(handle, 0)
        before = os.fstat(handle).st_size
        child = subprocess.Popen(
            serve_argv(state),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(handle)
    while not answers(state):
        code = child.poll()
        if code == 0:
            break
        if code is not None:
            raise _not_started(log, before, code)
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_EVERY_S)
    if time.monotonic() > deadline and not answers(state):
        raise _silent(state)


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
    lines = [line.removeprefix("heaptui: ") for line in words.splitlines()] or ["no word"]
    for kind in HeaptuiError.__subclasses__():
        if kind.exit_code == code:
            return kind(lines[0], "\n".join(line.strip() for line in lines[1:]))
    return Unreachable(f"The supervisor could not start (exit {code}): {lines[-1]}", f"See {log}.")
