import psutil
import pytest

from heaptui.memory.cgroup_mounts import group_of, hierarchies
from heaptui.memory.host import HostMeter, room_of

MIB = 1 << 20


def test_the_machine_as_psutil_sees_it() -> None:
    meter = HostMeter()
    sample = meter.sample(12.5)
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    assert sample.at == 12.5
    assert sample.name
    assert sample.mem_total_bytes <= memory.total
    assert 0 < sample.mem_available_bytes <= sample.mem_total_bytes
    if sample.mem_total_bytes == memory.total:
        assert sample.mem_available_bytes == pytest.approx(memory.available, abs=512 * MIB)
    assert sample.swap_total_bytes == swap.total
    if sample.pressure is not None:
        assert 0 <= sample.pressure <= 100
    meter.close()


def test_below_a_limited_group_the_limit_is_the_machine(groups, start) -> None:
    if groups.means is None:
        pytest.skip("no memory cgroup can be written here")
    group = groups.create("container", 1, 512 * MIB)
    program = start(
        "from heaptui.memory.host import HostMeter\nmeter = HostMeter()\n"
        "held = bytearray(100 << 20)\ns = meter.sample(0.0)\n"
        "say(s.mem_total_bytes, s.mem_available_bytes)\nsys.stdin.readline()",
        group,
    )
    total, available = map(int, program.hear())
    seen = hierarchies()
    assert any(
        path is not None and path.name == "container.1"
        for path in (group_of(program.child.pid, one) for one in (seen.unified, seen.memory))
    )
    assert total == 512 * MIB
    assert 300 * MIB < available < 412 * MIB
    assert 300 * MIB < room_of(program.child.pid) < 412 * MIB
    group.close()
