"""Records of the kernel about whom it killed, as they were seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.memory.kills import Kill, counted, parse_record

BY_GROUP = (
    b"6,33280,23979203681,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,"
    b"mems_allowed=0,oom_memcg=/a/b,task_memcg=/a/b/c,task=python3,pid=25306,uid=0\n"
    b" SUBSYSTEM=none\n"
)
BY_MACHINE = (
    b"6,812,1500000,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,"
    b"mems_allowed=0,global_oom,task_memcg=/user.slice,task=node,pid=41,uid=1000\n"
)


def test_a_kill_for_a_group_and_one_for_the_machine():
    assert parse_record(BY_GROUP) == Kill(23979.203681, 25306, "/a/b/c", "/a/b")
    assert parse_record(BY_MACHINE) == Kill(1.5, 41, "/user.slice", None)


def test_a_name_cannot_pass_for_another_process():
    named = BY_MACHINE.replace(b"task=node", b"task=x,pid=7,uid=0")
    killed = parse_record(named)
    assert killed is not None
    assert killed.pid == 41


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"6,1,1,-;python3 invoked oom-killer: gfp_mask=0xcc0",
        # written into the log by a program: facility 1
        BY_MACHINE.replace(b"6,812", b"14,812"),
    ],
)
def test_other_records_are_none(record):
    assert parse_record(record) is None


@given(st.binary(max_size=300))
def test_any_record_is_taken(record):
    assert parse_record(b"6,1,1,-;oom-kill:constraint=" + record) is None or b"pid=" in record


def test_the_counter():
    assert counted(b"pgfault 1\noom_kill 405\nnuma_hit 3\n") == 405
    assert counted(b"pgfault 1\nnot_oom_kill 4\n") is None
