"""Groups of this machine's kernel, whatever it offers."""

import os
import select
import signal
import uuid
from pathlib import Path

import pytest

from heaptui.memory import cgroup_v2
from heaptui.memory.cgroup_mounts import hierarchies
from heaptui.memory.cgroups import Groups, delegated_scope_argv, probe
from heaptui.memory.descriptors import keepable
from heaptui.memory.identity import alive, identify
from heaptui.model import CapMeans

MIB = 1 << 20


@pytest.fixture
def capping(groups):
    if groups.means is None:
        pytest.skip("no memory cgroup can be written here")
    return groups


def wait_until(condition, what):
    from time import monotonic, sleep

    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline, f"never happened: {what}"
        sleep(0.005)


def test_a_burst_dies_at_its_cap_and_everybody_is_told(capping, start) -> None:
    group = capping.create("burst", 1, 300 * MIB)
    assert group.means is capping.means
    notice = group.oom_fd()
    assert select.select([notice], [], [], 0)[0] == []
    program = start(
        "say('up')\nsys.stdin.readline()\nheld = bytearray(1 << 30)\nsay('held')", group
    )
    program.hear()
    assert group.pids() == [program.child.pid]
    program.go_on()
    assert select.select([notice], [], [], 60)[0] == [notice]
    assert program.child.wait() == -signal.SIGKILL
    wait_until(group.oom_kills, "the kill is counted")
    assert group.oom_kills() == 1
    assert group.limit_reached()
    assert group.killed_at_cap()
    assert select.select([notice], [], [], 0)[0] == [], "counting quiets the notice"
    group.close()


def test_page_cache_is_no_usage(capping, start, tmp_path) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(MIB) * 200)
    # written by us: its pages are charged to us until they are dropped
    fd = os.open(big, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    group = capping.create("reader", 1, None)
    program = start(
        f"say('up')\nsys.stdin.readline()\nf = open({str(big)!r}, 'rb', 0)\n"
        "while f.read(1 << 16): pass\nsay('read')\nsys.stdin.readline()",
        group,
    )
    program.hear()
    before, charged_before = group.usage(), group.charged()
    program.go_on()
    program.hear()
    assert group.charged() - charged_before > 150 * MIB, "the file was not read through the cache"
    assert group.usage() - before < 20 * MIB
    group.close()


def test_a_limit_reached_before_it_was_moved_says_nothing(capping, start) -> None:
    group = capping.create("moved", 1, 100 * MIB)
    program = start(
        "say('up')\nsys.stdin.readline()\nheld = b'x' * (97 << 20)\nheld = None\nsay('let go')\n"
        "sys.stdin.readline()",
        group,
    )
    program.hear()
    program.go_on()
    program.hear()
    group.set_cap(400 * MIB)
    group.set_cap(60 * MIB)
    assert not group.limit_reached()
    assert not group.killed_at_cap()
    group.close()


def test_usage_counts_what_is_held(capping, start) -> None:
    group = capping.create("holder", 1, None)
    program = start(
        "say('up')\nsys.stdin.readline()\nheld = bytearray(100 << 20)\nsay('held')\n"
        "sys.stdin.readline()",
        group,
    )
    program.hear()
    before = group.usage()
    program.go_on()
    program.hear()
    assert 95 * MIB < group.usage() - before < 120 * MIB
    group.close()


def test_a_cap_can_be_changed_while_it_runs(capping, start) -> None:
    group = capping.create("grown", 1, 100 * MIB)
    group.set_cap(400 * MIB)
    group.set_cap(200 * MIB)
    group.set_cap(300 * MIB)
    program = start("held = bytearray(220 << 20)\nsay('held')\nsys.stdin.readline()", group)
    assert program.hear() == ["held"]
    assert group.oom_kills() == 0
    group.close()


TREE = """
import subprocess
children = [subprocess.Popen(["sleep", "600"])]
children.append(subprocess.Popen(["sleep", "600"], start_new_session=True))
def daemon(env):
    out, into = os.pipe()
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            os.close(out)
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0), os.dup2(null, 1)
            os.execve("/bin/sleep", ["sleep", "600"], env)
        os.write(into, str(pid).encode())
        os._exit(0)
    os.wait()
    return int(os.read(out, 20))
say(*[child.pid for child in children], daemon(dict(os.environ)), daemon({}))
sys.stdin.readline()
"""


@pytest.mark.parametrize("by_kernel", [True, False])
def test_killing_leaves_nobody_of_a_tree_that_scattered(
    groups: Groups, start, to_end, by_kernel: bool
) -> None:
    group = groups.create("tree", 1, None)
    if group is None:
        pytest.skip("no cgroup can be written here")
    if by_kernel and not groups.can_kill:
        pytest.skip("this kernel ends no group at once")
    if not by_kernel:
        group._killer = None
    program = start(TREE, group)
    scattered = [identify(int(pid)) for pid in program.hear()]
    to_end += scattered
    assert len(scattered) == 4
    assert set(group.pids()) == {program.child.pid, *(one.pid for one in scattered)}
    group.kill()
    wait_until(lambda: not any(map(alive, scattered)), "all gone")
    assert program.child.wait() == -signal.SIGKILL
    wait_until(group.remove, "the group is empty")
    assert not any(Path(path).exists() for path in group.join)
    group.close()


RUNAWAY = """
for _ in range(4):
    if os.fork() == 0:
        while True:
            time.sleep(0.002)
            if os.fork():
                os._exit(0)
say("up")
time.sleep(600)
"""


def test_killing_one_by_one_catches_those_that_change_their_pid(groups: Groups, start) -> None:
    group = groups.create("runaway", 1, None)
    if group is None:
        pytest.skip("no cgroup can be written here")
    group._killer = None
    program = start(RUNAWAY, group)
    program.hear()
    first = set(group.pids())
    wait_until(lambda: len(set(group.pids()) - first) >= 4, "their pids changed")
    group.kill()
    wait_until(lambda: not group.pids(), "all gone")
    group.close()


def test_a_group_is_found_again_and_swept_when_empty(groups: Groups, start) -> None:
    group = groups.create("kept", 3, None)
    if group is None:
        pytest.skip("no cgroup can be written here")
    program = start("say('up')\nsys.stdin.readline()", group)
    program.hear()
    empty = groups.create("empty", 1, None)
    listed = groups.create("listed", 2, None)
    assert groups.reopen("kept", 4) is None
    again = groups.reopen("kept", 3)
    assert again.join == group.join
    assert again.pids() == [program.child.pid]
    groups.sweep({("listed", 2)})
    assert groups.reopen("empty", 1) is None
    assert groups.reopen("listed", 2) is not None
    assert groups.reopen("kept", 3) is not None, "somebody lives in it"
    for one in (group, again, empty, listed):
        one.close()


def test_a_group_is_found_through_its_leader_from_elsewhere(groups: Groups, start) -> None:
    group = groups.create("elsewhere", 1, None)
    if group is None:
        pytest.skip("no cgroup can be written here")
    program = start("say('up')\nsys.stdin.readline()", group)
    program.hear()
    stranger = Groups(
        groups._name, tree=None, memory=None, means=None, can_kill=False, detail="none of its own"
    )
    assert stranger.reopen("elsewhere", 1) is None
    found = stranger.reopen("elsewhere", 1, program.child.pid)
    assert found.join == group.join
    assert stranger.reopen("elsewhere", 2, program.child.pid) is None
    found.close()
    group.close()


def test_a_group_that_is_gone_has_no_figures(capping) -> None:
    group = capping.create("gone", 1, None)
    assert group.usage() == 0
    assert group.remove()
    told: list[str] = []
    group.on_vanishing = lambda: told.append("gone")
    assert group.usage() is None
    assert group.charged() is None
    assert (group.vanished, told) == (True, ["gone"])
    assert group.pids() == []
    assert group.oom_kills() == 0
    assert group.limit_reached() is None
    assert not group.killed_at_cap()
    group.kill()
    group.close()


def test_membership_by_v2_beside_memory_on_v1(groups: Groups) -> None:
    seen = hierarchies()
    if seen.unified is None or seen.memory is None or groups.means is not CapMeans.CGROUP1:
        pytest.skip("not a hybrid system")
    group = groups.create("hybrid", 1, 64 * MIB)
    unified, memory = group.join
    assert Path(unified).is_relative_to(seen.unified.mount)
    assert Path(memory).is_relative_to(seen.memory.mount)
    assert groups.can_kill
    assert "cgroup v1" in groups.detail
    group.close()


def test_without_homes_there_are_no_groups() -> None:
    none = Groups("x", tree=None, memory=None, means=None, can_kill=False, detail="")
    assert none.create("t", 1, 64 * MIB) is None
    assert none.reopen("t", 1) is None
    none.sweep(set())
    none.close()


def test_names_that_would_leave_the_directory_are_refused(groups: Groups) -> None:
    for name in ("../x", "a/b", "", "."):
        with pytest.raises(ValueError, match="name"):
            probe(name)
        with pytest.raises(ValueError, match="name"):
            groups.create(name, 1, None)


def test_a_notice_of_a_changed_events_file_is_quieted_by_reading_it(start) -> None:
    """What MemoryV2.oom_fd rests on, shown on a file of the same sort that exists without the
    memory controller."""
    unified = hierarchies().unified
    if unified is None or not os.access(unified.mount, os.W_OK):
        pytest.skip("no cgroup v2 can be written here")
    group = unified.mount / f"heaptui-test-{uuid.uuid4().hex[:12]}"
    group.mkdir()
    events = os.open(group / "cgroup.events", os.O_RDONLY)
    notice = cgroup_v2.notifier(events)
    try:
        os.pread(events, 100, 0)
        assert select.select([notice], [], [], 0)[0] == []
        program = start("say('up')\nsys.stdin.readline()")
        program.hear()
        (group / "cgroup.procs").write_text(str(program.child.pid))
        assert select.select([notice], [], [], 30)[0] == [notice]
        assert b"populated 1" in os.pread(events, 100, 0)
        assert select.select([notice], [], [], 0)[0] == []
        cgroup_v2.kill(group)
        program.child.wait()
        assert select.select([notice], [], [], 30)[0] == [notice]
    finally:
        notice.close()
        os.close(events)
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "empty")
        group.rmdir()


def test_the_way_to_a_delegated_scope_works_where_it_is_offered(start) -> None:
    argv = delegated_scope_argv()
    if argv is None:
        pytest.skip("systemd gives no scope here")
    program = start(
        f"import subprocess\nsay(subprocess.run({argv!r} + ['cat', '/proc/self/cgroup'],"
        " capture_output=True, text=True).stdout.split())"
    )
    assert any(".scope" in word for word in program.hear())


def test_descriptors_are_kept_only_while_there_is_room() -> None:
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert keepable(0)
    assert not keepable(soft - 1)
