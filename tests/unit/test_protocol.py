from __future__ import annotations

import re
from typing import get_args

import pytest
from msgspec import Struct

from heaptui import errors, protocol
from heaptui.inputs import Inputs, Item, Share, Source
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.protocol import CALLS, Call, new_ids

ITEM = Item("a b/ü.py:1-40", 12, of="a b/ü.py", first=1, last=40)

EXAMPLES: list[Struct] = [
    protocol.Hello("app"),
    protocol.Submit(
        ids=["abc"],
        specs=[
            TaskSpec(
                argv=("true", "\n\u2028"),
                cwd="/",
                kind=Kind.NODE,
                limits=Limits(cap_bytes=1 << 40, timeout_s=0.5),
                env={"K": "v\x1b"},
            )
        ],
        environment={"PATH": "/bin"},
        inputs=[Inputs(source=Source.FILES, items=(ITEM, Item("c", 0)), origin="*")],
    ),
    protocol.ListTasks(all=True),
    protocol.Show("abc", 3),
    protocol.History(5, "x"),
    protocol.RecentEvents(5, "abc", 7),
    protocol.GetSeries("abc", 60.0),
    protocol.Stop(tasks=["abc"], attempts=[2], now=True, drain=True, grace_s=0.5),
    protocol.Retry(["abc"]),
    protocol.Forget(["abc"]),
    protocol.Dispatch(paused=True, concurrency=4),
    protocol.Watch(),
    protocol.Settled(["abc"]),
    protocol.Leave(),
    protocol.Collect(tasks=["abc"], attempts=[2], pid=7),
    protocol.PlanSnapshot(task="abc", pid=7, path="/x"),
    protocol.TakeSnapshot(task="abc", attempt=2, raise_cap=True, insist=True),
    protocol.ListSnapshots("abc"),
    protocol.DeleteSnapshots([3]),
    protocol.Hunt(task="abc", seconds=1.5, requests=9),
    protocol.ListFindings("abc"),
    protocol.CancelActivity("gc-1"),
    protocol.Raise(tasks=["abc"], cap_bytes=1 << 34),
    protocol.Recycle(tasks=["abc"], attempts=[2], insist=True),
    protocol.PlanSplit(task="abc", into=4, budget_tokens=30_000, planner=("plan", "-x")),
    protocol.Split(
        task="abc",
        shares=[Share(title="a", items=(ITEM,)), Share(title="b", items=(), after=(0,))],
        attempt=2,
        left_out=["d"],
        reduce=("cat", "{results}"),
    ),
    protocol.GetResult("abc"),
    protocol.GetMeasures(7),
    protocol.GetMetrics(),
    protocol.LookAtSelf(),
    protocol.Ping(),
]


@pytest.mark.parametrize("request_", EXAMPLES, ids=lambda one: type(one).__name__)
def test_every_call_survives_the_wire(request_):
    line = protocol.encode(Call(7, request_))
    assert b"\n" not in line
    assert protocol.decode_call(line) == Call(7, request_)


def test_no_call_is_left_out_and_each_has_an_answer():
    assert {type(one) for one in EXAMPLES} == set(CALLS) == set(get_args(protocol.AnyCall))


def test_every_error_crosses_the_wire_as_itself():
    kinds = {errors.HeaptuiError, *errors.HeaptuiError.__subclasses__()}
    from_commands = {kind for kind in kinds if kind.__module__ != "heaptui.errors"}
    assert set(errors.FAMILY.values()) == kinds - from_commands
    codes = [kind.exit_code for kind in errors.FAMILY.values()]
    assert len(set(codes)) == len(codes)


def test_ids_are_short_distinct_and_safe_in_a_path():
    ids = new_ids(5000)
    assert len(set(ids)) == 5000
    assert all(re.fullmatch("[0-9a-z]{10}", one) for one in ids)
    assert not set("ilou") & set("".join(ids))
