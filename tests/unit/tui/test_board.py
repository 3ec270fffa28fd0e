"""The board: what the screen shows, under any sequence of changes and keys."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from heaptui.client import Down
from heaptui.model import Alert, Row, State, VerdictKind
from heaptui.protocol import Change, Picture
from heaptui.tui.board import BAD_MAX, RECENT_MAX, RECENT_S, REORDER_S, Board
from heaptui.tui.danger import Danger, danger
from heaptui.tui.order import NAMES, arranged, following
from heaptui.units import GIB, MIB
from tests.terminal.fake_operator import NOW, host, picture, row, scene


def board_of(*rows: Row, **settings: object) -> Board:
    board = Board(**settings)  # type: ignore[arg-type]
    board.apply(Picture(at=NOW, host=host(), rows=list(rows), alerts=[]), NOW)
    return board


def names(board: Board) -> list[str]:
    return [board.rows[id].name for id in board.visible]


def change(*rows: Row, gone: tuple[str, ...] = ()) -> Change:
    return Change(at=NOW, rows=list(rows), gone=list(gone))


def of(row: Row, **fields: object) -> Row:
    return msgspec.structs.replace(row, **fields)


# --- danger and order ------------------------------------------------------------------------
def test_the_pictures_tasks_stand_in_the_order_of_their_danger() -> None:
    board = Board()
    board.apply(picture(), NOW)
    assert names(board) == [row.name for row in scene()]
    assert board.current is not None and board.current.name == "refactor-auth"


def test_danger_follows_soft_limit_cap_and_time() -> None:
    calm = row("a", memory_bytes=700 * MIB)
    assert danger(calm) is Danger.CALM
    assert danger(of(calm, memory_bytes=820 * MIB)) is Danger.AMBER
    assert danger(of(calm, memory_bytes=1000 * MIB)) is Danger.RED
    assert danger(of(calm, memory_bytes=820 * MIB, soft_bytes=None)) is Danger.CALM
    assert danger(of(calm, state=State.RECYCLING, memory_bytes=820 * MIB)) is Danger.AMBER
    assert danger(of(calm, state=State.QUARANTINED)) is Danger.RED
    assert danger(of(calm, to_cap_s=1199.0)) is Danger.AMBER
    assert danger(of(calm, to_cap_s=1201.0)) is Danger.CALM
    assert danger(of(calm, state=State.FAILED)) is Danger.RED
    assert danger(of(calm, state=State.DONE, memory_bytes=GIB)) is Danger.CALM


def test_about_equal_tasks_do_not_change_places() -> None:
    first, second = row("first", created_at=1.0), row("second", created_at=2.0)
    board = board_of(first, second)
    board.apply(change(of(second, memory_bytes=104 * MIB)), NOW + REORDER_S)
    assert names(board) == ["first", "second"]
    board.apply(change(of(second, memory_bytes=400 * MIB)), NOW + 2 * REORDER_S)
    assert names(board) == ["second", "first"]


def test_what_has_no_figure_stays_below_whichever_way_round() -> None:
    rows = [
        row("none", memory_bytes=None),
        row("less", memory_bytes=1 * MIB),
        row("more", memory_bytes=2 * MIB),
        row("over", state=State.DONE, ended_at=NOW),
    ]
    assert [r.name for r in arranged(rows, "memory")] == ["more", "less", "none", "over"]
    assert [r.name for r in arranged(rows, "memory", reverse=True)] == [
        "less",
        "more",
        "none",
        "over",
    ]


def test_the_orders_go_round() -> None:
    seen, name = [], "danger"
    for _ in NAMES:
        seen.append(name)
        name = following(name)
    assert name == "danger" and sorted(seen) == sorted(NAMES)
    assert following("no such order") == NAMES[0]


# --- freeze ----------------------------------------------------------------------------------
def test_the_order_lasts_five_seconds_and_new_tasks_come_at_the_end() -> None:
    small, large = row("small", memory_bytes=10 * MIB), row("large", memory_bytes=500 * MIB)
    board = board_of(large, small)
    board.apply(change(of(small, memory_bytes=900 * MIB), row("new")), NOW + 4.9)
    assert names(board) == ["large", "small", "new"]
    board.settle(NOW + 5.0)
    assert names(board)[0] == "small"


def test_marks_dialogs_and_the_prompt_freeze_the_order() -> None:
    small, large = row("small", memory_bytes=10 * MIB), row("large", memory_bytes=500 * MIB)
    grown = change(of(small, memory_bytes=900 * MIB))
    for hold, release in (
        (Board.mark, Board.clear_marks),
        (lambda board: board.hold("dialog"), lambda board: board.release("dialog")),
    ):
        board = board_of(large, small)
        hold(board)
        board.apply(grown, NOW + 60)
        assert names(board) == ["large", "small"]
        release(board)
        board.settle(NOW + 61)
        assert names(board) == ["small", "large"]


# --- cursor ----------------------------------------------------------------------------------
def test_the_cursor_stays_with_its_task_when_the_order_changes() -> None:
    board = board_of(*(row(f"t{n}", memory_bytes=(9 - n) * 50 * MIB) for n in range(5)))
    board.move_to(2)
    assert board.current is not None and board.current.name == "t2"
    board.order_by("name", NOW, reverse=True)
    assert board.current.name == "t2" and names(board) == ["t4", "t3", "t2", "t1", "t0"]


def test_when_its_task_leaves_the_cursor_goes_to_the_nearest_neighbour() -> None:
    rows = [row(f"t{n}") for n in range(4)]
    board = board_of(*rows, order="name")
    board.move_to(1)
    board.apply(change(gone=(rows[1].id, rows[2].id)), NOW + 1)
    assert board.current is not None and board.current.name == "t3"
    board.apply(change(gone=(rows[3].id,)), NOW + 2)
    assert board.current is not None and board.current.name == "t0"
    board.apply(change(gone=(rows[0].id,)), NOW + 3)
    assert board.current is None and board.index == -1


# --- filter, marks, sums ---------------------------------------------------------------------
def test_the_filter_wants_every_word_in_name_id_kind_state_or_command() -> None:
    board = Board()
    board.apply(picture(), NOW)
    board.filter_by("NODE agent", NOW)
    assert names(board) == ["refactor-auth"]
    board.filter_by("failed", NOW)
    assert names(board) == ["e2e-login"]
    board.filter_by("audit", NOW)
    assert names(board) == ["schema-audit"]
    board.filter_by("", NOW)
    assert len(board.visible) == 8


def test_sums_are_of_what_the_filter_shows() -> None:
    board = Board()
    board.apply(picture(), NOW)
    board.filter_by("bench", NOW)
    sums = board.sums()
    assert (sums.tasks, sums.memory_bytes, sums.growth_bytes_per_min) == (2, 293 * MIB, 2 * MIB)
    board.filter_by("schema", NOW)
    assert board.sums().memory_bytes is None


def test_actions_work_on_the_marked_else_on_the_cursors() -> None:
    board = board_of(*(row(f"t{n}") for n in range(3)), order="name")
    assert [row.name for row in board.targets()] == ["t0"]
    board.move_to(2)
    board.mark()
    board.move_to(1)
    board.mark()
    assert [row.name for row in board.targets()] == ["t1", "t2"]
    board.filter_by("t2", NOW)
    assert [row.name for row in board.targets()] == ["t2", "t1"]
    board.apply(change(gone=("t1____",)), NOW + 1)
    assert [row.name for row in board.targets()] == ["t2"]


def test_going_to_a_hidden_task_gives_up_the_filter() -> None:
    board = Board()
    board.apply(picture(), NOW)
    board.filter_by("bench", NOW)
    worst = board.worst()
    assert worst is not None and worst.name == "refactor-auth"
    assert board.go(worst.id, NOW)
    assert board.filter == "" and board.cursor == worst.id and worst.id in board.visible
    assert not board.go("nobody", NOW)


def test_the_cursor_goes_to_a_launched_task_once_it_is_there() -> None:
    board = board_of(row("old"))
    board.expect("new___", NOW)
    assert board.current is not None and board.current.name == "old"
    board.apply(change(row("new")), NOW + 1)
    assert board.current.name == "new"
    board.move_to(0)
    board.apply(change(row("new")), NOW + 2)
    assert board.current.name == "old"


# --- ended tasks and alerts ------------------------------------------------------------------
def test_ended_tasks_collapse_and_bad_ones_stay_until_they_are_seen() -> None:
    done = [row(f"d{n}", state=State.DONE, ended_at=NOW - n) for n in range(RECENT_MAX + 3)]
    bad = [row(f"f{n}", state=State.FAILED, ended_at=NOW - 9000 - n) for n in range(BAD_MAX + 2)]
    board = board_of(row("live"), *done, *bad)
    assert len(board.visible) == 1 + RECENT_MAX + BAD_MAX
    assert board.collapsed == 3 + 2
    board.settle(NOW + RECENT_S + 60)
    assert [name for name in names(board) if name[0] == "d"] == []
    board.go("f0____", NOW + RECENT_S + 60)
    assert board.put_away(NOW + RECENT_S + 61)
    assert "f0" not in names(board)
    assert board.current is not None and board.current.name == "f1"


def test_a_live_task_is_not_put_away() -> None:
    board = board_of(row("live"))
    assert not board.put_away(NOW)
    assert names(board) == ["live"]


def test_the_row_under_the_cursor_does_not_collapse() -> None:
    board = board_of(row("live"), row("done", state=State.DONE, ended_at=NOW))
    board.move_to(1)
    board.settle(NOW + 10 * RECENT_S)
    assert names(board) == ["live", "done"]
    board.move_to(0)
    board.settle(NOW + 20 * RECENT_S)
    assert names(board) == ["live"]


def test_a_seen_alert_comes_back_only_when_it_is_raised_again() -> None:
    first, second = (Alert(id=id, level="amber", text="") for id in ("one", "two"))
    board = board_of(row("a"))
    board.apply(Change(at=NOW, alerts=[first, second]), NOW)
    board.seen(["one"])
    board.apply(Change(at=NOW, alerts=[first, second]), NOW)
    assert board.alerts == (second,)
    board.apply(Change(at=NOW, alerts=[second]), NOW)
    board.apply(Change(at=NOW, alerts=[first, second]), NOW)
    assert board.alerts == (first, second)


def test_the_last_picture_stays_while_the_supervisor_is_away() -> None:
    board = board_of(row("a"))
    board.apply(Down("the supervisor went away"), NOW)
    assert board.down == "the supervisor went away" and names(board) == ["a"]
    board.apply(change(), NOW + 1)
    assert board.down is None


# --- any sequence ----------------------------------------------------------------------------
_IDS = [f"t{n}" for n in range(8)]
_ROWS = st.builds(
    lambda id, state, memory, soon: row(
        id,
        id=id,
        state=state,
        memory_bytes=memory,
        to_cap_s=soon,
        ended_at=NOW if state.ended else None,
    ),
    st.sampled_from(_IDS),
    st.sampled_from(State),
    st.one_of(st.none(), st.integers(0, 2 * GIB)),
    st.one_of(st.none(), st.floats(0, 5000)),
)
_STEPS = st.one_of(
    st.tuples(st.just("change"), st.lists(_ROWS, max_size=4), st.lists(st.sampled_from(_IDS))),
    st.tuples(st.just("picture"), st.lists(_ROWS, max_size=6, unique_by=lambda row: row.id)),
    st.tuples(st.just("move"), st.integers(-9, 9)),
    st.tuples(st.just("filter"), st.sampled_from(["", "t1", "running", "zzz"])),
    st.tuples(st.just("order"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("mark")),
    st.tuples(st.just("clear")),
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("put away")),
    st.tuples(st.just("wait"), st.floats(0, 12)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_STEPS, max_size=25))
def test_invariants_hold_under_any_changes_and_keys(steps: list[tuple]) -> None:
    board, now = board_of(*(row(id, id=id) for id in _IDS[:4])), NOW
    for step in steps:
        before, cursor, frozen = board.visible, board.cursor, board.frozen
        match step:
            case ("change", rows, gone):
                board.apply(Change(at=now, rows=rows, gone=gone), now)
            case ("picture", rows):
                board.apply(Picture(at=now, host=host(), rows=rows, alerts=[]), now)
            case ("move", by):
                board.move(by)
            case ("filter", text):
                board.filter_by(text, now)
            case ("order", name, reverse):
                board.order_by(name, now, reverse=reverse)
            case ("mark",):
                board.mark()
            case ("clear",):
                board.clear_marks()
            case ("hold", on):
                (board.hold if on else board.release)("dialog")
            case ("put away",):
                board.put_away(now)
            case ("wait", seconds):
                now += seconds
                board.settle(now)
        # every shown task exists, and once
        assert len(set(board.visible)) == len(board.visible)
        assert set(board.visible) <= board.rows.keys()
        # what is hidden is filtered out or has ended
        for id in board.rows.keys() - set(board.visible):
            assert board.filter or board.rows[id].state.ended
        # the cursor is on a shown task whenever there is one
        assert (board.cursor in board.visible) == bool(board.visible)
        assert (board.cursor is None) == (not board.visible)
        if step[0] in ("change", "picture", "wait") and cursor in board.visible:
            assert board.cursor == cursor
        assert board.marks <= board.rows.keys()
        # what was marked may have left, and with it the hold
        if frozen and board.frozen and step[0] in ("change", "picture", "wait"):
            kept = [id for id in before if id in board.visible]
            assert [id for id in board.visible if id in before] == kept


def test_what_waits_for_the_operator_comes_before_what_only_ended() -> None:
    ended = {
        State.DONE: NOW,
        State.FAILED: NOW - 1,
        State.LOST: NOW - 50,
        State.QUARANTINED: NOW - 40,
    }
    board = board_of(*(row(state.value, state=state, ended_at=at) for state, at in ended.items()))
    assert names(board) == ["quarantined", "lost", "done", "failed"]


def test_the_worst_is_in_danger_or_waits_for_the_operator() -> None:
    calm, stuck = row("calm"), row("stuck", state=State.QUARANTINED, ended_at=NOW - 9)
    board = board_of(calm, stuck, row("failed", state=State.FAILED, ended_at=NOW))
    assert board.worst() == stuck
    soon = of(calm, to_cap_s=60.0)
    board.apply(change(soon), NOW)
    assert board.worst() == soon
    board.apply(change(calm), NOW)
    board.go("stuck_", NOW)
    board.put_away(NOW)
    assert board.worst() == calm


def test_states_and_verdicts_are_found_and_counted() -> None:
    board = board_of(
        row("a", state=State.RECYCLING),
        row("b", state=State.QUARANTINED, verdict=VerdictKind.V8_HEAP, ended_at=NOW),
        row("c"),
    )
    assert (board.sums().recycling, board.sums().quarantined) == (1, 1)
    for text, found in (("recycl", ["a"]), ("quarant", ["b"]), ("v8-heap", ["b"])):
        board.filter_by(text, NOW)
        assert names(board) == found
