"""Real processes and real groups, all gone at the end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from heaptui.memory.cgroups import Group, Groups, probe
from heaptui.memory.identity import identify, send
from heaptui.model import Identity

DEADLINE_S = 30.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Waits for a state, not for a time."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never happened: {what}")
        time.sleep(0.005)


class Program:
    """A Python program in a session of its own. It says things by lines and is told to go on by
    lines."""

    def __init__(self, source: str, *, group: Group | None, env: dict[str, str]) -> None:
        joins = group.join if group is not None else ()
        prelude = "".join(f"open({path!r}, 'w').write('0')\n" for path in joins)
        tell = "import sys, os, time\ndef say(*words): print(*words, flush=True)\n"
        self.child = subprocess.Popen(
            [sys.executable, "-c", prelude + tell + source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | env,
        )
        identity = identify(self.child.pid)
        assert identity is not None
        self.identity = identity

    def hear(self) -> list[str]:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        assert line, "the program ended instead of saying something"
        return line.split()

    def go_on(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def end(self) -> None:
        """Ends it with its children; a test that lets a daemon go gives it to `to_end`."""
        if self.child.poll() is None:
            for below in psutil.Process(self.child.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    below.kill()
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    begun: list[Program] = []

    def start(source: str, group: Group | None = None, **env: str) -> Program:
        begun.append(Program(source, group=group, env=env))
        return begun[-1]

    yield start
    for program in begun:
        program.end()


@pytest.fixture
def to_end() -> Iterator[list[Identity]]:
    """Processes that lost their parent: whatever a test leaves of them is killed."""
    left: list[Identity] = []
    yield left
    for identity in left:
        send(identity, signal.SIGKILL)


@pytest.fixture
def groups() -> Iterator[Groups]:
    found = probe(f"test-{uuid.uuid4().hex[:12]}")
    yield found
    for home in found._homes():
        for path in [path for path in home.glob("*.*") if path.is_dir()]:
            group = found.reopen(path.name.rpartition(".")[0], int(path.suffix[1:]))
            if group is not None:
                group.kill()
                wait_until(group.remove, f"{path} empty")
                group.close()
    found.close()
    assert not any(Path(home).exists() for home in found._homes())
