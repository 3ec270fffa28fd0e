"""The pure lines: table rows, header, alert, summary, footer, welcome."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heaptui.model import CapMeans, HostSample, State
from heaptui.protocol import Picture
from heaptui.tui.board import Board
from heaptui.tui.glyphs import UNICODE
from heaptui.tui.keymap import BINDINGS
from heaptui.tui.lines import Line, text_of, width_of
from heaptui.tui.widgets.alerts import alert_line
from heaptui.tui.widgets.columns import heading, layout
from heaptui.tui.widgets.footer import footer_line
from heaptui.tui.widgets.header import header_line
from heaptui.tui.widgets.rows import Look, age, heap_pair, row_line
from heaptui.tui.widgets.summary import summary_line
from heaptui.tui.widgets.welcome import welcome_lines
from heaptui.units import GIB, MIB
from tests.terminal.fake_operator import ALERTS, NOW, host, picture, row, scene


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
        ({"state": State.STARTING, "memory_bytes": None}, "starts"),
        ({"state": State.RUNNING, "memory_bytes": None}, "not measured yet"),
        ({"state": State.STOPPING, "memory_bytes": None}, "stopping"),
        ({"state": State.FAILED, "reason": "exit code 3"}, "exit code 3"),
        ({"state": State.LOST, "reason": None}, "its end was not seen"),
        ({"state": State.DONE, "reason": "finished", "ended_at": NOW - 90}, "finished after 5m00"),
        ({"state": State.STOPPED, "reason": "stopped by the operator"}, "stopped by the operator"),
    ],
)
def test_a_row_without_figures_says_why(fields: dict, said: str) -> None:
    for width in (80, 120, 200):
        assert said in text_of(row_line(row("a", **fields), look(width)))


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


def picture_sample(*, available: int, pressure: float) -> HostSample:
    sample = host().sample
    assert sample is not None
    return msgspec.structs.replace(sample, mem_available_bytes=available, pressure=pressure)


def test_before_the_first_picture_the_header_says_so() -> None:
    assert "connecting" in text_of(header_line(None, 80, UNICODE, name="state", down=None))
    line = header_line(None, 80, UNICODE, name="state", down="no supervisor answers")
    assert "reconnecting… no supervisor answers" in text_of(line)


# --- alert, summary, footer, welcome ---------------------------------------------------------
def test_an_alert_is_one_line_with_the_keys_that_act_on_it() -> None:
    worst = scene()[0]
    there = text_of(alert_line(ALERTS, worst, 120, UNICODE, here=True))
    assert there.startswith(" ▲ refactor-auth reaches its 2.0G cap in 1m20")
    assert "g collect   s snapshot" in there and "1 of 2" in there and "a seen" in there
    without = msgspec.structs.replace(worst, heap_used_bytes=None, heaps=0)
    assert "K stop…" in text_of(alert_line(ALERTS, without, 120, UNICODE, here=True))
    away = text_of(alert_line(ALERTS, worst, 80, UNICODE, here=False))
    assert "! go" in away and width_of(((away, "plain"),)) <= 80
    assert alert_line([], None, 80, UNICODE, here=False) == ()


@pytest.mark.parametrize("width", [60, 80, 99, 100, 120])
def test_an_alert_keeps_the_margin(width: int) -> None:
    line = text_of(alert_line(ALERTS, scene()[0], width, UNICODE, here=True))
    assert len(line) == width and line.endswith("seen ")


def test_an_alert_has_the_colour_of_its_row() -> None:
    far = msgspec.structs.replace(ALERTS[0], level="red")
    for task, role in ((scene()[0], "red"), (scene()[1], "amber")):
        assert alert_line([far], task, 120, UNICODE, here=False)[0][1] == role


def board() -> Board:
    made = Board()
    made.apply(picture(), NOW)
    return made


def test_the_summary_sums_what_the_filter_shows() -> None:
    made = board()
    assert text_of(summary_line(made, (0, 8), 80, typing=False)).startswith(" 8 tasks  3.60G")
    made.filter_by("bench", NOW)
    line = text_of(summary_line(made, (0, 2), 80, typing=False))
    assert line.startswith(" /bench  2 of 8 tasks  293M")
    made.order_by("memory", NOW, reverse=True)
    made.mark()
    line = text_of(summary_line(made, (0, 1), 100, typing=False))
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
        text_of(alert_line(ALERTS, evil, 120, UNICODE, here=True)),
        text_of(summary_line(made, (0, 1), 120, typing=False)),
    ]
    assert all(char.isprintable() for text in texts for char in text)
    assert "[red]x[/red]" in texts[0]
