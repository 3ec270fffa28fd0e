"""The board as a tree: families stay together, nothing jumps, and what is closed can be found."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from heaptui.model import Row, State
from heaptui.protocol import Change, Picture
from heaptui.tui.board import REORDER_S, Board
from heaptui.tui.danger import Danger
from heaptui.units import MIB
from tests.terminal.fake_operator import NOW, host, row
from tests.terminal.family_scene import among_others, child, family, family_picture, parent

FAMILY = [
    "parent", "child2", "child3", "grand1", "grand2", "child4", "child1",
]  # fmt: skip


def board_of(rows: list[Row], *, tree: bool = True) -> Board:
    board = Board(tree=tree)
    board.apply(Picture(at=NOW, host=host(), rows=rows, alerts=[]), NOW)
    return board


def change(*rows: Row, gone: tuple[str, ...] = ()) -> Change:
    return Change(at=NOW, rows=list(rows), gone=list(gone))


def of(row: Row, **fields: object) -> Row:
    return msgspec.structs.replace(row, **fields)


def test_children_stand_under_their_parent_where_the_worst_of_them_would_stand() -> None:
    board = board_of(among_others())
    names = [board.rows[id].name for id in board.visible]
    assert names[0] == "refactor-auth"
    assert board.visible[1:8] == tuple(FAMILY)
    assert names[8] == "docs-site"
    assert [board.kinship(id).branch for id in FAMILY] == [
        "", "├ ", "├ ", "│ ├ ", "│ └ ", "├ ", "└ ",
    ]  # fmt: skip
    told = board.kinship("parent")
    assert told.standing == "split into 4: 1 done, 2 run, 1 waits"
    assert told.danger is Danger.AMBER
    assert board.kinship("child3").danger is Danger.CALM
    assert board.kinship("child2").standing == ""


def test_without_the_tree_every_task_stands_for_itself() -> None:
    board = board_of(among_others(), tree=False)
    assert {board.kinship(id).branch for id in board.visible} == {""}
    assert board.visible.index("child2") < board.visible.index("parent")
    board.as_tree(True, NOW)
    assert board.visible[1:8] == tuple(FAMILY)
    board.as_tree(False, NOW)
    assert not board.fold() and not board.unfold()


def test_a_family_counts_once_in_the_sums() -> None:
    alone = board_of(family()).sums()
    assert alone.memory_bytes == 1250 * MIB
    assert alone.growth_bytes_per_min == 13.0 * MIB
    assert alone.split == 2
    orphans = board_of(family()[1:]).sums()
    assert orphans.memory_bytes == 1250 * MIB


def test_a_closed_family_shows_its_parent_and_opens_where_it_stands() -> None:
    board = board_of(among_others())
    board.go("child2", NOW)
    assert board.fold() and board.cursor == "parent"
    before = board.visible
    assert board.fold() and "child2" not in board.visible
    assert board.visible == tuple(id for id in before if id not in FAMILY[1:])
    assert not board.fold()
    board.settle(NOW + REORDER_S)
    assert "child2" not in board.visible
    assert board.kinship("parent").danger is Danger.AMBER
    assert board.unfold() and board.visible == before
    assert not board.unfold()


def test_going_to_a_task_opens_its_family() -> None:
    board = board_of(among_others())
    board.go("parent", NOW)
    board.fold()
    board.go("grand1", NOW)
    assert board.current is not None and board.current.id == "grand1"
    assert "grand1" in board.visible


def test_children_that_come_stand_under_their_parent_and_move_nothing_that_is_held() -> None:
    rows = among_others()
    new = child(5, "late", state=State.QUEUED, memory_bytes=None)
    board = board_of(rows)
    before = board.visible
    board.apply(change(new), NOW + 1)
    assert [id for id in board.visible if id != "child5"] == list(before)
    assert board.kinship("child5").branch == "└ "
    board = board_of(rows)
    board.hold("a dialog")
    board.apply(change(new), NOW + 1)
    assert board.visible == (*before, "child5")
    assert board.kinship("child5").branch == ""
    board.release("a dialog")
    board.settle(NOW + REORDER_S)
    assert board.kinship("child5").branch


def test_ended_children_stay_as_long_as_their_parent_waits() -> None:
    board = board_of(among_others())
    later = NOW + 3600
    board.settle(later)
    assert "child1" in board.visible
    over = [
        of(each, state=State.DONE, ended_at=later, memory_bytes=None)
        for each in family()
        if not each.state.ended
    ]
    board.apply(change(*over), later)
    board.settle(later + REORDER_S)
    assert "parent" in board.visible and not {"child1", "child2"} & set(board.visible)
    assert board.collapsed == 0
    board.go("parent", later)
    assert board.unfold() and "child2" in board.visible


def test_a_family_that_ends_under_the_cursor_stays_open() -> None:
    board = board_of(among_others())
    board.go("child2", NOW)
    over = [of(each, state=State.DONE, ended_at=NOW, memory_bytes=None) for each in family()]
    board.apply(change(*over), NOW)
    board.settle(NOW + REORDER_S)
    assert board.cursor == "child2" and "child2" in board.visible
    board.go("refact", NOW)
    board.settle(NOW + 2 * REORDER_S)
    assert "child2" not in board.visible


def test_the_cursor_goes_to_the_parent_when_its_family_closes() -> None:
    board = board_of(among_others())
    board.go("grand2", NOW)
    assert board.fold() and board.cursor == "child3"
    assert board.fold() and board.fold() and board.cursor == "parent"


def test_a_filter_finds_children_by_their_title_and_what_is_closed() -> None:
    board = board_of(among_others())
    board.go("parent", NOW)
    board.fold()
    board.filter_by("two-factor", NOW)
    assert board.visible == ("child3",)
    assert board.kinship("child3").branch == ""
    assert not board.fold() and not board.unfold()


def test_a_parent_without_a_figure_waits_like_the_others() -> None:
    waits = parent(memory_bytes=None)
    board = board_of([row("runs"), waits])
    assert board.visible[0] != "parent"
    assert board.kinship("parent").danger is Danger.CALM


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            ["fold", "unfold", "down", "up", "tree", "mark", "settle", "end", "gone", "back"]
        ),
        max_size=25,
    )
)
def test_under_any_keys_and_changes_the_tree_holds(steps: list[str]) -> None:
    board, now = Board(), NOW
    board.apply(family_picture(), now)
    for step in steps:
        now += 2
        match step:
            case "fold":
                board.fold()
            case "unfold":
                board.unfold()
            case "down" | "up":
                board.move(1 if step == "down" else -1)
            case "tree":
                board.as_tree(not board.tree, now)
            case "mark":
                board.mark()
            case "settle":
                board.settle(now)
            case "end":
                board.apply(change(of(family()[2], state=State.FAILED, ended_at=now)), now)
            case "gone":
                board.apply(change(gone=("parent",)), now)
            case "back":
                board.apply(family_picture(), now)
        assert len(set(board.visible)) == len(board.visible)
        assert board.cursor in board.visible
        assert set(board.visible) <= board.rows.keys()
        for id in board.visible:
            assert len(board.kinship(id).branch) in ((0, 2, 4) if board.tree else (0,))
