"""What the panes say of a task: true figures or none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.model import Event, Kind, ProcessSample, State, VerdictKind
from heaptui.tui.facts import task_facts
from heaptui.tui.lines import Line, fitted, flow, sentence, text_of, width_of, wrapped
from heaptui.tui.widgets.dock.absent import snapshot_lines
from heaptui.tui.widgets.dock.context import context_lines
from heaptui.tui.widgets.dock.events import event_lines, event_role, recent
from heaptui.tui.widgets.dock.figures import figures
from heaptui.tui.widgets.dock.memory import memory_lines
from heaptui.tui.widgets.dock.processes import branches, process_lines
from heaptui.tui.widgets.dock.title import HINT, TABS, title
from tests.terminal.dock_operator import NOW, G, M, a_detail, a_row, a_series
from tests.terminal.family_scene import family

UNKNOWN: dict[str, Any] = dict.fromkeys(
    [
        *("memory_bytes", "memory_from", "rss_bytes", "pss_bytes", "uss_bytes", "peak_bytes"),
        *(
            "cap_bytes",
            "soft_bytes",
            "cap_means",
            "growth_bytes_per_min",
            "to_cap_s",
            "cpu_percent",
        ),
        *("processes", "heap_limit_bytes", "timeout_s", "pid"),
    ]
)


def shown(lines: list[Line]) -> str:
    return "\n".join(map(text_of, lines))


def figures_of(**fields: Any) -> str:
    row = a_row(**fields)
    return shown(figures(row, None, 50, 20, NOW))


def test_figures_have_their_values() -> None:
    text = figures_of()
    for part in (
        "memory 1.93G by cgroup",
        "peak 1.97G",
        "pss 1.94G",
        "growth +88M a minute",
        "cap in 1m20",
        "processes 2",
        "pid 41822",
        "age 34m",
        "cap 2.0G by cgroup v2",
        "soft at 1.60G",
        "V8 heap limit 1.50G",
        "time-out in 25m",
    ):
        assert part in text


def test_what_is_unknown_is_a_dot_or_absent_and_never_zero() -> None:
    text = figures_of(**UNKNOWN)
    assert "memory ·" in text
    assert "0" not in text


def test_a_share_of_the_host_is_said_to_be_one() -> None:
    assert "share of this host" in figures_of(cap_source="share")
    assert "share" not in figures_of(cap_source="given")


def test_what_the_worker_and_the_policy_did_has_figures() -> None:
    text = figures_of(
        doing="asks for a checkpoint",
        done=120.0,
        total=200.0,
        progress="chapter\n12",
        checkpoint_at=NOW - 252,
        checkpoint_bytes=61 << 10,
        result_bytes=3 * M,
        expected_bytes=int(1.8 * G),
        recycles=2,
        ooms=1,
        cap_source="grown",
    )
    for part in (
        "asks for a checkpoint\n",
        "progress 120/200 (60 %) chapter 12",
        "checkpoint 4m12 ago, 61k",
        "result 3.00M",
        "expected peak 1.80G",
        "recycles 2",
        "out-of-memory retries 1",
        "grown after it ran out of memory",
    ):
        assert part in text
    assert not {"progress", "checkpoint", "recycles"} & set(figures_of().split())


@pytest.mark.parametrize(
    ("state", "says"),
    [(State.QUARANTINED, "raise its limits and retry it"), (State.LOST, "Nobody knows how")],
)
def test_a_task_that_waits_for_the_operator_says_so(state: State, says: str) -> None:
    text = figures_of(state=state, ended_at=NOW, reason="it was too large", checkpoint_at=NOW - 60)
    assert text.startswith("it was too large")
    assert says in text.replace("\n", " ")
    assert "checkpoint 1m00 ago" in text


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        *((kind, "sky") for kind in ("soft", "recycled", "try-again", "gc", "stop")),
        *((kind, "red") for kind in ("quarantine", "v8-heap-limit", "cap", "unknown", "lost")),
        ("alert", "amber"),
        ("finished", "plain"),
        ("queued", "plain"),
    ],
)
def test_an_event_has_the_colour_of_what_it_means(kind: str, role: str) -> None:
    assert event_role(kind) == role


def test_a_waiting_task_says_why() -> None:
    text = figures_of(state=State.QUEUED, started_at=None, wait_reason="waits for 1.2G of memory")
    assert "waits for 1.2G of memory" in text


def test_a_task_that_backs_off_says_how_it_failed_and_when_it_is_tried_again() -> None:
    text = figures_of(
        state=State.BACKOFF, attempts=2, reason="exit code 3", next_try_at=NOW + 12, started_at=None
    )
    assert text.startswith("attempt 2: exit code 3\nnext try in 12s")


def test_an_ended_task_says_why_with_its_evidence() -> None:
    row = a_row(
        state=State.FAILED,
        ended_at=NOW,
        signal=9,
        reason="killed at its cap of 2.0G",
        verdict=VerdictKind.CAP,
    )
    text = shown(figures(row, a_detail(row), 50, 20, NOW))
    assert "killed at its cap of 2.0G" in text
    assert "signal 9" in text


@pytest.mark.parametrize("size", [(80, 9), (120, 12), (200, 30), (40, 5), (24, 3)])
def test_the_memory_pane_fits_its_room(size: tuple[int, int]) -> None:
    row = a_row()
    lines = memory_lines(row, a_detail(row), a_series(), size, now=NOW)
    assert len(lines) <= size[1]
    assert all(width_of(line) <= size[0] for line in lines)


def test_without_samples_there_is_no_chart() -> None:
    row = a_row(state=State.QUEUED, started_at=None, wait_reason="waits for a slot")
    text = shown(memory_lines(row, a_detail(row), None, (80, 9), now=NOW))
    assert "-30 min" not in text
    assert "Nothing is measured before it runs." in " ".join(text.split())


def test_the_newest_event_is_at_the_bottom() -> None:
    detail = a_detail(a_row())
    lines = event_lines(tuple(reversed(detail.events)), 80, NOW)
    assert "queued by run" in text_of(lines[0])
    assert "grows 88M a minute" in text_of(lines[-1])
    assert len(recent(detail.events, 40, 2, NOW)) == 2


def test_events_are_one_line_each_whatever_they_hold() -> None:
    event = Event(
        at=NOW, task_id="t", attempt=1, kind="x", text="a\n\x1b[2J[red]b[/red]" + "c" * 500
    )
    lines = recent([event], 40, 5, NOW)
    assert len(lines) == 1
    assert width_of(lines[0]) == 40
    assert all(char.isprintable() for line in lines for char in text_of(line))
    assert "[red]b[/red]" in shown(event_lines([event], 80, NOW))


def test_the_tree_is_drawn() -> None:
    assert branches([0, 1, 2, 1]) == ["", "├─ ", "│  └─ ", "└─ "]
    assert branches([0, 1, 2, 3]) == ["", "└─ ", "   └─ ", "      └─ "]
    assert branches([0, 0]) == ["", ""]
    assert branches([]) == []


@given(st.lists(st.integers(0, 6), max_size=30))
def test_any_depths_make_a_tree_of_their_indentation(depths: list[int]) -> None:
    drawn = branches(depths)
    assert [len(each) // 3 for each in drawn] == depths


def test_processes_have_pid_memory_cpu_and_command() -> None:
    detail = a_detail(a_row())
    text = shown(process_lines(detail.row, detail.processes, 80))
    assert "41830    402M     2%  ├─ node worker.js" in text
    assert "41841     21M      ·  └─ rg --json TODO" in text
    assert "4 processes" in text


def test_a_command_is_shown_as_text() -> None:
    process = ProcessSample(7, 1, 0, "\x1b]52;c;eA==\x07[link=x]sh\nrm", M, None)
    lines = process_lines(a_row(), [process], 60)
    assert len(lines) == 2
    assert "[link=x]sh" in text_of(lines[1])
    assert all(char.isprintable() for char in text_of(lines[1]))


def test_empty_panes_say_what_would_fill_them() -> None:
    assert "reports no context" in shown(context_lines(a_row(), 80))
    assert "No snapshots of this task." in shown(snapshot_lines(a_row(), 80))
    assert "reports a heap" in shown(snapshot_lines(a_row(kind=Kind.COMMAND), 80))
    able = a_row(heap_used_bytes=M, heaps=1)
    assert "s takes a heap snapshot" in shown(snapshot_lines(able, 80))
    assert "0" not in shown(context_lines(a_row(), 80))


@given(st.text(max_size=60), st.integers(60, 200), st.sampled_from(list(TABS)))
def test_the_title_holds_every_tab(name: str, width: int, active: str) -> None:
    line, places = title("".join(filter(str.isprintable, name)), active, width, HINT)
    text = text_of(line)
    assert list(places) == list(TABS)
    if name.isascii() and width >= 80:
        assert width_of(line) == width - 1  # a margin at the right
        assert [text[a:b][0] for a, b in places.values()] == list("123456")


def test_facts_never_hold_an_environment_value() -> None:
    text = shown(task_facts(a_detail(a_row()), 80, NOW))
    assert "GEMINI_API_KEY" in text
    assert "values are never shown" in text
    assert "--max-old-space-size=1536" in text
    assert "cap 2.0G by cgroup v2, given" in text


@given(st.text(max_size=300), st.integers(2, 60))
def test_a_sentence_keeps_its_words_within_the_width(text: str, width: int) -> None:
    lines = sentence(text, width)
    assert all(width_of(line) <= width for line in lines)
    assert "".join("".join(map(text_of, lines)).split()) == "".join(text.split())


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100), st.integers(2, 30))
def test_pieces_together_are_the_text(text: str, width: int) -> None:
    assert "".join(wrapped(text, width)) == text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60), st.integers(1, 80))
def test_fitted_is_exactly_as_wide(text: str, width: int) -> None:
    assert width_of(fitted(((text, "plain"), ("tail", "dim")), width)) == width


def test_flow_keeps_fields_whole() -> None:
    fields: list[Line] = [(("aaaa", "plain"),), (("bbbb", "plain"),), (("cccc", "plain"),)]
    assert [text_of(line) for line in flow(fields, 10)] == ["aaaa  bbbb", "cccc"]


def test_sizes_are_binary() -> None:
    assert "cap 2.0G" in figures_of(cap_bytes=2 * G)


def test_the_context_pane_says_how_full_it_is() -> None:
    text = shown(context_lines(a_row(context_tokens=26_100, context_limit=30_000), 80))
    assert "26,100 of 30,000 tokens   87%" in text and "3,900 are left" in text
    text = shown(context_lines(a_row(context_tokens=26_100), 80))
    assert "26,100 tokens" in text and "does not tell the limit" in text and "%" not in text
    over = shown(context_lines(a_row(context_tokens=40_000, context_limit=30_000), 80))
    assert "133%" in over and "0 are left" in over


def test_a_split_task_shows_its_children_and_a_child_what_it_is_a_part_of() -> None:
    scene = {row.id: row for row in family()}
    parent = scene["parent"]
    children = [row for row in scene.values() if row.parent == "parent"]
    text = shown(figures(parent, None, 50, 20, NOW, children))
    assert "split into 4: 1 done, 2 run, 1 waits" in text
    assert "memory 1.22G" in text and "done 57/200" in text
    assert "2 password reset  running      850M     7/50" in text
    assert "50/50" not in shown(figures(parent, None, 37, 20, NOW, children))
    assert "1 of 4 children ended" in shown(figures(parent, None, 50, 20, NOW))
    part = "part 2 of e2e-login: password reset"
    assert part in shown(figures(scene["child2"], None, 50, 20, NOW))
    facts = shown(task_facts(a_detail(parent), 80, NOW, children))
    assert "200 to work through, 57 of them done" in facts and "4 join" in facts
    ended = msgspec.structs.replace(parent, state=State.FAILED, reason="1 of 4 children failed")
    assert "split into 4" in shown(figures(ended, None, 50, 20, NOW))
    assert "was split into 4" in shown(task_facts(a_detail(ended), 80, NOW))
    assert part in shown(task_facts(a_detail(scene["child2"]), 80, NOW))
    waits = "Its children are measured"
    assert waits in " ".join(shown(memory_lines(parent, None, None, (120, 20), now=NOW)).split())
