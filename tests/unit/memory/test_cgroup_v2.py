"""Our reads and writes of cgroup v2's files, in a plain directory with the same files.

This checks what is written where, and how what stands there is understood. It does not check that
a kernel caps anything by it: tests/integration/memory does, with whatever controller there is.
"""

from pathlib import Path

import pytest

from heaptui.memory import cgroup_v2
from heaptui.memory.cgroup_v2 import MemoryV2

MIB = 1 << 20


@pytest.fixture
def group(tmp_path: Path) -> Path:
    for name, content in {
        "memory.current": f"{100 * MIB}\n",
        "memory.stat": f"anon 1\nfile {60 * MIB}\ninactive_file {40 * MIB}\nactive_file 5\n",
        "memory.events": "low 0\nhigh 7\nmax 2\noom 2\noom_kill 1\noom_group_kill 1\n",
        "memory.max": "",
        "memory.high": "",
        "memory.oom.group": "",
        "memory.swap.max": "",
        "cgroup.kill": "",
        "cgroup.controllers": "cpu memory pids\n",
        "cgroup.subtree_control": "",
        "cgroup.procs": "",
    }.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def test_figures_are_read(group: Path) -> None:
    memory = MemoryV2(group)
    assert memory.charged() == 100 * MIB
    assert memory.inactive_file() == 40 * MIB
    assert memory.oom_kills() == 1
    memory.close()


@pytest.mark.parametrize(
    ("events", "local", "own"),
    [
        # a kill for the whole machine, or for a group above, is no OOM of this one
        ("oom 0\noom_kill 1\n", "oom 0\noom_kill 1\n", False),
        ("oom 2\noom_kill 1\n", "oom 2\noom_kill 1\n", True),
        # one for a group that the task made below its own
        ("oom 2\noom_kill 1\n", "oom 0\noom_kill 0\n", False),
        # a kernel without memory.events.local
        ("oom 2\noom_kill 1\n", None, True),
    ],
)
def test_an_oom_of_its_own_is_told_from_another(
    group: Path, events: str, local: str | None, own: bool
) -> None:
    (group / "memory.events").write_text(events)
    if local is not None:
        (group / "memory.events.local").write_text(local)
    memory = MemoryV2(group)
    assert memory.oom_kills() == 1
    assert memory.limit_reached() is own
    memory.close()


def test_a_cap_writes_every_limit(group: Path) -> None:
    memory = MemoryV2(group)
    memory.set_cap(640 * MIB)
    assert (group / "memory.max").read_text() == str(640 * MIB)
    assert (group / "memory.high").read_text() == str(630 * MIB)
    assert (group / "memory.oom.group").read_text() == "1"
    assert (group / "memory.swap.max").read_text() == "0"
    memory.close()


def test_a_kernel_without_swap_is_no_obstacle_and_no_file_is_made(group: Path) -> None:
    (group / "memory.swap.max").unlink()
    memory = MemoryV2(group)
    memory.set_cap(64 * MIB)
    assert not (group / "memory.swap.max").exists()
    memory.close()


def test_a_limit_that_cannot_be_written_is_an_error(group: Path) -> None:
    (group / "memory.max").unlink()
    memory = MemoryV2(group)
    with pytest.raises(FileNotFoundError):
        memory.set_cap(64 * MIB)
    memory.close()


def test_killing_writes_one(group: Path) -> None:
    assert cgroup_v2.can_kill(group)
    cgroup_v2.kill(group)
    assert (group / "cgroup.kill").read_text() == "1"
    (group / "cgroup.kill").unlink()
    assert not cgroup_v2.can_kill(group)


def test_the_controller_is_handed_down_where_it_is_delegated(group: Path) -> None:
    assert cgroup_v2.enable_memory(group, "leaf", lambda _: True)
    assert (group / "cgroup.subtree_control").read_text() == "+memory"


def test_what_is_handed_down_already_is_left_alone(group: Path) -> None:
    (group / "cgroup.subtree_control").write_text("memory\n")
    assert cgroup_v2.enable_memory(group, "leaf", lambda _: False)
    assert (group / "cgroup.subtree_control").read_text() == "memory\n"


def test_without_the_controller_nothing_is_written(group: Path) -> None:
    (group / "cgroup.controllers").write_text("cpu pids\n")
    assert not cgroup_v2.enable_memory(group, "leaf", lambda _: True)
    assert (group / "cgroup.subtree_control").read_text() == ""


def test_our_groups_are_made_beside_the_leaf_we_moved_into() -> None:
    own = Path("/sys/fs/cgroup/user.slice/run-1.scope")
    assert cgroup_v2.home_of(own) == own
    assert cgroup_v2.home_of(own / f"heaptui-state{cgroup_v2.LEAF}") == own
    assert cgroup_v2.home_of(own / f"somebody{cgroup_v2.LEAF}") == own / f"somebody{cgroup_v2.LEAF}"
