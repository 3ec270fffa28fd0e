from __future__ import annotations

import json

from heaptui.cli import listing
from heaptui.cli.detail import put_detail
from heaptui.cli.following import exit_code
from heaptui.model import AttemptRecord, Detail, Event, Kind, ProcessHeap, Row, State, VerdictKind

PROMISED = {
    "id", "name", "kind", "state", "pid", "exit_code", "signal", "attempts", "rss_bytes",
    "peak_bytes", "cap_bytes", "created_at", "started_at", "ended_at",
}  # fmt: skip
NASTY = "\x1b]0;title\x07[bold]red[/]\x1b[2J\x9b31m\r\n\ttab"


def row(**fields):
    given = {
        "id": "a1b2c3",
        "name": "agent",
        "kind": Kind.COMMAND,
        "state": State.RUNNING,
        "argv": ("true",),
        "cwd": "/",
        "created_at": 1000.0,
        **fields,
    }
    return Row(**given)


def test_json_has_the_promised_fields_and_null_where_nothing_is_known(capsys):
    listing.put_json([row()])
    (told,) = json.loads(capsys.readouterr().out)
    assert set(told) >= PROMISED
    assert told["pid"] is told["exit_code"] is told["rss_bytes"] is None
    assert told["kind"] == "command"
    assert told["state"] == "running"


def test_an_empty_listing_says_so_beside_the_data(capsys):
    listing.put_rows([], everything=False)
    listing.put_history([])
    caught = capsys.readouterr()
    assert caught.out == ""
    assert "--all" in caught.err


def test_foreign_text_reaches_the_terminal_harmless(capsys):
    nasty = row(name=NASTY, reason=NASTY, state=State.FAILED, argv=(NASTY,), cwd=NASTY)
    record = AttemptRecord(
        id=1, task_id="a1b2c3", attempt=1, name=NASTY, kind=Kind.NODE, status="failed",
        created_at=1.0, reason=NASTY, verdict=VerdictKind.FAILED,
    )  # fmt: skip
    listing.put_rows([nasty], everything=True)
    listing.put_history([record])
    put_detail(Detail(row=nasty, attempts=(record, record), env_names=(NASTY,)))
    out = capsys.readouterr().out
    assert "[bold]red[/]" in out
    assert not {"\x1b", "\x9b", "\x07", "\r", "\t"} & set(out)
    assert len(listing.clean("x" * 10_000)) == 80


def test_a_pipe_gets_whole_lines_without_colours(capsys):
    listing.put_rows([row(reason="r" * 50, state=State.FAILED)], everything=True)
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "NAME", "KIND", "STATE", "PID", "MEMORY", "PEAK", "CAP", "+/MIN",
                            "AGE", "WHY"]  # fmt: skip
    assert line.endswith("r" * 50)


def test_heaps_have_a_column_where_any_is_known(capsys):
    held = row(heap_used_bytes=180 << 20, heap_limit_bytes=1 << 30, kind=Kind.NODE)
    listing.put_rows([row(), held], everything=True)
    head, without, line = capsys.readouterr().out.splitlines()
    assert "HEAP" in head.split()
    assert "180M" in line.split()
    assert "180M" not in without


def test_every_heap_of_a_task_is_told_in_its_details(capsys):
    heap = ProcessHeap(
        pid=4711, ppid=1, runtime="node\x1b[31m", version="v20.20.2", at=0, used_bytes=180 << 20,
        limit_bytes=1 << 30, gc_count=12, gc_s=0.34, main="busy",
    )  # fmt: skip
    put_detail(Detail(row=row(kind=Kind.NODE), heaps=(heap,)))
    out = capsys.readouterr().out
    assert "4711: 180M of 1.00G used" in out
    assert "12 collections in 0.3 s" in out
    assert "main thread busy" in out
    assert "\x1b" not in out
    put_detail(Detail(row=row(heap_absent="Deno is not looked into")))
    assert "Deno is not looked into" in capsys.readouterr().out


def test_the_details_name_the_preset_and_what_was_raised_for_later(capsys):
    def raised(attempt):
        return Event(
            at=1.0, task_id="a1b2c3", attempt=attempt, kind="raised",
            text=f"raised by the operator for the next attempt: cap {attempt}00M",
        )  # fmt: skip

    events = (raised(1), raised(2))
    live = row(preset="lean", attempts=2)
    put_detail(Detail(row=live, events=events))
    above = capsys.readouterr().out.partition("\nevents")[0]
    assert "preset lean" in above
    assert "raised     by the operator for the next attempt: cap 200M" in above
    assert "cap 100M" not in above
    put_detail(Detail(row=row(attempts=2, state=State.DONE), events=events))
    above = capsys.readouterr().out.partition("\nevents")[0]
    assert "preset" not in above
    assert "raised" not in above


def test_exit_codes_of_tasks_are_those_a_shell_would_give():
    done = row(state=State.DONE, exit_code=0)
    assert exit_code([done]) == 0
    assert exit_code([done, row(state=State.FAILED, exit_code=7), row(exit_code=9)]) == 7
    assert exit_code([row(state=State.STOPPED, signal=15)]) == 143
    assert exit_code([row(state=State.FAILED, verdict=VerdictKind.BAD_LAUNCH)]) == 127
    assert exit_code([row(state=State.LOST)]) == 1
    assert exit_code([row(state=State.STOPPED)]) == 1


def test_the_details_say_what_the_policy_does_and_what_the_worker_tells(capsys):
    held = row(
        doing="collects garbage\x1b[2J", soft_bytes=240 << 20, expected_bytes=300 << 20, recycles=3,
        ooms=1, done=120.0, total=200.0, progress="unit\x1b 120", checkpoint_at=1.0,
        checkpoint_bytes=2 << 10, result_bytes=7 << 10,
    )  # fmt: skip
    record = AttemptRecord(
        id=1, task_id="a1b2c3", attempt=1, name="x", kind=Kind.NODE, status="failed",
        created_at=1.0, reason="why", evidence=("oom_kill 1 in its memory group\x07",),
    )  # fmt: skip
    put_detail(Detail(row=held, attempts=(record,)))
    out = capsys.readouterr().out
    assert "acts from 240M, expected to reach 300M, recycled 3 times" in out
    assert "tried again once after it ran out of memory" in out
    assert "120/200 done, unit" in out
    assert "2k, result of 7k" in out
    assert "     oom_kill 1 in its memory group" in out
    assert not {"\x1b", "\x07"} & set(out)
    put_detail(Detail(row=row()))
    assert "policy" not in capsys.readouterr().out


def test_one_that_was_split_is_as_old_as_its_family(capsys):
    ended = row(started_at=2000.0, ended_at=2010.0, state=State.DONE)
    assert listing.age(ended, 2100.0) == 10
    waits = row(started_at=2000.0, ended_at=2010.0, state=State.SPLIT, children=2)
    assert listing.age(waits, 2100.0) == 100
    put_detail(Detail(row=waits))
    assert "ended      ·\n" in capsys.readouterr().out
