"""The pure lines: table rows, header, alert, summary, footer, welcome."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heaptui.model import Alert, CapMeans, HostSample, State, VerdictKind
from heaptui.protocol import Picture
from heaptui.tui.board import Board
from heaptui.tui.danger import Danger
from heaptui.tui.families import Kinship
from heaptui.tui.glyphs import UNICODE
from heaptui.tui.keymap import BINDINGS, resolved
from heaptui.tui.keys import first_keys
from heaptui.tui.lines import Line, text_of, width_of
from heaptui.tui.widgets.alerts import actions_of, alert_line, alerts_lines
from heaptui.tui.widgets.columns import Layout, heading, layout
from heaptui.tui.widgets.footer import footer_line
from heaptui.tui.widgets.header import header_line
from heaptui.tui.widgets.look import Look
from heaptui.tui.widgets.reasons import age
from heaptui.tui.widgets.rows import heap_pair, row_line
from heaptui.tui.widgets.summary import summary_line
from heaptui.tui.widgets.welcome import welcome_lines
from heaptui.units import GIB, MIB
from tests.terminal.fake_operator import ALERTS, NOW, host, picture, row, scene
from tests.terminal.family_scene import family, parent


def look(width: int, *, heap: bool = True) -> Look:
    return Look(layout=layout(width, 16, heap=heap), now=NOW)


def columns(width: int, *, heap: bool = True) -> list[str]:
    return [column.id for column, _ in layout(width, 16, heap=heap).columns]


def roles(line: Line, text: str) -> set[str]:
    return {role for piece, role in line if text in piece}


# --- columns ---------------------------------------------------------------------------------
def test_columns_give_way_in_the_order_that_was_promised() -> None:
    gone: list[str] = []
    for width in range(128, 20, -1):
        gone += [id for id in columns(width + 1) if id not in columns(width) and id not in gone]
    assert [id for id in gone if id not in ("heap", "heap-short")] == [
        "spark",
        "cpu",
        "kind",
        "tries",
        "age",
        "cap",
        "growth",
        "to-cap",
        "bar",
    ]


def test_at_eighty_columns_what_tells_the_danger_is_there() -> None:
    assert {"name", "memory", "bar", "growth", "to-cap"} <= set(columns(80))
    assert columns(20) == ["name", "memory"]


def test_wide_terminals_grow_the_sparkline() -> None:
    def spark(width: int) -> int:
        return next(w for c, w in layout(width, 16, heap=True).columns if c.id == "spark")

    assert spark(120) <= spark(160) < spark(200)
    assert {"pid", "peak", "processes", "command"} <= set(columns(200))


@pytest.mark.parametrize("width", [*range(1, 60), 60, 80, 100, 120, 131, 160, 200, 300])
def test_rows_and_headings_fit(width: int) -> None:
    shape = look(width)
    assert width_of(heading(shape.layout, "memory")) <= max(width, 12)
    for task in scene():
        assert width_of(row_line(task, shape)) <= max(width, 12)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(State),
    st.text(max_size=60),
    st.text(max_size=80),
    st.one_of(st.none(), st.integers(0, 1 << 45)),
    st.one_of(st.none(), st.floats(-1e12, 1e12)),
    st.one_of(st.none(), st.floats(0, 1e9)),
    st.sampled_from([40, 60, 80, 120, 200]),
)
def test_figures_stay_in_their_columns_whatever_they_are(
    state, name, reason, memory, growth, soon, width
) -> None:
    task = row(
        "x",
        name=name,
        state=state,
        reason=reason,
        memory_bytes=memory,
        growth_bytes_per_min=growth,
        to_cap_s=soon,
        ended_at=NOW - 5,
    )
    line = row_line(task, look(width))
    assert width_of(line) <= width
    assert all(char.isprintable() for char in text_of(line))


# --- a row -----------------------------------------------------------------------------------
def test_a_row_in_danger_is_red_where_the_danger_is() -> None:
    worst = scene()[0]
    line = row_line(worst, look(120))
    assert roles(line, "1.93G") == {"red"} and roles(line, "1m20") == {"red"}
    assert roles(row_line(scene()[1], look(120)), "611/700M") == {"violet"}
    assert roles(line, "42%") == {"plain"}


def test_growth_that_is_no_trend_is_no_danger() -> None:
    breathing = row("a", growth_bytes_per_min=240.0 * MIB, to_cap_s=None)
    assert {role for _, role in row_line(breathing, look(120))} <= {
        "plain", "dim", "quantity", "sky",
    }  # fmt: skip


def test_a_calm_row_has_no_colour_but_its_bar() -> None:
    calm = scene()[3]
    assert {role for _, role in row_line(calm, look(120))} <= {"plain", "dim", "quantity", "sky"}


def test_unknown_is_a_dot_and_never_zero() -> None:
    text = text_of(row_line(row("a", growth_bytes_per_min=None, to_cap_s=None), look(120)))
    assert "·" in text and " 0 " not in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": State.QUEUED, "wait_reason": "waits for a free slot"}, "waits for a free slot"),
        (
            {"state": State.BACKOFF, "next_try_at": NOW + 12, "reason": "exit code 1"},
            "exit code 1   next try in 12s",
        ),
        (
            {
                "state": State.BACKOFF,
                "next_try_at": NOW + 4,
                "reason": "went over its cap of 300M: the kernel ended it",
                "verdict": VerdictKind.CAP,
                "cap_bytes": 450 * MIB,
                "cap_source": "grown",
            },
            "next try with a cap of 450M in 4s",
        ),
        ({"state": State.RECYCLING, "memory_bytes": None, "doing": "drains"}, "drains"),
        ({"state": State.RECYCLING, "memory_bytes": None}, "recycles"),
        ({"state": State.STARTING, "memory_bytes": None}, "starts"),
        ({"state": State.RUNNING, "memory_bytes": None}, "not measured yet"),
        ({"state": State.STOPPING, "memory_bytes": None}, "stopping"),
        ({"state": State.FAILED, "reason": "exit code 3"}, "exit code 3"),
        ({"state": State.LOST, "reason": None}, "nobody knows how it ended   R retry"),
        ({"state": State.DONE, "reason": "finished", "ended_at": NOW - 90}, "finished after 5m00"),
        ({"state": State.STOPPED, "reason": "stopped by the operator"}, "stopped by the operator"),
    ],
)
def test_a_row_without_figures_says_why(fields: dict, said: str) -> None:
    for width in (80, 120, 200):
        assert said in text_of(row_line(row("a", **fields), look(width)))


QUARANTINED = {
    "state": State.QUARANTINED,
    "verdict": VerdictKind.V8_HEAP,
    "ended_at": NOW - 400,
    "reason": "reached V8's heap limit; a larger limit was tried once. It needs more than 1.5G.",
}


def test_a_quarantined_row_says_why_and_the_keys_that_go_on_at_every_width() -> None:
    stuck = row("a", **QUARANTINED)
    said = {width: text_of(row_line(stuck, look(width))) for width in (80, 100, 120, 200)}
    assert all("+ raise, then R retry" in text and "6m ago" in text for text in said.values())
    assert "V8 heap limit" in said[80]
    plain = text_of(row_line(stuck, look(80, heap=False)))
    assert "V8 heap limit   + raise, then R retry" in plain
    assert "quarantined: reached V8's heap limit" in said[120]
    assert "It needs more than 1.5G." in said[200]
    assert "+ raise" not in text_of(
        row_line(row("a", **(QUARANTINED | {"verdict": None})), look(120))
    )


def test_a_lost_row_says_that_nobody_knows_how_it_ended() -> None:
    lost = row("a", state=State.LOST, ended_at=NOW - 60, reason="the machine was started again")
    text = text_of(row_line(lost, look(160)))
    assert "nobody knows how it ended: the machine was started again   R retry" in text
    assert "nobody knows how it ended   R retry" in text_of(row_line(lost, look(80)))


def test_the_keys_that_a_row_names_are_those_in_force() -> None:
    entries, _ = resolved({"task.raise": "f5", "task.retry": "ctrl+r"})
    own = Look(layout=layout(120, 16, heap=True), now=NOW, keys=first_keys(entries))
    assert "F5 raise, then ctrl+r retry" in text_of(row_line(row("a", **QUARANTINED), own))


def test_a_waiting_row_has_its_expected_peak_where_there_is_room() -> None:
    waits = row("a", state=State.QUEUED, wait_reason="waits for 1.2G", expected_bytes=2 * GIB)
    assert "waits for 1.2G   expected peak 2.00G" in text_of(row_line(waits, look(80)))
    long = msgspec.structs.replace(waits, wait_reason="waits for " + "x" * 40)
    assert "expected" not in text_of(row_line(long, look(80)))


def test_what_heaptui_does_stands_where_there_is_room_in_its_colour() -> None:
    busy = row("a", doing="collects garbage", spark=tuple(range(20)))
    for width in (120, 200):
        line = row_line(busy, look(width))
        assert roles(line, "collects garbage") == {"sky"}
        assert line[0] == (" ●", "sky")
        assert "100M" in text_of(line)
    assert "collects" not in text_of(row_line(busy, look(80)))
    assert row_line(busy, look(80))[0] == (" ●", "sky")
    beside = Look(layout=layout(90, 40, heap=False), now=NOW)
    assert "a " in text_of(row_line(busy, beside)) and "collects garbage" in text_of(
        row_line(busy, beside)
    )


def test_a_recycling_row_keeps_its_figures_and_its_sign() -> None:
    line = row_line(row("a", state=State.RECYCLING), look(120))
    assert line[0] == (" ↻", "sky") and "100M" in text_of(line)


def test_progress_has_a_column_on_a_wide_terminal_where_somebody_tells_it() -> None:
    def shape(width: int, *, progress: bool) -> Layout:
        return layout(width, 16, heap=True, progress=progress)

    assert shape(160, progress=True).has("progress")
    assert not shape(160, progress=False).has("progress")
    assert not shape(159, progress=True).has("progress")
    wide = Look(layout=shape(200, progress=True), now=NOW)
    far = row("a", done=120.0, total=200.0, progress="chapter\x1b[2J 12")
    assert "120/200 chapter 12" in text_of(row_line(far, wide))
    parts = row("a", done=0.6, total=1.0, progress="chapter 12")
    assert "60% chapter 12" in text_of(row_line(parts, wide))
    bytes_read = row("a", done=1_200_000.0, total=2_000_000.0)
    assert "60% " in text_of(row_line(bytes_read, wide))
    assert "31,200" in text_of(row_line(row("a", done=31_200.0), wide))
    assert "1e+300" in text_of(row_line(row("a", done=1e300, total=0.0), wide))


def test_the_bar_has_its_tick_at_the_soft_limit_of_the_row() -> None:
    def tick(soft: int | None) -> int:
        return text_of(row_line(row("a", soft_bytes=soft), look(120))).find("┊")

    assert tick(GIB // 2) < tick(int(GIB * 0.8))
    assert tick(None) == -1


def test_marked_and_under_the_cursor() -> None:
    line = row_line(row("a"), look(80), cursor=True, marked=True)
    assert line[0] == ("▌", "sky")
    assert roles(line, "a  ") == {"strong"}


def test_ages_change_in_steps() -> None:
    assert [age(s) for s in (0, 9.9, 10, 59, 60, 119, 3599, 3600, 90_000)] == [
        "<10s",
        "<10s",
        "10s",
        "50s",
        "1m",
        "1m",
        "59m",
        "1h00",
        "25h00",
    ]


def test_the_heap_shares_a_unit_where_it_can() -> None:
    assert heap_pair(611 * MIB, 700 * MIB) == "611/700M"
    assert heap_pair(97 * MIB, 2 * GIB) == "97M/2.00G"
    assert heap_pair(97 * MIB, None) == "97M"
    assert heap_pair(None, 700 * MIB) == "·"


# --- header ----------------------------------------------------------------------------------
def header(width: int = 120, down: str | None = None, **fields: object) -> Line:
    return header_line(host(**fields), width, UNICODE, name="x", down=down)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_the_header_fits_and_keeps_the_counts(width: int) -> None:
    line = header(width)
    assert width_of(line) <= width
    for part in ("heaptui", "web-3", "● 6", "◌ 1", "✗ 1"):
        assert part in text_of(line)


def test_the_header_says_what_is_wrong() -> None:
    assert "dispatch paused" in text_of(header(paused=True))
    assert "figures are old" in text_of(header(down="gone"))
    full = header_line(
        host(sample=picture_sample(available=0, pressure=50.0)), 120, UNICODE, name="", down=None
    )
    assert roles(full, "50.0") == {"red"} and roles(full, "24.0 of 24.0G") == {"red"}


def test_the_sum_of_caps_is_held_against_the_machine() -> None:
    assert "caps 21.5G 90%" in text_of(header())
    assert "expected 3.0 of 4.0G" in text_of(
        header(160, budget_bytes=4 * GIB, expected_bytes=3 * GIB)
    )
    assert "exp 3.0/4.0G" in text_of(header(80, budget_bytes=4 * GIB, expected_bytes=3 * GIB))
    assert "expected 3.00G" in text_of(header(160, expected_bytes=3 * GIB))


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_what_the_policy_does_is_never_louder_than_the_machine(width: int) -> None:
    line = header(width, policy="observe", held="memory pressure of 14 % (calm below 10 %)")
    assert width_of(line) <= width
    assert roles(line, "observe") == {"sky"} and roles(line, "held: m") == {"sky"}
    for part in ("web-3", "24.0G", "● 6", "✗ 1"):
        assert part in text_of(line)
    assert "held" not in text_of(header(width, paused=True, held="x"))


def test_swap_in_use_comes_before_the_sum_of_caps() -> None:
    used = msgspec.structs.replace(host().sample, swap_used_bytes=GIB)
    assert "swap 1.00G" in text_of(header(110, sample=used))
    assert "swap" not in text_of(header(110))


def picture_sample(*, available: int, pressure: float) -> HostSample:
    sample = host().sample
    assert sample is not None
    return msgspec.structs.replace(sample, mem_available_bytes=available, pressure=pressure)


def test_before_the_first_picture_the_header_says_so() -> None:
    assert "connecting" in text_of(header_line(None, 80, UNICODE, name="state", down=None))
    line = header_line(None, 80, UNICODE, name="state", down="no supervisor answers")
    assert "reconnecting… no supervisor answers" in text_of(line)


# --- alert, summary, footer, welcome ---------------------------------------------------------
def alerted(width: int, *, here: bool = True, **fields: object) -> Line:
    alerts = [msgspec.structs.replace(ALERTS[0], **fields), *ALERTS[1:]]
    return alert_line(alerts, scene()[0], width, UNICODE, BINDINGS, here=here)


def test_an_alert_is_one_line_with_the_keys_that_act_on_it() -> None:
    there = text_of(alerted(140))
    assert there.startswith(" ▲ refactor-auth reaches its 2.0G cap in 1m20")
    assert "g collect…   s snapshot…" in there and "1 of 2" in there and "a seen" in there
    away = text_of(alerted(80, here=False))
    assert "! go" in away and len(away) == 80
    assert alert_line([], None, 80, UNICODE, BINDINGS, here=False) == ()


def test_an_alerts_keys_are_those_in_force_that_can_be_used_now() -> None:
    entries, _ = resolved({"task.raise": "f5"})
    ids = ("task.retry", "task.raise", "task.split", "task.stop")
    alert = msgspec.structs.replace(ALERTS[0], actions=ids)
    keys = actions_of(alert, scene()[0], entries)
    assert keys == [("f5", "raise…"), ("K", "stop…")]
    machine = msgspec.structs.replace(alert, task_id=None, actions=("dispatch.pause", "view.worst"))
    assert actions_of(machine, None, entries) == [("P", "pause"), ("!", "worst")]
    assert actions_of(alert, None, entries) == []


def test_an_alerts_figures_come_before_all_keys_but_the_first() -> None:
    narrow = text_of(alerted(80, actions=("heap.collect", "task.stop"), text="x" * 30))
    assert "x" * 30 in narrow and "g collect" in narrow and "K stop" not in narrow


def test_an_alert_says_what_it_means_where_there_is_room() -> None:
    means = "Unless it shrinks it ends then; nothing it did is kept."
    assert means in text_of(alerted(200, meaning=means))
    assert "Unless" not in text_of(alerted(100, meaning=means))


def test_every_alert_is_listed_with_its_meaning_and_its_keys() -> None:
    alerts = [
        msgspec.structs.replace(ALERTS[0], meaning="It ends then. " * 12, since=NOW - 95),
        Alert(id="m", level="amber", text="the machine swaps " * 9, actions=("dispatch.pause",)),
    ]
    rows = {task.id: task for task in scene()}
    for width in (70, 96):
        blocks = alerts_lines(
            alerts, rows, {"m"}.__contains__, BINDINGS, width, now=NOW, glyphs=UNICODE
        )
        assert len(blocks) == len(alerts)
        lines = [line for block in blocks for line in block]
        assert all(width_of(line) <= width for line in lines)
        text = " ".join(text_of(line).strip() for line in lines)
        assert "for 1m35" in text and text.count("It ends then.") == 12 and "g collect" in text
        assert text.count("swaps") == 9 and "seen" in text and "P pause" in text


@pytest.mark.parametrize("width", [60, 80, 99, 100, 120])
def test_an_alert_keeps_the_margin(width: int) -> None:
    line = text_of(alert_line(ALERTS, scene()[0], width, UNICODE, BINDINGS, here=True))
    assert len(line) == width and line.endswith("seen ")


def test_an_alert_has_the_colour_of_its_row() -> None:
    far = msgspec.structs.replace(ALERTS[0], level="red")
    for task, role in ((scene()[0], "red"), (scene()[1], "amber")):
        assert alert_line([far], task, 120, UNICODE, BINDINGS, here=False)[0][1] == role


def board() -> Board:
    made = Board()
    made.apply(picture(), NOW)
    return made


def test_the_summary_sums_what_the_filter_shows() -> None:
    made = board()
    assert text_of(summary_line(made, (0, 8), 80, UNICODE, typing=False)).startswith(
        " 8 tasks  3.60G"
    )
    made.filter_by("bench", NOW)
    line = text_of(summary_line(made, (0, 2), 80, UNICODE, typing=False))
    assert line.startswith(" /bench  2 of 8 tasks  293M")
    made.order_by("memory", NOW, reverse=True)
    made.mark()
    line = text_of(summary_line(made, (0, 1), 100, UNICODE, typing=False))
    assert "1 marked" in line and "by memory reversed" in line and "1-1 of 2" in line


def test_the_footer_shows_what_can_be_done_with_the_row() -> None:
    live, failed = scene()[0], scene()[-1]
    assert "K stop…" in text_of(footer_line(BINDINGS, [live], 120))
    assert "R retry" not in text_of(footer_line(BINDINGS, [live], 120))
    assert "R retry" in text_of(footer_line(BINDINGS, [failed], 120))
    assert "K stop…" not in text_of(footer_line(BINDINGS, [failed], 120))
    for width in (20, 40, 60, 80):
        line = footer_line(BINDINGS, [live], width)
        assert width_of(line) <= width and text_of(line).endswith("? keys")


def test_the_first_minute_has_three_keys_and_what_was_found() -> None:
    lines = [text_of(line) for line in welcome_lines(host(), 80, ended=3)]
    text = "\n".join(lines)
    for said in ("  n  ", "  h  ", "  ?  ", "3 ended", "5.80G of 24.0G", "cgroup v2", "12 tasks"):
        assert said in text
    assert max(map(len, lines)) <= 80
    for means in CapMeans:
        assert means.value in "\n".join(
            text_of(line) for line in welcome_lines(host(means=means), 80, ended=0)
        )


def test_hostile_names_reach_no_line_raw() -> None:
    evil = row("evil", name="\x1b[2J[red]x[/red]\r\n", reason="\x1b]0;t\x07", state=State.FAILED)
    made = Board()
    made.apply(Picture(at=NOW, host=host(), rows=[evil], alerts=[]), NOW)
    made.filter_by("\x1b[2J", NOW)
    texts = [
        text_of(row_line(evil, look(120))),
        text_of(alert_line(ALERTS, evil, 120, UNICODE, BINDINGS, here=True)),
        text_of(summary_line(made, (0, 1), 120, UNICODE, typing=False)),
    ]
    assert all(char.isprintable() for text in texts for char in text)
    assert "[red]x[/red]" in texts[0]


# --- families and contexts -------------------------------------------------------------------
def test_a_split_task_says_how_its_children_stand_and_how_far_they_are() -> None:
    told = Kinship("", "split into 4: 1 failed, 1 done, 1 runs, 1 waits", Danger.RED)
    line = row_line(parent(), look(120), kinship=told)
    assert f"┬ e2e-login        node      1.22G {told.standing}   57/200" in text_of(line)
    assert roles(line, "1 failed") == {"red"}
    short = text_of(row_line(parent(), look(80), kinship=told))
    assert "57/200" in short and "split into 4: 1 failed, 1 done" in short
    assert "1 of 4 children ended" in text_of(row_line(parent(), look(120)))
    calm = row_line(parent(), look(120), kinship=Kinship("", "split into 4: 4 run"))
    assert roles(calm, "4 run") == {"plain"}


def test_a_task_that_drains_to_be_split_says_so() -> None:
    line = row_line(row("a", state=State.SPLITTING), look(120))
    assert line[0] == (" ◐", "sky") and "100M" in text_of(line)
    assert "drains to be" in text_of(line) or "drains…" in text_of(line)
    blank = row_line(row("a", state=State.SPLITTING, memory_bytes=None), look(120))
    assert "drains to be split" in text_of(blank)


def test_a_child_in_the_tree_has_its_number_and_title() -> None:
    below = Kinship("│ └ ")
    child = family()[2]
    assert "● │ └ 2 password" in text_of(row_line(child, look(120), kinship=below))
    assert "● e2e-login:2" in text_of(row_line(child, look(120)))
    for width in range(1, 60):
        assert width_of(row_line(child, look(width), kinship=below)) <= max(width, 12)


def test_what_ran_out_of_memory_and_can_be_divided_offers_that_first() -> None:
    ended = row(
        "a", state=State.QUARANTINED, memory_bytes=None, ended_at=NOW, reason="too large",
        verdict=VerdictKind.V8_HEAP,
    )  # fmt: skip
    assert "x split, or + raise, then R retry" in text_of(
        row_line(msgspec.structs.replace(ended, items=9, items_done=2), look(120))
    )
    for other in (
        ended,
        msgspec.structs.replace(ended, items=9, items_done=9),
        msgspec.structs.replace(ended, items=9, children=3),
    ):
        assert "split" not in text_of(row_line(other, look(120)))


def test_the_context_has_a_column_where_any_task_tells_it() -> None:
    def shape(width: int, *, context: bool = True) -> Layout:
        return layout(width, 16, heap=True, context=context)

    assert shape(80).has("context-short") and shape(160).has("context")
    assert not shape(160, context=False).has_any("context", "context-short")
    filled = row("a", context_tokens=26_100, context_limit=30_000)
    line = row_line(filled, Look(layout=shape(160), now=NOW))
    assert "26k 87%" in text_of(line) and roles(line, "26k") == {"amber"}
    short = row_line(filled, Look(layout=shape(80), now=NOW))
    assert "26k" in text_of(short) and "87%" not in text_of(short)
    alone = row_line(row("a", context_tokens=26_100), Look(layout=shape(160), now=NOW))
    assert roles(alone, "26k") <= {"quantity"} and "%" not in text_of(alone).partition("26k")[2]
    full = row("a", context_tokens=29_500, context_limit=30_000)
    assert roles(row_line(full, Look(layout=shape(160), now=NOW)), "98%") == {"red"}
