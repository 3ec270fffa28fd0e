"""What the screen says of heaps: figures that are true, and reasons where there are none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from heaptui.errors import UsageError
from heaptui.model import Activity, Collection, Kind, Row, State
from heaptui.protocol import Change, Picture
from heaptui.tui.board import Board
from heaptui.tui.collecting import collected, cost_lines
from heaptui.tui.finding_lines import finding_lines
from heaptui.tui.glyphs import ASCII, UNICODE
from heaptui.tui.heaps import collects_at_once, pause_range_s, why_no_heap
from heaptui.tui.kept import Kept, headline, kept_lines
from heaptui.tui.keymap import BINDINGS
from heaptui.tui.keys import label_of
from heaptui.tui.lines import Line, text_of, width_of
from heaptui.tui.plan_lines import hunt_lines, plan_lines
from heaptui.tui.raising import chosen_limits, raise_choices, written_limits
from heaptui.tui.screens.hunt import read_wait
from heaptui.tui.widgets.activities import SHOWN, activity_lines, share_done, to_cancel
from heaptui.tui.widgets.columns import layout
from heaptui.tui.widgets.dock.heap import heap_and_rest, heap_facts, heap_lines
from heaptui.tui.widgets.dock.processes import process_lines
from heaptui.tui.widgets.rows import Look, row_line
from heaptui.units import GIB, MIB
from tests.terminal.fake_operator import NOW, host, picture, row, scene
from tests.terminal.heap_scene import (
    WRITING,
    a_finding,
    a_heap,
    a_plan,
    a_snapshot,
    an_activity,
    heaps_of,
    python_heap,
)

WORST = scene()[0]


def shown(lines: list[Line]) -> str:
    return "\n".join(map(text_of, lines))


def heap_text(task: Row, *heaps: Any, width: int = 60) -> str:
    return shown(heap_lines(task, heaps, width, NOW))


# --- heap against the rest ------------------------------------------------------------
def test_the_heap_stands_beside_what_is_outside_it() -> None:
    text = heap_text(WORST, a_heap())
    assert "V8 heap 1.41 of 1.50G  outside 502M" in text
    assert "old 1.32G  new 31M  buffers 402M" in text
    assert "GC 412 in 1m01, 3.0% of its time" in text
    assert "loop delay 610 ms" in text and "requests 1k" in text and "held 1.44G" in text


def test_memory_that_a_heap_holds_is_heap_and_a_rest_below_nothing_is_not_known() -> None:
    assert heap_and_rest(WORST, [a_heap()]) == (
        int(1.44 * GIB), int(1.93 * GIB) - int(1.44 * GIB),
    )  # fmt: skip
    assert heap_and_rest(WORST, [a_heap(committed_bytes=3 * GIB)])[1] is None
    assert heap_and_rest(replace(WORST, memory_bytes=None), [a_heap()])[1] is None


def test_near_its_limit_the_heap_says_what_comes_first() -> None:
    assert "94% of limit: V8 ends it there" in heap_text(WORST, a_heap())
    roomy = replace(WORST, cap_bytes=4 * GIB)
    assert "V8 dies before the cap" in heap_text(roomy, a_heap())
    calm = replace(WORST, heap_used_bytes=400 * MIB)
    assert "limit:" not in heap_text(calm, a_heap(used_bytes=400 * MIB))


def test_memory_that_is_not_heap_is_named() -> None:
    outside = row(
        "buffers",
        kind=Kind.NODE,
        memory_bytes=int(1.6 * GIB),
        heap_used_bytes=90 * MIB,
        heap_limit_bytes=GIB,
        heaps=1,
    )
    heap = a_heap(
        used_bytes=90 * MIB, committed_bytes=110 * MIB, array_buffers_bytes=int(1.2 * GIB)
    )
    assert "memory is outside the heap: Buffers 1.20G" in heap_text(outside, heap)


def test_old_figures_say_how_old_they_are_and_why() -> None:
    assert "main is busy for 12s" in heap_text(WORST, a_heap(at=NOW - 12.2, main="busy"))
    assert "main is busy" in heap_text(WORST, a_heap(main="busy"))
    assert "native call" in heap_text(WORST, a_heap(at=NOW - 30, main="native"))
    assert "figures are 9s old" in heap_text(WORST, a_heap(at=NOW - 9.5))


def test_every_process_with_a_heap_is_there_the_largest_first() -> None:
    first, second = heaps_of(WORST)
    assert heap_text(WORST, second, first).startswith("V8 heap 1.41 of 1.50G")
    assert "pid 41830 27 of 256M" in heap_text(WORST, second, first)


def test_pythons_heap_has_its_blocks_and_what_is_traced() -> None:
    task = row("py", kind=Kind.PYTHON, heap_used_bytes=97 * MIB, heaps=1)
    text = heap_text(task, python_heap(41822, 97 * MIB))
    assert text.startswith("heap 97M") and "V8" not in text
    assert "blocks 1.84M" in text and "traced 78M" in text


def test_without_a_heap_there_is_the_reason() -> None:
    task = row("old", kind=Kind.NODE, heap_absent="Node 16 is too old: 18 or newer\x1b[2J")
    text = heap_text(task)
    assert "no heap figures: Node 16 is too old" in text and text.isprintable()
    assert heap_lines(row("sh", heap_absent="no runtime in it"), (), 40, NOW) == []
    facts = shown(heap_facts((), task, 60, NOW))
    assert "Node 16" in facts


def test_the_full_view_says_what_a_process_cannot_do() -> None:
    heap = a_heap(can=(), why={"snapshot": "no inspector in this build", "gc": "the same"})
    text = shown(heap_facts((heap,), WORST, 90, NOW))
    assert "pid 41822  node 20.20.0  agent.js" in text
    assert "no snapshot: no inspector in this build" in text


def test_processes_with_a_heap_are_marked() -> None:
    from heaptui.model import ProcessSample

    tree = (
        ProcessSample(41822, 1, 0, "node agent.js", GIB, 1.0),
        ProcessSample(41841, 41822, 1, "rg TODO", MIB, 1.0),
    )
    with_heaps = [text_of(line) for line in process_lines(WORST, tree, 80, heaps_of(WORST))]
    assert "HEAP" in with_heaps[0] and "1.41/1.50G" in with_heaps[1] and "·" in with_heaps[2]
    assert "HEAP" not in text_of(process_lines(WORST, tree, 80)[0])


def test_the_tables_heap_is_violet_until_it_is_tight() -> None:
    look = Look(layout=layout(120, 16, heap=True), now=NOW)
    roles = {role for text, role in row_line(WORST, look) if "1.41/1.50G" in text}
    assert roles == {"amber"}
    assert "·" in text_of(row_line(scene()[2], look))
    assert "heap-short" in {column.id for column, _ in layout(80, 16, heap=True).columns}


@given(
    used=st.none() | st.integers(0, 1 << 45),
    limit=st.none() | st.integers(0, 1 << 45),
    external=st.none() | st.integers(0, 1 << 45),
    gc=st.none() | st.floats(0, 1e7),
    at=st.floats(NOW - 1e6, NOW + 10),
    text=st.text(max_size=40),
    width=st.integers(30, 120),
)
def test_whatever_a_worker_reports_the_lines_are_printable_and_fit(
    used: int | None,
    limit: int | None,
    external: int | None,
    gc: float | None,
    at: float,
    text: str,
    width: int,
) -> None:
    heap = a_heap(
        used_bytes=used,
        limit_bytes=limit,
        external_bytes=external,
        gc_s=gc,
        at=at,
        title=text,
        version=text,
        main=text,
        why={text: text},
    )
    task = replace(WORST, heap_used_bytes=used, heap_limit_bytes=limit, heap_absent=text)
    lines = [*heap_lines(task, (heap,), width, NOW), *heap_facts((heap,), task, width, NOW)]
    assert all(text_of(line).isprintable() for line in lines)


# --- collect ------------------------------------------------------------
def test_a_small_heap_is_collected_at_once_and_the_footer_says_which() -> None:
    small = replace(WORST, heap_used_bytes=200 * MIB)
    collect = next(entry for entry in BINDINGS if entry.id == "heap.collect")
    assert collects_at_once([small]) and label_of(collect, [small]) == "collect"
    assert not collects_at_once([small, small]) and label_of(collect, [WORST]) == "collect…"
    assert not collects_at_once([replace(WORST, heap_used_bytes=None)])


def test_the_pause_is_a_range_that_the_measurements_lie_in() -> None:
    least, most = pause_range_s(500 * MIB) or (0, 0)
    assert least <= 0.05 and most >= 0.661


def test_why_a_heap_cannot_be_acted_on() -> None:
    assert why_no_heap(None) == "there is no task under the cursor"
    assert why_no_heap(WORST) is None
    assert why_no_heap(scene()[-1]) == "it has ended"
    assert why_no_heap(scene()[-2]) == "it does not run yet"
    assert why_no_heap(scene()[2]) == "it was started without the preload"


def test_what_a_collection_did_is_a_sentence() -> None:
    def one(task: str, **fields: Any) -> Collection:
        return Collection(
            **({"task_id": task, "attempt": 1, "pid": 1, "runtime": "node", "text": "x"} | fields)
        )

    names = {"a": "alpha\x1b[2J", "b": "beta"}
    assert collected([one("a", text="heap 1.41 → 0.62G")], names) == (
        "alpha: heap 1.41 → 0.62G", False,
    )  # fmt: skip
    several = [
        one("a", heap_before=2 * GIB, heap_after=GIB, pause_s=0.2),
        one("b", heap_before=GIB, heap_after=GIB, pause_s=0.4),
        one("b", error="it waits for a native call"),
    ]
    text, trouble = collected(several, names)
    assert trouble
    assert text == (
        "2 heaps collected, heap 3.00G → 2.00G, longest pause 400 ms\n"
        "beta: it waits for a native call"
    )
    assert collected([], names)[1]
    assert "0.1s to 5.6s" in shown(cost_lines([WORST], 66))


# --- snapshots, findings ------------------------------------------------------------
@pytest.mark.parametrize("verdict", ["fits", "raise", "ask", "refused"])
def test_a_plan_says_what_it_costs_in_the_room_there_is(verdict: str) -> None:
    plan = a_plan(WORST, verdict)
    text = " ".join(shown(plan_lines(plan, 66, 20)).split())
    assert "takes about 5.4s" in text and "file 310M" in text and "grows by up to 1.02G" in text
    assert "under the cap 10M" in text and text.count("3 earlier snapshots") == 1
    assert ("at the very worst" in text) == (verdict != "fits")
    if verdict != "refused":
        assert "cannot be cancelled" in text and "0600" in text and "heaptui/snapshots" in text
    for height in range(8, 24):
        assert len(plan_lines(plan, 66, height)) <= height


def test_a_hunt_says_what_it_does() -> None:
    text = " ".join(shown(hunt_lines(a_plan(WORST), 66, 20)).split())
    assert "stands still twice, for about 5.4s each; two files of about 310M" in text
    assert "0600" in text
    raised = " ".join(shown(hunt_lines(a_plan(WORST, "raise"), 66, 20)).split())
    assert "be raised to 3.10G" in raised


def test_how_long_a_hunt_waits() -> None:
    assert read_wait("", "") == (120.0, None)
    assert read_wait("90s", "500") == (90.0, 500)
    for wrong in (("soon", ""), ("2m", "many"), ("2m", "0"), ("2m", "²")):
        with pytest.raises(UsageError):
            read_wait(*wrong)


def test_kept_things_are_newest_first_with_the_cursor_on_its_own() -> None:
    kept = Kept()
    first, second, third = (a_snapshot(n, WORST) for n in (1, 2, 3))
    kept.put([first, second], [a_finding(WORST)])
    assert [type(item).__name__ for item in kept.items] == ["Finding", "Snapshot", "Snapshot"]
    kept.move(1)
    assert kept.current == second
    kept.put([first, second, third], [])
    assert kept.current == second
    kept.put([], [])
    assert kept.current is None and kept.pair() is None
    kept.move(5)
    kept.mark()


def test_a_comparison_is_with_the_marked_else_with_the_one_before() -> None:
    kept = Kept()
    first, second, third = (a_snapshot(n, WORST) for n in (1, 2, 3))
    other = a_snapshot(9, scene()[1], at=NOW - 5000)
    kept.put([first, second, third, other], [])
    assert kept.pair() == (second, third)
    kept.at = 2
    assert kept.current == first and kept.pair() is None
    kept.mark()
    kept.at = 0
    assert kept.pair() == (first, third)
    kept.at = 2
    kept.mark()
    assert kept.marked is None


def test_the_list_is_printable_and_fits() -> None:
    evil = a_snapshot(1, WORST, path="/x/\x1b]0;pwned\x07[bold]" + "n" * 300, why="\x9b31m")
    kept = Kept()
    kept.put([evil], [a_finding(WORST, text="\x1b[2Jx", growers=())])
    for width in (40, 80, 120):
        for names in (True, False):
            lines = kept_lines(kept, width, NOW, names=names)
            assert all(width_of(line) == width for line in lines)
            assert all(text_of(line).isprintable() for line in lines)


def test_a_finding_names_what_grows_what_holds_it_and_where() -> None:
    finding = a_finding(WORST)
    snapshots = [a_snapshot(1, WORST)]
    text = shown(finding_lines(finding, snapshots, 120))
    for said in ("In words:", "TelemetryEvent", "+27M", "└─ .queue Array(14,902)",
                 "held by loggers.queue", "telemetry/loggers.js:18", "in record",
                 "is not kept any more"):  # fmt: skip
        assert said in text
    (holding,) = [line for line in text.splitlines() if ".queue Array" in line]
    assert holding.rstrip().endswith("telemetry/loggers.js:18")
    quoted = a_finding(WORST, holder="`loggers.queue`, module-level variable `loggers`")
    assert holding in shown(finding_lines(quoted, snapshots, 120))
    assert headline(finding) == "TelemetryEvent +27M a minute held by loggers.queue"
    cut = a_finding(WORST, growers=(), path=(), holder=None, file=None, after=None,
                    cut_short="its memory came near the cap")  # fmt: skip
    text = shown(finding_lines(cut, snapshots, 80, ASCII))
    assert "It ended early: its memory came near the cap" in text and "was not taken" in text


@given(st.text(max_size=80), st.lists(st.text(max_size=60), max_size=8), st.integers(40, 200))
def test_a_finding_of_anything_is_printable(text: str, path: list[str], width: int) -> None:
    finding = a_finding(
        WORST, text=text, path=tuple(path), holder=text, file=text, function=text, name=text
    )
    assert all(text_of(line).isprintable() for line in finding_lines(finding, [], width))


# --- limits ------------------------------------------------------------
def test_larger_limits_are_multiples_and_the_stopgap() -> None:
    choices = raise_choices([WORST])
    assert [choice.label for choice in choices] == [
        "cap 3.0G", "cap 4.0G", "heap 2.2G", "heap 3.0G", "heap 12.0G",
    ]  # fmt: skip
    assert chosen_limits(choices[0].answer) == (3 * GIB, None)
    assert chosen_limits(choices[-1].answer) == (None, 12 * GIB)
    assert not any("heap" in each.label for each in raise_choices([WORST, scene()[3]]))
    assert raise_choices([replace(WORST, cap_bytes=None, heap_limit_bytes=None)]) == []


def test_limits_are_written_as_everywhere() -> None:
    assert written_limits("12G", " ") == (12 * GIB, None)
    assert written_limits("", "900M") == (None, 900 * MIB)
    for wrong in (("", ""), ("much", ""), ("1G", "x")):
        with pytest.raises(UsageError):
            written_limits(*wrong)


# --- long work ------------------------------------------------------------
def test_long_work_shows_how_far_it_is_and_whether_it_can_be_cancelled() -> None:
    lines = activity_lines([an_activity(), WRITING], 120, NOW, UNICODE)
    first, second = map(text_of, lines)
    assert "refactor-auth leak hunt: waits 1m12 more" in first and "1m06 of about 2m30" in first
    assert "esc cancel" in first and "█" in first
    assert "4s of about 9s" in second and "cannot be cancelled" in second
    assert first.index("█") == second.index("█")
    assert activity_lines([], 120, NOW, UNICODE) == []


def test_much_long_work_is_a_short_list() -> None:
    several = [an_activity(id=str(n)) for n in range(9)]
    lines = activity_lines(several, 80, NOW, ASCII)
    assert len(lines) == SHOWN and "and 7 more" in text_of(lines[-1])
    assert sum("esc cancel" in text_of(line) for line in lines) == 1
    assert len(activity_lines(several[:3], 80, NOW, UNICODE)) == 3


@pytest.mark.parametrize("width", [5, 20, 40, 60, 80, 120, 200])
def test_a_line_of_long_work_fits(width: int) -> None:
    evil = an_activity(text="\x1b[2J" + "w" * 500, name="n" * 100, expected_s=None)
    for line in activity_lines([evil, WRITING], width, NOW, UNICODE):
        assert width_of(line) <= width and text_of(line).isprintable()


def test_an_estimate_never_says_that_it_is_over() -> None:
    assert share_done(an_activity(), 9999.0) == 0.99
    assert share_done(an_activity(fraction=1.7), 1.0) == 1.0
    assert share_done(an_activity(fraction=0.2, expected_s=10.0), 1.0) == 0.2
    assert share_done(an_activity(fraction=0.2, expected_s=10.0), 5.0) == 0.5
    assert share_done(an_activity(expected_s=None), 1.0) is None


def test_escape_is_about_the_first_that_can_be_cancelled() -> None:
    assert to_cancel([WRITING, an_activity()]) == an_activity()
    assert to_cancel([WRITING]) is None


def test_the_board_keeps_long_work_until_it_is_told_otherwise() -> None:
    def ids(activities: tuple[Activity, ...]) -> list[str]:
        return [each.id for each in activities]

    board = Board()
    board.apply(
        Picture(at=NOW, host=host(), rows=[], alerts=[], activities=[WRITING, an_activity()]), NOW
    )
    assert ids(board.activities) == ["a1", "a2"]
    board.apply(Change(at=NOW + 1), NOW + 1)
    assert ids(board.activities) == ["a1", "a2"]
    board.apply(Change(at=NOW + 2, activities=[]), NOW + 2)
    assert board.activities == ()
    assert picture().activities == []


def test_heap_keys_say_why_not() -> None:
    by_id = {entry.id: entry for entry in BINDINGS}
    for id in ("heap.collect", "heap.snapshot", "heap.hunt"):
        assert by_id[id].available(WORST) is None
        assert by_id[id].available(row("sh")) == "no process of this command task reports a heap"
        assert by_id[id].available(row("x", state=State.DONE)) == "it has ended"
    assert by_id["task.raise"].available(scene()[-1]) is None
