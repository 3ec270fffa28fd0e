"""The warden: what a supervisor may rely on, with real processes on the real kernel."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from heaptui.warden.system import peer_uid, start_of
from tests.integration.warden_client import DEADLINE_S, Bench, alive, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SERVE = """
import json, os, socket, sys
with open("served", "a") as file:
    print(os.getpid(), os.getsid(0), os.readlink("/proc/self/fd/0"), file=file)
if "silent" in sys.argv:
    sys.exit(3)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(b'{"op":"hello","supervisor":"served","pid":0}\\n')
for line in connection.makefile("rb"):
    event = json.loads(line)
    for ended in event.get("ended", [event] if event["ev"] == "ended" else []):
        ack = {"op": "ack", "task": ended["task"], "attempt": ended["attempt"]}
        connection.sendall(json.dumps(ack).encode() + b"\\n")
        connection.sendall(b'{"op":"unended","n":0}\\n')
        sys.exit(0)
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A state directory whose warden starts `true` when it wants a supervisor."""
    bench = Bench(tmp_path, ["/bin/true"])
    yield bench
    bench.clean_up()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Bench]:
    """One whose supervisor notes that it was started, connects, and acknowledges one end."""
    (tmp_path / "serve.py").write_text(SERVE)
    bench = Bench(tmp_path, [sys.executable, str(tmp_path / "serve.py"), str(tmp_path / "w.sock")])
    yield bench
    bench.clean_up()


def served(bench: Bench) -> list[str]:
    path = bench.state / "served"
    return path.read_text().splitlines() if path.exists() else []


def test_an_operator_recognises_it_among_the_processes(bench: Bench) -> None:
    bench.open()
    shown = subprocess.run(
        ["ps", "-ww", "-o", "comm=,args=", "-p", str(bench.pid)], check=True, capture_output=True
    ).stdout.decode()
    assert shown.split()[0] == "heaptui-warden"
    assert "/heaptui/warden/" in shown


# --- starting and ending


def test_an_exit_code_arrives_with_what_it_cost(bench: Bench) -> None:
    c = bench.open()
    c.spawn("a", "sh", "-c", "exit 7", out=bench.state / "a.log")
    started = c.next("started", "a")
    ended = c.next("ended", "a")
    assert (ended["code"], ended["signal"], ended["error"]) == (7, None, None)
    assert ended["how"] == "waitpid"
    assert (ended["pid"], ended["start"]) == (started["pid"], started["start"])
    assert ended["maxrss"] > 0
    assert time.time() - 60 < started["at"] <= ended["at"] <= time.time()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_signal_is_told_as_a_signal(bench: Bench, number: signal.Signals) -> None:
    c = bench.open()
    c.spawn("a", "sleep", "60", out="/dev/null")
    os.kill(c.next("started")["pid"], number)
    ended = c.next("ended")
    assert (ended["code"], ended["signal"], ended["error"]) == (None, number, None)


def test_the_start_is_the_process_s_own(bench: Bench) -> None:
    c = bench.open()
    c.spawn("a", "sleep", "60", out="/dev/null")
    started = c.next("started")
    raw = Path(f"/proc/{started['pid']}/stat").read_text().rpartition(")")[2].split()[19]
    assert started["start"] == int(raw)


def test_stdout_and_stderr_go_to_the_file_in_order_and_it_is_private(bench: Bench) -> None:
    out = bench.state / "a.log"
    out.write_text("before\n")
    out.chmod(0o600)
    c = bench.open()
    c.spawn("a", "sh", "-c", "echo one; echo two >&2; echo three", out=out)
    c.spawn("b", "true", out=bench.state / "b.log")
    c.next("ended", "a")
    assert out.read_text() == "before\none\ntwo\nthree\n"
    c.next("ended", "b")
    assert stat.S_IMODE((bench.state / "b.log").stat().st_mode) == 0o600


def test_a_worker_gets_nothing_of_the_warden_s(bench: Bench) -> None:
    """Stdin from /dev/null, a session of its own, no descriptors, signals and limits as usual."""
    out = bench.state / "a.log"
    tell = (
        "import os, resource, signal, json; print(json.dumps({"
        "'fds': sorted(map(int, os.listdir('/proc/self/fd')))[:-1],"
        "'stdin': os.readlink('/proc/self/fd/0'), 'sid': os.getsid(0), 'pid': os.getpid(),"
        "'ppid': os.getppid(), 'cwd': os.getcwd(), 'env': dict(os.environ),"
        "'files': resource.getrlimit(resource.RLIMIT_NOFILE),"
        "'umask': os.umask(0),"
        "'masks': [l.split()[1] for l in open('/proc/self/status') if l[:6] in "
        "('SigBlk', 'SigIgn')]}))"
    )
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    try:
        c = bench.open()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    env = {"PATH": "/bin", "TOKEN": "s"}
    c.spawn("a", sys.executable, "-I", "-c", tell, out=out, cwd=str(bench.state), env=env)
    c.next("ended")
    told = json.loads(out.read_text())
    assert told["fds"] == [0, 1, 2]
    assert told["stdin"] == "/dev/null"
    assert told["sid"] == told["pid"]
    assert told["ppid"] == bench.pid
    assert told["cwd"] == str(bench.state)
    os.umask(umask := os.umask(0o77))
    assert told["umask"] == umask
    assert {k: v for k, v in told["env"].items() if k != "LC_CTYPE"} == env
    assert told["files"] == [200, limits[1]]
    assert resource.prlimit(bench.pid, resource.RLIMIT_NOFILE)[0] > 200
    blocked, ignored = (int(mask, 16) for mask in told["masks"])
    of_python = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
    # the C library keeps 32 and 33 for itself: nobody who uses it can put them back
    of_libc = 0b11 << 31
    assert blocked & ~of_libc == 0
    assert ignored & ~(of_python | of_libc) == 0


def test_the_command_is_found_by_the_task_s_own_path(bench: Bench) -> None:
    there = bench.state / "bin"
    there.mkdir()
    tool = there / "only-here"
    tool.write_text("#!/bin/sh\nexit 9\n")
    tool.chmod(0o700)
    c = bench.open()
    c.spawn("a", "only-here", out="/dev/null", env={"PATH": f"/nowhere:{there}"})
    assert c.next("ended")["code"] == 9


def test_limits_and_the_oom_score_are_in_force(bench: Bench) -> None:
    out = bench.state / "a.log"
    c = bench.open()
    c.spawn(
        "a",
        "sh",
        "-c",
        "cat /proc/self/oom_score_adj; ulimit -d",
        out=out,
        rlimits={"DATA": 512 << 20},
        oom_score_adj=500,
    )
    assert c.next("ended")["code"] == 0
    assert out.read_text().split() == ["500", str(512 << 10)]


def test_an_oom_score_that_is_higher_already_is_not_lowered(bench: Bench) -> None:
    c = bench.open()
    Path(f"/proc/{bench.pid}/oom_score_adj").write_text("700")
    out = bench.state / "a.log"
    c.spawn("a", "cat", "/proc/self/oom_score_adj", out=out, oom_score_adj=500)
    assert c.next("ended", "a")["code"] == 0
    assert out.read_text() == "700\n"


def test_a_worker_is_in_its_groups_before_it_executes(bench: Bench) -> None:
    joined = bench.state / "cgroup.procs"
    joined.touch()
    c = bench.open()
    c.spawn("a", "grep", "-q", "^0$", str(joined), out="/dev/null", join=[str(joined)])
    assert c.next("ended")["code"] == 0


# --- what cannot be executed


def not_executable(state: Path) -> Path:
    (state / "plain").write_text("data")
    return state / "plain"


def without_interpreter(state: Path) -> Path:
    script = state / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o700)
    return script


REFUSALS: dict[str, tuple[Callable[[Path], dict[str, object]], str]] = {
    "no such command": (
        lambda s: {"argv": ["no-such-command"]},
        "cannot execute 'no-such-command': No such file or directory",
    ),
    "not executable": (
        lambda s: {"argv": [str(not_executable(s))]},
        "cannot execute '{state}/plain': Permission denied",
    ),
    "no interpreter": (
        lambda s: {"argv": [str(without_interpreter(s))]},
        "cannot execute '{state}/script': the interpreter that it names is missing",
    ),
    "no directory": (
        lambda s: {"cwd": "/no/such/place"},
        "cannot enter the directory '/no/such/place': No such file or directory",
    ),
    "no output": (
        lambda s: {"out": "/no/such/place/out"},
        "cannot open the output '/no/such/place/out': No such file or directory",
    ),
    "no group": (
        lambda s: {"join": ["/no/cgroup.procs"]},
        "cannot join the memory group '/no/cgroup.procs': No such file or directory",
    ),
    "no such limit": (
        lambda s: {"rlimits": {"NONSENSE": 1}},
        "cannot set the limit NONSENSE to 1: module 'resource' has no attribute 'RLIMIT_NONSENSE'",
    ),
    "a limit beyond all measure": (
        lambda s: {"rlimits": {"DATA": 1 << 70}},
        f"cannot set the limit DATA to {1 << 70}: Python int too large to convert to C long",
    ),
    "arguments too long": (
        lambda s: {"argv": ["true", "x" * (3 << 20)]},
        "cannot execute 'true': Argument list too long",
    ),
    "a null byte": (
        lambda s: {"argv": ["true", "a\0b"]},
        "cannot execute 'true': embedded null byte",
    ),
    "nothing to execute": (
        lambda s: {"argv": []},
        "cannot execute '': execve: argv must not be empty",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_executed_ends_with_the_reason(bench: Bench, case: str) -> None:
    change, sentence = REFUSALS[case]
    c = bench.open()
    order: dict[str, object] = {"argv": ["true"], "cwd": "/", "env": {"PATH": "/usr/bin:/bin"}}
    order |= {"out": "/dev/null"} | change(bench.state)
    c.say(op="spawn", task="a", attempt=1, **order)
    ended = c.next("ended")
    assert ended["error"] == sentence.format(state=bench.state)
    assert (ended["code"], ended["signal"]) == (None, None)
    assert not any(event["ev"] == "started" for event in c.seen)


# --- telling, exactly once until acknowledged


def test_a_spawn_said_twice_starts_once(bench: Bench) -> None:
    out = bench.state / "a.log"
    c = bench.open()
    command = ("sh", "-c", "echo ran; read x <fifo")
    os.mkfifo(bench.state / "fifo")
    c.spawn("a", *command, out=out, cwd=str(bench.state))
    first = c.next("started")
    c.spawn("a", *command, out=out, cwd=str(bench.state))
    assert c.next("started") == first
    (bench.state / "fifo").write_text("go\n")
    ended = c.next("ended")
    c.spawn("a", *command, out=out, cwd=str(bench.state))
    assert c.next("ended") == ended
    assert out.read_text() == "ran\n"


def test_an_end_is_told_at_every_hello_until_it_is_acknowledged(bench: Bench) -> None:
    c = bench.open()
    c.spawn("a", "sh", "-c", "exit 3", out="/dev/null")
    ended = c.next("ended")
    assert c.hello()["ended"] == [ended]
    second = bench.connect("second")
    assert second.hello()["ended"] == [ended]
    second.ack(ended)
    assert second.hello()["ended"] == []


def test_what_lives_is_in_the_state(bench: Bench) -> None:
    c = bench.open()
    c.spawn("a", "sleep", "60", out="/dev/null")
    started = c.next("started")
    state = c.hello()
    assert state["live"] == [{k: v for k, v in started.items() if k != "ev"}]
    assert state["warden"] == bench.pid
    assert state["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_newer_supervisor_replaces_the_older(bench: Bench) -> None:
    older = bench.open()
    newer = bench.connect("newer")
    newer.hello()
    assert older.receive() is None
    newer.spawn("a", "true", out="/dev/null")
    assert newer.next("ended")["code"] == 0


def test_one_that_is_replaced_may_have_spoken_at_the_same_moment(bench: Bench) -> None:
    """The warden sees both at once, the newcomer first."""
    older = bench.open()
    newer = bench.connect("newer")
    refused = bench.connect("refused")
    refused.say(op="unended", n=0)
    assert refused.receive() is None, "so both connections before it were accepted"
    os.kill(bench.pid, signal.SIGSTOP)
    newer.say(op="hello", supervisor="newer", pid=os.getpid())
    older.spawn("a", "true", out="/dev/null")
    os.kill(bench.pid, signal.SIGCONT)
    newer.next("state")
    newer.spawn("b", "true", out="/dev/null")
    assert newer.next("ended", "b")["code"] == 0


def test_who_says_nonsense_is_hung_up_on_and_the_warden_goes_on(bench: Bench) -> None:
    c = bench.open()
    nested = b"[" * 200_000
    for line in (
        nested,
        b"{torn",
        b"[]",
        b'{"op":"spawn"}',
        b'{"op":"fly"}',
        b'{"op":"unended","n":"x"}',
    ):
        rude = bench.connect("rude")
        rude.hello()
        rude.socket.sendall(line + b"\n")
        assert rude.receive() is None
    early = bench.connect("early")
    early.say(op="unended", n=3)
    assert early.receive() is None
    c = bench.connect()
    assert c.hello()["live"] == []


def test_a_line_beyond_all_measure_is_not_kept(bench: Bench) -> None:
    bench.open()
    c = bench.connect()
    before = bench.rss()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(64):
            c.socket.sendall(b"x" * (1 << 20))
    assert bench.connect("next").hello()["live"] == []
    assert bench.rss() - before < 20 << 20


def test_a_supervisor_that_does_not_read_is_hung_up_on_and_misses_nothing(bench: Bench) -> None:
    c = bench.open()
    name = "x" * 60_000
    c.spawn(name, "true", out="/dev/null")
    ended = c.next("ended")
    with suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(200):
            c.spawn(name, "true", out="/dev/null")
    wait_until(lambda: "connection closed" in bench.log, "the warden's giving up")
    assert bench.rss() < 40 << 20
    assert bench.connect("next").hello()["ended"] == [ended]


# --- the supervisor's life


def test_a_lost_supervisor_is_replaced_while_work_is_live(serving: Bench) -> None:
    c = serving.open()
    c.spawn("a", "sleep", "60", out="/dev/null")
    pid = c.next("started")["pid"]
    c.close()
    wait_until(lambda: served(serving), "a new supervisor")
    supervisor, session, stdin = served(serving)[0].split()
    assert supervisor == session
    assert stdin == "/dev/null"
    wait_until(lambda: "supervisor served connected" in serving.log, "its hello")
    os.kill(pid, signal.SIGKILL)
    assert serving.wardens[-1].wait(DEADLINE_S) == 0
    assert len(served(serving)) == 1
    assert not serving.path.exists()


def test_a_supervisor_killed_with_kill_9_is_replaced(serving: Bench) -> None:
    """The one who said hello is a process of its own, and dies without a word."""
    serving.start()
    serving.connect()
    say = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        'h = b\'{"op":"hello","supervisor":"victim","pid":1}\\n{"op":"unended","n":1}\\n\';'
        "s.sendall(h); print(s.makefile().readline()); sys.stdout.flush(); sys.stdin.read()"
    )
    victim = subprocess.Popen(
        [sys.executable, "-c", say, str(serving.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert victim.stdout is not None and victim.stdin is not None
    assert b"state" in victim.stdout.readline()
    wait_until(lambda: {"j": "unended", "n": 1} in serving.rows(), "the row")
    victim.kill()
    victim.wait(DEADLINE_S)
    victim.stdout.close()
    victim.stdin.close()
    wait_until(lambda: served(serving), "a new supervisor")


def test_what_ends_while_nobody_is_connected_is_learned_later(bench: Bench) -> None:
    c = bench.open()
    os.mkfifo(bench.state / "fifo")
    c.spawn("a", "sh", "-c", "read x <fifo; exit 5", out="/dev/null", cwd=str(bench.state))
    pid = c.next("started")["pid"]
    c.close()
    (bench.state / "fifo").write_text("go\n")
    wait_until(lambda: not alive(pid), "its end")
    c = bench.connect()
    ended = c.hello()["ended"]
    assert [(e["task"], e["code"], e["how"]) for e in ended] == [("a", 5, "waitpid")]
    c.ack(ended[0])
    assert c.hello()["ended"] == []


def test_a_supervisor_that_never_connects_is_tried_ever_more_rarely(serving: Bench) -> None:
    serving.serve.append("silent")
    c = serving.open()
    c.say(op="unended", n=1)
    c.settle()
    c.close()
    wait_until(lambda: len(served(serving)) == 2, "two tries")
    lines = [x for x in serving.log.splitlines() if "supervisor" in x]
    assert [x.rpartition(" ")[2] for x in lines if "supervisor ended" in x][:1] == ["3"]
    c = serving.connect()
    c.hello()
    c.say(op="unended", n=0)
    c.settle()
    c.close()
    assert serving.wardens[-1].wait(DEADLINE_S) == 0


def test_the_number_of_unended_tasks_outlives_a_warden(serving: Bench) -> None:
    c = serving.open()
    c.say(op="unended", n=4)
    c.settle()
    serving.kill()
    serving.start()
    wait_until(lambda: served(serving), "a new supervisor, for four tasks are unended")


def test_a_warden_with_nothing_to_do_ends(bench: Bench) -> None:
    c = bench.open()
    c.spawn("a", "true", out="/dev/null")
    c.ack(c.next("ended"))
    c.settle()
    assert bench.wardens[-1].poll() is None
    c.close()
    assert bench.wardens[-1].wait(DEADLINE_S) == 0


def test_a_socket_that_somebody_removed_comes_back(serving: Bench) -> None:
    c = serving.open()
    c.say(op="unended", n=1)
    c.settle()
    serving.path.unlink()
    c.close()
    wait_until(lambda: "supervisor served connected" in serving.log, "the new one's hello")


def test_a_supervisor_that_cannot_be_executed_is_named_in_the_log(bench: Bench) -> None:
    bench.serve[:] = ["/no/such/heaptui"]
    c = bench.open()
    c.say(op="unended", n=1)
    c.settle()
    c.close()
    why = "the supervisor: cannot execute '/no/such/heaptui': No such file or directory\n"
    wait_until(lambda: why in bench.log, "the reason")


def test_what_a_supervisor_writes_is_bounded_and_its_last_words_stay(bench: Bench) -> None:
    log = bench.state / "supervisor.log"
    bench.open()
    with log.open("ab", buffering=0) as file:
        file.write(b"of old\n" * 100_000 + b"the last\n")
        wait_until(lambda: log.stat().st_size < 100_000, "its being shortened")
        file.write(b"and after\n")
    lines = log.read_text().splitlines()
    assert lines[-2:] == ["the last", "and after"]
    assert lines[0] == "of old"


# --- the state directory deleted under it


@pytest.fixture(params=["inside", "outside"])
def deleted(serving: Bench, request, tmp_path_factory) -> Bench:
    """A warden that knows of an unended task; its directory is gone, but it was not told."""
    if request.param == "outside":
        serving.path = tmp_path_factory.mktemp("sockets") / "w.sock"
    c = serving.open()
    c.say(op="unended", n=1)
    c.spawn("a", "sleep", "60", out="/dev/null")
    c.next("started")
    shutil.rmtree(serving.state)
    return serving


def leave(bench: Bench) -> None:
    bench.connections.pop().close()


def test_it_ends_with_the_last_of_its_tasks_and_brings_up_nobody(deleted: Bench) -> None:
    (pid,) = (e["pid"] for e in deleted.connections[-1].seen if e["ev"] == "started")
    leave(deleted)
    # a connection that is accepted later than the end of the other one was seen
    if deleted.path.exists():
        c = deleted.connect()
        c.say(op="hello", supervisor="test", pid=os.getpid())
        assert c.receive() is None, "there is nothing to serve"
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    assert deleted.wardens[-1].wait(DEADLINE_S) == 0
    assert not deleted.state.exists()
    assert not deleted.path.exists()


def test_without_tasks_it_ends_at_once(deleted: Bench) -> None:
    c = deleted.connections[-1]
    (pid,) = (e["pid"] for e in c.seen if e["ev"] == "started")
    os.kill(pid, signal.SIGKILL)
    c.next("ended")
    assert deleted.wardens[-1].poll() is None, "somebody is connected"
    leave(deleted)
    assert deleted.wardens[-1].wait(DEADLINE_S) == 0
    assert not deleted.state.exists()


def test_one_that_begins_in_the_same_place_is_left_alone(deleted: Bench) -> None:
    older = deleted.connections[-1]
    deleted.state.mkdir()
    deleted.start()
    wait_until(lambda: deleted.path.exists() and (deleted.state / "warden.log").exists(), "it")
    wait_until(lambda: "serving" in deleted.log, "its socket")
    c = deleted.connect()
    assert c.hello()["warden"] == deleted.pid
    (pid,) = (e["pid"] for e in older.seen if e["ev"] == "started")
    os.kill(pid, signal.SIGKILL)
    older.close()
    assert deleted.wardens[0].wait(DEADLINE_S) == 0
    assert deleted.connect("second").hello()["warden"] == deleted.pid
    assert not any("task" in row for row in deleted.rows())


# --- the warden's own death


def ended_by_pidfd(pid: int) -> bool:
    """Whether this kernel tells a stranger how the process ended, once it was reaped."""
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 15
    try:
        while time.monotonic() < until:
            told = bytearray(64)
            told[0] = 8
            fcntl.ioctl(pidfd, 0xC040FF0B, told)
            if told[0] & 8:
                return True
            time.sleep(0.05)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return False


def test_a_new_warden_adopts_what_lives_and_learns_how_it_ends(bench: Bench) -> None:
    c = bench.open()
    os.mkfifo(bench.state / "fifo")
    c.spawn("probe", "sleep", "60", out="/dev/null")
    c.spawn("coded", "sh", "-c", "read x <fifo; exit 42", out="/dev/null", cwd=str(bench.state))
    c.spawn("killed", "sleep", "60", out="/dev/null")
    pids = {task: c.next("started", task)["pid"] for task in ("probe", "coded", "killed")}
    bench.kill()

    c = bench.open()
    assert {e["task"]: e["pid"] for e in c.seen[-1]["live"]} == pids
    c.spawn("killed", "false", out="/dev/null")
    assert c.next("started")["pid"] == pids["killed"], "said again, it is not started again"
    (bench.state / "fifo").write_text("go\n")
    os.kill(pids["killed"], signal.SIGKILL)
    told = ended_by_pidfd(pids["probe"])
    ended = {}
    while len(ended) < 3:
        event = c.next("ended")
        ended[event["task"]] = event
    assert all(e["error"] is None and e["maxrss"] is None for e in ended.values())
    if told:
        assert {e["how"] for e in ended.values()} == {"pidfd"}
        assert (ended["coded"]["code"], ended["coded"]["signal"]) == (42, None)
        assert (ended["killed"]["code"], ended["killed"]["signal"]) == (None, signal.SIGKILL)
    else:
        assert {(e["how"], e["why"]) for e in ended.values()} == {("unseen", "unwatched")}
        assert {(e["code"], e["signal"]) for e in ended.values()} == {(None, None)}


def test_what_ended_while_no_warden_lived_is_unseen(bench: Bench) -> None:
    c = bench.open()
    c.spawn("a", "sleep", "60", out="/dev/null")
    pid = c.next("started")["pid"]
    bench.kill()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: start_of(pid) is None, "its being reaped")
    c = bench.open()
    (ended,) = c.seen[-1]["ended"]
    assert (ended["how"], ended["why"], ended["pid"]) == ("unseen", "unwatched", pid)
    assert (ended["code"], ended["signal"], ended["error"]) == (None, None, None)
    assert c.seen[-1]["live"] == []


def test_sigterm_ends_the_warden_and_touches_no_task(bench: Bench) -> None:
    c = bench.open()
    c.spawn("a", "sleep", "60", out="/dev/null")
    pid = c.next("started")["pid"]
    bench.wardens[-1].terminate()
    assert bench.wardens[-1].wait(DEADLINE_S) == -signal.SIGTERM
    assert alive(pid)
    assert [e["pid"] for e in bench.open().hello()["live"]] == [pid]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGPIPE])
def test_a_lost_terminal_does_not_reach_it(bench: Bench, number: signal.Signals) -> None:
    c = bench.open()
    os.kill(bench.pid, number)
    c.spawn("a", "true", out="/dev/null")
    assert c.next("ended")["code"] == 0


def test_a_second_warden_leaves_at_once(bench: Bench) -> None:
    c = bench.open()
    second = bench.start()
    assert second.wait(DEADLINE_S) == 0
    c.spawn("a", "true", out="/dev/null")
    assert c.next("ended")["code"] == 0
    assert bench.connect("third").hello()["warden"] == bench.wardens[0].pid


def test_killed_at_any_instant_nothing_runs_unjournalled(bench: Bench) -> None:
    """Whatever ran has its start row, however short after a spawn the warden dies."""
    spawned = 0
    for seen in (0, 1, 2, 4, 8, 16):
        c = bench.open()
        for _ in range(20):
            spawned += 1
            c.spawn(
                f"t{spawned}", "sh", "-c", f"echo t{spawned} >>ran", out="/dev/null",
                cwd=str(bench.state),
            )  # fmt: skip
        for _ in range(seen):
            c.next("started")
        bench.kill()
    c = bench.open()
    ends = list(c.seen[-1]["ended"])
    waiting = {e["task"] for e in c.seen[-1]["live"]}
    while waiting:
        ends.append(c.next("ended"))
        waiting.discard(ends[-1]["task"])
    ran = (bench.state / "ran").read_text().split()
    assert len(ran) == len(set(ran))
    assert set(ran) <= {e["task"] for e in ends}
    assert len(ends) == len({e["task"] for e in ends})


# --- the journal


def test_a_row_torn_by_a_crash_costs_nothing_else(bench: Bench) -> None:
    c = bench.open()
    c.spawn("a", "sleep", "60", out="/dev/null")
    started = c.next("started")
    bench.kill()
    with bench.journal.open("ab") as file:
        file.write(b'{"j":"end","ev":"ended","task":"a","att')
    c = bench.open()
    assert [e["pid"] for e in c.seen[-1]["live"]] == [started["pid"]]
    assert "passed over a torn row" in bench.log
    c.spawn("b", "true", out="/dev/null")
    ended = c.next("ended", "b")
    assert {"j": "end", **ended} in bench.rows(), "what follows the torn row is readable"


@pytest.mark.parametrize(
    ("field", "value", "why"), [("boot", "of-last-week", "reboot"), ("start", 1, "unwatched")]
)
def test_a_process_of_another_boot_or_another_start_is_not_taken_for_ours(
    bench: Bench, field: str, value: object, why: str
) -> None:
    c = bench.open()
    c.spawn("a", "sleep", "60", out="/dev/null")
    pid = c.next("started")["pid"]
    bench.kill()
    rows = [row | {field: value} if row["j"] == "start" else row for row in bench.rows()]
    bench.journal.write_text("".join(json.dumps(row) + "\n" for row in rows))
    state = bench.open().seen[-1]
    assert state["live"] == []
    assert [(e["how"], e["why"], e["code"]) for e in state["ended"]] == [("unseen", why, None)]
    assert alive(pid), "and nobody touched it"


def test_the_journal_keeps_what_matters_and_little_else(bench: Bench) -> None:
    """Beyond a megabyte it is rewritten: what lives and what is not acknowledged stays."""
    c = bench.open()
    c.spawn("lives", "sleep", "60", out="/dev/null")
    c.next("started")
    c.spawn("kept", "true", out="/dev/null")
    kept = c.next("ended")
    largest = 0
    for number in range(60):
        c.spawn(f"{number}-" + "x" * 20_000, "true", out="/dev/null")
        c.ack(c.next("ended"))
        largest = max(largest, bench.journal.stat().st_size)
    assert largest < 1_200_000
    assert bench.journal.stat().st_size < 1_000_000, "it was rewritten once at least"
    c.settle()
    bench.kill()
    state = bench.open().seen[-1]
    assert [e["task"] for e in state["live"]] == ["lives"]
    assert state["ended"] == [kept]


# --- a full disk


def test_a_full_disk_refuses_spawns_and_loses_no_end(bench: Bench) -> None:
    """The kernel's file size limit stands in for the disk: it fails the same writes."""
    c = bench.open()
    os.mkfifo(bench.state / "fifo")
    c.spawn("a", "sh", "-c", "read x <fifo; exit 6", out="/dev/null", cwd=str(bench.state))
    c.next("started")
    unlimited = resource.prlimit(bench.pid, resource.RLIMIT_FSIZE)
    full = bench.journal.stat().st_size + 10
    resource.prlimit(bench.pid, resource.RLIMIT_FSIZE, (full, unlimited[1]))
    c.spawn("b", "touch", str(bench.state / "ran"), out="/dev/null")
    refused = c.next("ended", "b")
    assert refused["error"] == (
        "not executed, for its start cannot be written to the journal: File too large"
    )
    assert not (bench.state / "ran").exists()
    (bench.state / "fifo").write_text("go\n")
    ended = c.next("ended", "a")
    assert ended["code"] == 6
    assert not any(row.get("task") == "a" and row["j"] == "end" for row in bench.rows())
    resource.prlimit(bench.pid, resource.RLIMIT_FSIZE, unlimited)
    wait_until(lambda: {"j": "end", **ended} in bench.rows(), "the row that was owed")
    c.spawn("c", "true", out="/dev/null")
    assert c.next("ended", "c")["code"] == 0
    bench.kill()
    assert ended in bench.open().seen[-1]["ended"]


# --- privacy


def test_its_files_are_private(bench: Bench) -> None:
    bench.open()
    for name in ("w.sock", "warden.journal", "warden.log", "warden.lock"):
        assert stat.S_IMODE((bench.state / name).stat().st_mode) == 0o600, name


def test_it_knows_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.getuid()


def test_another_user_is_turned_away(bench: Bench) -> None:
    """As root, a process of another user really connects; else its file mode is what is left."""
    bench.open()
    if os.getuid() != 0:
        assert stat.S_IMODE(bench.path.stat().st_mode) == 0o600
        return
    bench.path.chmod(0o666)
    for directory in (bench.state, *bench.state.parents):
        if directory.stat().st_uid == 0 and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    knock = (
        "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
        "s.connect(sys.argv[1])\ntry:"
        ' s.sendall(b\'{"op":"hello","supervisor":"x","pid":1}\\n\'); sys.exit(len(s.recv(9)))'
        "\nexcept (ConnectionResetError, BrokenPipeError): pass"
    )
    subprocess.run([sys.executable, "-c", knock, str(bench.path)], check=True)
    assert "refused a connection of uid 65534" in bench.log


# --- size


def test_five_hundred_short_tasks_are_each_told_once_and_leave_nothing(bench: Bench) -> None:
    c = bench.open()
    c.spawn("warm", "true", out="/dev/null")
    c.ack(c.next("ended"))
    before = bench.rss()
    pending = iter(range(500))
    for number in itertools.islice(pending, 50):
        c.spawn(f"t{number}", "true", out="/dev/null")
    ends: list[str] = []
    while len(ends) < 500:
        ended = c.next("ended")
        assert ended["code"] == 0
        ends.append(ended["task"])
        c.ack(ended)
        for number in itertools.islice(pending, 1):
            c.spawn(f"t{number}", "true", out="/dev/null")
    assert sorted(ends) == sorted(f"t{n}" for n in range(500))
    started = [e["task"] for e in c.seen if e["ev"] == "started" and e["task"] != "warm"]
    assert sorted(started) == sorted(ends)
    state = c.settle()
    assert (state["live"], state["ended"]) == ([], [])
    assert bench.rss() - before < 1 << 20
    assert len(os.listdir(f"/proc/{bench.pid}/fd")) < 12
    assert bench.journal.stat().st_size < 64 << 10


def test_output_does_not_pass_through_the_warden(bench: Bench) -> None:
    out = bench.state / "a.log"
    c = bench.open()
    before = bench.rss()
    c.spawn("a", "head", "-c", str(300 << 20), "/dev/zero", out=out)
    assert c.next("ended")["code"] == 0
    assert out.stat().st_size == 300 << 20
    out.unlink()
    assert bench.rss() - before < 1 << 20


def test_an_orphan_of_a_worker_is_reaped(bench: Bench) -> None:
    """The shell ends; what it left behind is the warden's from then on, and no zombie stays."""
    c = bench.open()
    os.mkfifo(bench.state / "fifo")
    command = "setsid sh -c 'read x <fifo' & echo $!"
    c.spawn("a", "sh", "-c", command, out=bench.state / "a.log", cwd=str(bench.state))
    assert c.next("ended")["code"] == 0
    orphan = int((bench.state / "a.log").read_text())
    parent = Path(f"/proc/{orphan}/stat").read_text().rpartition(")")[2].split()[1]
    assert int(parent) == bench.pid
    (bench.state / "fifo").write_text("go\n")
    wait_until(lambda: not Path(f"/proc/{orphan}").exists(), "its being reaped")
    assert [e["task"] for e in c.settle()["ended"]] == ["a"]
