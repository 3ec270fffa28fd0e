"""`heaptui ps --tree`, and what a listing and `heaptui show` tell of families."""

from __future__ import annotations

import msgspec
import pytest

from heaptui.cli import listing
from heaptui.cli.detail import put_detail
from heaptui.cli.tree import as_tree, put_tree
from heaptui.model import Detail, Row, State
from tests.terminal.fake_operator import row
from tests.terminal.family_scene import family, parent

ENDED = row("old", state=State.DONE, ended_at=1.0)


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_children_stand_below_their_parent_by_their_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [ENDED, *reversed(family()), row("other")]
    put_tree(as_tree(rows, everything=False), everything=False)
    lines = shown(capsys)
    assert [line.split("  ")[1].strip() for line in lines[1:]] == [
        "e2e-login",
        "├ 1 login form",
        "├ 2 password reset",
        "├ 3 two-factor",
        "│ ├ 1 a.spec.ts 1-190",
        "│ └ 2 the rest",
        "└ 4 join",
        "other",
    ]
    head, top = lines[0], lines[1]
    assert "DONE" in head and "57/200" in top
    assert "split into 4: 1 done, 2 run, 1 waits" in top
    assert "7/50" in lines[3]


def test_all_of_them_are_listed_when_asked_for() -> None:
    rows = [ENDED, *family()]
    assert next(one.row.id for one in as_tree(rows, everything=True)) == ENDED.id
    assert ENDED.id not in {one.row.id for one in as_tree(rows, everything=False)}


def test_a_listing_without_the_ended_children_says_how_many_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [each for each in family() if not each.state.ended]
    listing.put_rows(rows, everything=False)
    assert "split into 4: 1 of 4 children ended" in shown(capsys)[1]
    draining: Row = msgspec.structs.replace(parent(), state=State.SPLITTING)
    listing.put_rows([draining], everything=False)
    assert "drains to be split" in shown(capsys)[1]
    listing.put_rows([row("plain")], everything=False)
    assert "DONE" not in shown(capsys)[0]


def test_the_details_name_parts_children_and_context(capsys: pytest.CaptureFixture[str]) -> None:
    scene = {each.id: each for each in family()}
    children = [each for each in scene.values() if each.parent == "parent"]
    put_detail(Detail(row=scene["parent"]), children)
    out = capsys.readouterr().out
    assert "state      split into 4: 1 done, 2 run, 1 waits" in out
    assert "57/200 done" in out
    assert "2  child2  running" in out and "password reset  7/50 done" in out
    put_detail(Detail(row=scene["child2"]))
    out = capsys.readouterr().out
    assert "part       part 2 of e2e-login: password reset" in out
    assert "26,100 of 30,000 (87%) tokens" in out
    assert "children" not in out
