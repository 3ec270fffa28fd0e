"""Reading more processes than files may be open, in a process with a limit of its own."""

import resource
import subprocess

import pytest

FEW = """
import resource
from heaptui.memory.descriptors import raise_fd_limit
from heaptui.memory.identity import identify
from heaptui.memory.sampler import Sampler
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
pids = [int(word) for word in sys.stdin.readline().split()]
sampler = Sampler()
for pid in pids:
    sampler.track(f"t{pid}", 1, identify(pid), None)
for now in range(3):
    say(len(sampler.sample(float(now))), len(os.listdir("/dev/fd")))
sampler.close()
say(len(os.listdir("/dev/fd")), raise_fd_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
sys.stdin.readline()
"""


def test_more_processes_than_files_may_be_open(start) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= hard < 200:
        pytest.skip("the hard limit is too low to raise anything")
    sleepers = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(60)]
    try:
        program = start(FEW)
        program.child.stdin.write(" ".join(str(one.pid) for one in sleepers) + "\n")
        program.child.stdin.flush()
        for _ in range(3):
            sampled, opened = map(int, program.hear())
            assert sampled == 60
            assert opened < 40
        left, said, in_force = map(int, program.hear())
        assert left < 10
        assert said == in_force > 40
    finally:
        for one in sleepers:
            one.kill()
            one.wait()
