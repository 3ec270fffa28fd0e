"""Trees of real processes, read through /proc and through psutil."""

import asyncio
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from heaptui.memory.identity import alive, identify, send
from heaptui.memory.procfs import ProcTable
from heaptui.memory.psutil_table import PsutilTable
from heaptui.memory.sampler import SURVEY_EVERY_S, Sampler
from heaptui.memory.watchdog import guard

MIB = 1 << 20
HAS_PROC = Path("/proc/self/stat").exists()


def wait_until(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.005)


@pytest.fixture(params=["proc", "psutil"])
def sampler(request):
    if request.param == "proc" and not HAS_PROC:
        pytest.skip("no /proc here")
    made = Sampler(ProcTable() if request.param == "proc" else PsutilTable())
    yield made
    made.close()


def track(sampler, program, task_id="t", attempt=1, group=None):
    identity = program.identity
    if isinstance(sampler._table, PsutilTable):
        stat = sampler._table.look(identity.pid)
        identity = type(identity)(identity.boot_id, identity.pid, stat.start)
    sampler.track(task_id, attempt, identity, group)


def only(samples):
    assert len(samples) == 1
    return samples[0]


GROWING = """
say("up")
held = []
for line in sys.stdin:
    held.append(bytearray(50 << 20))
    say("grown")
"""


def test_a_growing_process_is_followed(sampler, start) -> None:
    program = start(GROWING)
    program.hear()
    track(sampler, program)
    first = only(sampler.sample(0.0))
    assert (first.task_id, first.attempt, first.processes) == ("t", 1, 1)
    assert first.cpu_percent is None
    for step in (1, 2, 3):
        program.go_on()
        program.hear()
        sample = only(sampler.sample(float(step)))
        grown = sample.memory_bytes - first.memory_bytes
        assert 49 * MIB * step < grown < 52 * MIB * step
        assert sample.memory_from == "rss"
        assert sample.memory_bytes == sample.rss_bytes
        assert sampler.quick("t") == sample.rss_bytes
    assert sample.cpu_percent is not None


def test_an_ended_task_gives_no_sample_and_no_figure(sampler, start) -> None:
    program = start("sys.stdin.readline()")
    track(sampler, program)
    assert only(sampler.sample(0.0)).processes == 1
    program.child.kill()
    os.waitid(os.P_PID, program.child.pid, os.WEXITED | os.WNOWAIT)
    assert sampler.sample(1.0) == []
    assert sampler.quick("t") == 0
    assert sampler.members("t") == []
    sampler.forget("t")
    assert sampler.quick("t") is None
    assert sampler.processes("t") == []


def test_a_task_whose_process_is_gone_already_can_be_tracked(sampler, start) -> None:
    program = start("sys.stdin.readline()")
    identity = program.identity
    program.go_on()
    program.child.wait()
    sampler.track("t", 1, identity, None)
    assert sampler.sample(0.0) == []


FORKING = """
held = bytearray(200 << 20)
for _ in range(4):
    if os.fork() == 0:
        time.sleep(600)
say("forked")
time.sleep(600)
"""


@pytest.mark.skipif(not HAS_PROC, reason="no PSS here")
def test_forked_children_are_not_counted_again(sampler, start) -> None:
    program = start(FORKING)
    program.hear()
    track(sampler, program)
    asyncio.run(sampler.read_ahead())
    sample = only(sampler.sample(0.0))
    assert sample.processes == 5
    assert sample.rss_bytes > 900 * MIB, "summed RSS counts the shared pages five times"
    assert sample.memory_from == "pss"
    assert 195 * MIB < sample.memory_bytes < 240 * MIB
    assert sample.pss_bytes == sample.memory_bytes
    assert sample.uss_bytes < 60 * MIB
    assert sampler.certain("t") < sample.memory_bytes
    # judged against a cap between the two sums, the smaller one counts
    assert asyncio.run(sampler.judged("t")) < 240 * MIB
    # within the cap by RSS already: that is enough to know
    assert sampler.quick("t", 4096 * MIB) == sample.rss_bytes


TAKING = """
held = bytearray(b'x' * (50 << 20))
say("alone")
sys.stdin.readline()
gate, go = os.pipe()
grown, tell = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.read(gate, 1)
        own = bytearray(b'y' * (40 << 20))
        os.write(tell, b"!")
        time.sleep(600)
say("born")
sys.stdin.readline()
os.write(go, b"!!!")
for _ in range(3):
    os.read(grown, 1)
say("grown")
time.sleep(600)
"""


@pytest.mark.skipif(not HAS_PROC, reason="nothing is certain without a reading here")
def test_what_each_of_a_tree_took_for_itself_is_certain(start) -> None:
    program = start(TAKING)
    program.hear()
    sampler = Sampler(ProcTable())
    track(sampler, program)
    alone = sampler.certain("t")
    assert alone > 50 * MIB, "it executed its program: all of that is its own"
    program.go_on()
    program.hear()
    born = sampler.certain("t")
    assert born - alone < 20 * MIB, "what a child began with is its parent's"
    program.go_on()
    program.hear()
    grown = sampler.certain("t") - born
    sampler.close()
    assert 118 * MIB < grown < 140 * MIB


def test_growth_after_pss_was_read_counts_in_full(sampler, start) -> None:
    program = start(
        "if os.fork() == 0:\n    time.sleep(600)\nsay('up')\nsys.stdin.readline()\n"
        "held = bytearray(80 << 20)\nsay('grown')\ntime.sleep(600)"
    )
    program.hear()
    track(sampler, program)
    if not HAS_PROC:
        pytest.skip("no PSS here")
    asyncio.run(sampler.read_ahead())
    before = only(sampler.sample(0.0))
    assert before.memory_from == "pss"
    program.go_on()
    program.hear()
    assert 78 * MIB < sampler.quick("t") - before.memory_bytes < 84 * MIB


def test_cpu_of_the_tree_is_a_share_of_the_time_between_samples(sampler, start) -> None:
    program = start(
        "if os.fork() == 0:\n    time.sleep(600)\nsay('up')\nsys.stdin.readline()\n"
        "end = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
        "say('worked')\ntime.sleep(600)"
    )
    program.hear()
    track(sampler, program)
    sampler.sample(0.0)
    program.go_on()
    program.hear()
    # half a second of work within what is called ten seconds
    sample = only(sampler.sample(10.0))
    assert sample.cpu_percent == pytest.approx(5.0, abs=0.5)
    # a child that the first sample did not meet has no share yet
    shares = [one.cpu_percent for one in sampler.processes("t") if one.cpu_percent is not None]
    assert max(shares) == pytest.approx(5.0, abs=0.5)


def test_processes_stand_below_their_parents(sampler, start) -> None:
    program = start(
        "import subprocess\nchild = subprocess.Popen(['sh', '-c', 'sleep 600; :'])\n"
        "say(child.pid)\ntime.sleep(600)"
    )
    shell = int(program.hear()[0])
    track(sampler, program)
    wait_until(lambda: len(sampler.processes("t")) == 3, "the shell started its sleep")
    leader, child, grandchild = sampler.processes("t")
    assert (leader.pid, leader.depth) == (program.child.pid, 0)
    assert (child.pid, child.ppid, child.depth) == (shell, leader.pid, 1)
    assert (grandchild.ppid, grandchild.depth) == (shell, 2)
    wait_until(lambda: sampler.processes("t")[2].command == "sleep 600", "it is sleep by now")
    assert all(process.rss_bytes > 0 for process in (leader, child))


SCATTER = """
import subprocess
children = [subprocess.Popen(["sleep", "600"])]
children.append(subprocess.Popen(["sleep", "600"], start_new_session=True))
def daemon(env, until):
    back, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0), os.dup2(null, 1)
            os.execve("/bin/sleep", ["sleep", "600"], env)
        os.write(tell, str(pid).encode())
        if until:
            time.sleep(600)
        os._exit(0)
    return int(os.read(back, 20))
marked = daemon(dict(os.environ), False)
os.wait()
scrubbed = daemon({}, True)
say(*[child.pid for child in children], marked, scrubbed)
sys.stdin.readline()
# the daemon's parent ends: from here on only memory says whose it is
middle = int(open(f"/proc/{scrubbed}/stat").read().rsplit(")", 1)[1].split()[1])
os.kill(middle, 9)
os.waitpid(middle, 0)
say("scattered")
sys.stdin.readline()
"""


@pytest.mark.skipif(not HAS_PROC, reason="the program reads /proc")
def test_everybody_of_a_scattered_tree_is_found_and_ended_without_a_group(
    sampler, start, to_end
) -> None:
    program = start(SCATTER, HEAPTUI_TASK="t.1")
    scattered = [identify(int(pid)) for pid in program.hear()]
    to_end += scattered
    track(sampler, program)
    wait_until(lambda: len(sampler.members("t")) == 6, "seen while its parent lived")
    program.go_on()
    program.hear()
    found = sampler.members("t")
    assert {one.pid for one in found} == {program.child.pid, *(one.pid for one in scattered)}
    assert found[0].pid == program.child.pid
    if isinstance(sampler._table, PsutilTable):
        found = [identify(one.pid) for one in found]
    for one in found:
        assert send(one, signal.SIGKILL)
    wait_until(lambda: not any(map(alive, scattered)), "all gone")
    assert program.child.wait() == -signal.SIGKILL
    assert sampler.members("t") == []


@pytest.mark.skipif(not HAS_PROC, reason="another user's environment only")
def test_a_daemon_that_nobody_saw_being_born_is_found_by_its_marker(start, to_end) -> None:
    source = """
if os.fork() == 0:
    os.setsid()
    pid = os.fork()
    if pid:
        say(pid)
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0), os.dup2(null, 1)
    os.execv("/bin/sleep", ["sleep", "600"])
os.wait()
say("left")
sys.stdin.readline()
"""
    with_marker = start(source, HEAPTUI_TASK="t.7")
    without = start(source)
    daemons = [identify(int(program.hear()[0])) for program in (with_marker, without)]
    to_end += daemons
    for program in (with_marker, without):
        program.hear()
    sampler = Sampler()
    sampler.track("t", 7, with_marker.identity, None)
    sampler.track("other", 1, without.identity, None)
    assert {one.pid for one in sampler.members("t")} == {with_marker.child.pid, daemons[0].pid}
    assert [one.pid for one in sampler.members("other")] == [without.child.pid]
    sampler.close()


def test_everybody_of_a_group_belongs_to_the_task(groups, start, to_end) -> None:
    group = groups.create("g", 1, None)
    if group is None:
        pytest.skip("no cgroup can be written here")
    program = start(
        "if os.fork() == 0:\n    os.setsid()\n    pid = os.fork()\n    if pid:\n"
        "        say(pid)\n        os._exit(0)\n    time.sleep(600)\nos.wait()\nsay('left')\n"
        "sys.stdin.readline()",
        group,
    )
    daemon = identify(int(program.hear()[0]))
    to_end.append(daemon)
    program.hear()
    sampler = Sampler()
    sampler.track("g", 1, program.identity, group)
    assert {one.pid for one in sampler.members("g")} == {program.child.pid, daemon.pid}
    assert {process.pid for process in sampler.processes("g")} == {program.child.pid, daemon.pid}
    sampler.close()
    group.close()


def test_a_groups_figure_leaves_out_the_page_cache(groups, start, tmp_path) -> None:
    if groups.means is None:
        pytest.skip("no memory cgroup can be written here")
    big = tmp_path / "big"
    group = groups.create("c", 1, None)
    program = start(
        f"say('up')\nsys.stdin.readline()\nf = open({str(big)!r}, 'wb')\n"
        "for _ in range(150): f.write(bytes(1 << 20))\nf.flush()\nos.fsync(f.fileno())\n"
        "say('written')\nsys.stdin.readline()\nheld = bytearray(60 << 20)\nsay('held')\n"
        "sys.stdin.readline()",
        group,
    )
    program.hear()
    sampler = Sampler()
    sampler.track("c", 1, program.identity, group)
    before = only(sampler.sample(0.0))
    assert before.memory_from == "cgroup"
    program.go_on()
    program.hear()
    assert group.charged() - before.memory_bytes > 100 * MIB, "nothing was cached"
    cached = only(sampler.sample(1.0))
    assert abs(cached.memory_bytes - before.memory_bytes) < 16 * MIB
    program.go_on()
    program.hear()
    held = only(sampler.sample(2.0))
    assert 50 * MIB < held.memory_bytes - cached.memory_bytes < 76 * MIB
    # judged against a cap below what is charged, the cache is looked at before anything is said
    assert sampler.quick("c", held.memory_bytes + 30 * MIB) < held.memory_bytes + 30 * MIB
    sampler.close()
    group.close()


def test_newcomers_are_found_between_two_surveys(sampler, start) -> None:
    program = start(
        "import subprocess\nsay('up')\nsys.stdin.readline()\n"
        "child = subprocess.Popen(['sleep', '600'])\nsay(child.pid)\nsys.stdin.readline()"
    )
    program.hear()
    track(sampler, program)
    sampler.sample(0.0)
    program.go_on()
    program.hear()
    assert SURVEY_EVERY_S > 1
    assert only(sampler.sample(1.0)).processes == 2
    assert sampler.quick("t") > 0


def test_threads_are_not_taken_for_processes(sampler, start) -> None:
    program = start(
        "import threading\nsay('up')\nsys.stdin.readline()\n"
        "for _ in range(8): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "say('threads')\nsys.stdin.readline()"
    )
    program.hear()
    track(sampler, program)
    sampler.sample(0.0)
    program.go_on()
    program.hear()
    assert len(psutil.Process(program.child.pid).threads()) == 9
    assert only(sampler.sample(1.0)).processes == 1


async def test_a_watchdog_ends_a_tree_that_no_kernel_caps(start) -> None:
    program = start(
        "if os.fork() == 0:\n    held = []\n    while True:\n"
        "        held.append(bytearray(1 << 20))\n        time.sleep(0.005)\ntime.sleep(600)"
    )
    sampler = Sampler()
    track(sampler, program)
    ended_at: list[int] = []

    async def over(memory: int) -> None:
        ended_at.append(memory)
        for member in sampler.members("t"):
            send(member, signal.SIGKILL)

    cap = 120 * MIB
    await guard(
        lambda: sampler.quick("t", cap),
        lambda: sampler.certain("t"),
        lambda: sampler.judged("t"),
        lambda: cap,
        over,
    )
    assert len(ended_at) == 1
    assert ended_at[0] > cap
    assert program.child.wait() == -signal.SIGKILL
    sampler.close()


CHURN = """
held = bytearray(b'x' * (150 << 20))
say('held')
sys.stdin.readline()
born, living = 0, set()
while born < 400 or living:
    while born < 400 and len(living) < 8:
        pid = os.fork()
        if pid == 0:
            own = bytearray(b'y' * (1 << 20))
            os._exit(0)
        born += 1
        living.add(pid)
    living.discard(os.wait()[0])
say('done')
sys.stdin.readline()
"""


@pytest.mark.skipif(not HAS_PROC, reason="no PSS here")
async def test_children_that_come_and_go_near_a_cap_do_not_count_what_they_share(start) -> None:
    program = start(CHURN)
    program.hear()
    sampler = Sampler()
    track(sampler, program)
    cap = 200 * MIB
    beyond: list[int] = []
    judged: list[int] = []

    async def judge() -> int | None:
        figure = await sampler.judged("t")
        judged.append(figure or 0)
        return figure

    async def over(memory: int) -> None:
        beyond.append(memory)

    watch = asyncio.create_task(
        guard(
            lambda: sampler.quick("t", cap), lambda: sampler.certain("t"), judge, lambda: cap, over
        )
    )
    program.go_on()
    assert await asyncio.to_thread(program.hear) == ["done"]
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    sampler.close()
    assert beyond == []
    assert judged, "summed RSS was never beyond the cap: nothing was put to the test"
    assert max(judged) < cap


@pytest.mark.skipif(not HAS_PROC, reason="no PSS here")
def test_the_first_sample_of_a_forked_tree_counts_what_is_shared_once(start) -> None:
    program = start(FORKING)
    program.hear()
    sampler = Sampler()
    track(sampler, program)
    # even where there was no time to read any but one
    sample = only(sampler.sample(0.0))
    sampler.close()
    assert sample.rss_bytes > 900 * MIB
    assert 195 * MIB < sample.memory_bytes < 240 * MIB
