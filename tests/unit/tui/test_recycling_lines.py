"""What a recycle would do, to whom, and what came of it, in words."""

from __future__ import annotations

from msgspec.structs import replace

from heaptui.model import Row, State
from heaptui.tui.lines import text_of, width_of
from heaptui.tui.recycling import (
    ANEW,
    COLLECT,
    RECYCLE,
    chosen_rows,
    recycle_choices,
    recycle_lines,
    recycled,
)
from heaptui.units import KIB, MIB
from tests.terminal.fake_operator import NOW, row

KEEPS = row(
    "keeps",
    can=("checkpoint", "drain"),
    checkpoint_at=NOW - 252,
    checkpoint_bytes=61 * KIB,
    heap_used_bytes=80 * MIB,
    heaps=1,
)
NEW = row("new", can=("checkpoint",))
BLIND = row("blind", checkpoint_at=NOW - 60)
NONE = row("none")


def said(*rows: Row) -> str:
    lines = recycle_lines(rows, 66, NOW, 30.0)
    assert all(width_of(line) <= 66 for line in lines)
    return " ".join(map(text_of, lines))


def answers(*rows: Row) -> list[tuple[str, str]]:
    return [(choice.key, choice.answer) for choice in recycle_choices(rows)]


def test_it_names_its_target_and_says_what_happens() -> None:
    text = said(KEEPS)
    assert "task keeps_, attempt 1, pid 41822, started" in text
    assert "asked for a checkpoint (the newest is 4m12 old, 61k); then it ends and starts" in text
    assert "It has 30s to finish what it has in hand" in text
    assert "it has none yet" in said(NEW)
    assert "cannot be asked" in said(BLIND) and "done again" in said(BLIND)


def test_losing_work_is_said_and_takes_another_key() -> None:
    text = said(NONE)
    assert "keeps no checkpoint" in text and "All its work of 6m30 is lost" in text
    older = replace(BLIND, checkpoint_at=NOW - 4000)
    assert "This attempt has kept no checkpoint." in said(older)
    assert "goes on from one that is 1h06 old" in said(older)
    assert answers(older) == [("A", ANEW)]
    assert answers(NONE) == [("A", ANEW)]
    assert answers(KEEPS) == [("r", RECYCLE), ("g", COLLECT)]


def test_of_several_only_those_that_keep_their_work_are_recycled_unless_all_shall_be() -> None:
    text = said(KEEPS, NEW, NONE)
    assert "1 of them without a checkpoint: what those did is lost" in text
    assert answers(KEEPS, NEW, NONE) == [("r", RECYCLE), ("A", ANEW), ("g", COLLECT)]
    rows = (KEEPS, NEW, NONE)
    assert chosen_rows(RECYCLE, rows) == [KEEPS, NEW]
    assert chosen_rows(ANEW, rows) == list(rows)


def gone_on(row: Row) -> Row:
    return replace(row, state=State.QUEUED, recycles=row.recycles + 1, memory_bytes=None)


def test_the_result_is_a_sentence_with_figures() -> None:
    assert recycled([KEEPS], [gone_on(KEEPS)], 4.2) == (
        "keeps: recycled in 4s, gives back 100M; goes on from its checkpoint of 61k",
        False,
    )
    assert recycled([NONE], [gone_on(NONE)], 1.0) == (
        "none: recycled in 1s, gives back 100M; begins anew",
        False,
    )
    many = [KEEPS, NEW]
    assert recycled(many, [gone_on(each) for each in many], 9.0) == (
        "2 tasks recycled in 9s, give back 200M",
        False,
    )


def test_what_was_not_recycled_is_said() -> None:
    finished = replace(NEW, state=State.DONE)
    text, trouble = recycled([KEEPS, NEW], [gone_on(KEEPS), finished], 2.0)
    assert trouble and "new: not recycled: it had finished before" in text
    text, trouble = recycled([KEEPS], [KEEPS], 2.0)
    assert (text, trouble) == ("keeps: not recycled: it runs on, and its events say why", True)
    crowd = [replace(NEW, id=f"n{n}") for n in range(5)]
    assert recycled(crowd, crowd, 1.0)[0].endswith("and 3 more were not recycled")
    assert recycled([KEEPS], [], 1.0) == ("Nothing was there to recycle.", True)
