import os
import select
import signal
import subprocess

import pytest
from msgspec.structs import replace

from heaptui.memory.identity import alive, boot_id, identify, open_pidfd, send


@pytest.fixture
def sleeper():
    child = subprocess.Popen(["sleep", "600"])
    yield child
    child.kill()
    child.wait()


def test_a_process_is_identified_and_alive(sleeper) -> None:
    identity = identify(sleeper.pid)
    assert identity is not None
    assert identity.boot_id == boot_id()
    assert identity == identify(sleeper.pid)
    assert alive(identity)


def test_a_zombie_is_not_alive(sleeper) -> None:
    identity = identify(sleeper.pid)
    assert identity is not None
    sleeper.kill()
    # wait for its end without reaping it
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(identity)
    assert identify(sleeper.pid) is None
    assert open_pidfd(identity) is None
    assert not send(identity, signal.SIGTERM)


def test_no_process_has_no_identity(sleeper) -> None:
    identity = identify(sleeper.pid)
    assert identity is not None
    sleeper.kill()
    sleeper.wait()
    assert identify(sleeper.pid) is None
    assert not alive(identity)
    assert not send(identity, signal.SIGTERM)


def test_a_later_process_with_the_same_pid_is_neither_alive_nor_signalled(sleeper) -> None:
    identity = identify(sleeper.pid)
    assert identity is not None
    for earlier in (
        replace(identity, start=identity.start - 1),
        replace(identity, boot_id="another boot"),
    ):
        assert not alive(earlier)
        assert open_pidfd(earlier) is None
        assert not send(earlier, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_signal_reaches_the_right_process(sleeper) -> None:
    identity = identify(sleeper.pid)
    assert identity is not None
    assert send(identity, signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no pidfds here")
def test_a_pidfd_tells_of_the_end(sleeper) -> None:
    identity = identify(sleeper.pid)
    assert identity is not None
    fd = open_pidfd(identity)
    assert fd is not None
    try:
        assert select.select([fd], [], [], 0)[0] == []
        sleeper.kill()
        assert select.select([fd], [], [], 30)[0] == [fd]
    finally:
        os.close(fd)
