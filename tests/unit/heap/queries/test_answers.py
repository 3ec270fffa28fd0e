"""The reader's process from the inside: a question is answered or refused in words."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from heaptui.heap import answers
from heaptui.heap.analysis.service import serve
from tests.unit.heap.core.hand_made import Drawing, write

ALL = [
    answers.Summary(), answers.Objects(name="Thing"), answers.Children(node=1),
    answers.Retainers(node=1), answers.Path(node=1), answers.Dominated(), answers.Strings(),
    answers.Find(id=1), answers.Value(node=3), answers.Diff(), answers.Fresh(name="Thing"),
    answers.Leak(),
]  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    drawing = Drawing()
    top = drawing.root()
    drawing.edge(top, drawing.node("Thing"), "thing")
    drawing.edge(top, drawing.node("a text", "string", 24), "text")
    return write(tmp_path / "one.heapsnapshot", drawing.document())


def said(paths: Iterable[Path], *questions: object) -> list[answers.FromReader]:
    out = io.BytesIO()
    lines = [answers.encode(answers.Asked(n + 1, one)) for n, one in enumerate(questions)]
    serve(list(paths), anyway=True, questions=lines, out=out)
    return [answers.decode_from_reader(line) for line in out.getvalue().splitlines()]


def answered(paths: Iterable[Path], *questions: object) -> list[answers.FromReader]:
    found = said(paths, *questions)
    opened = [one for one in found if isinstance(one, answers.Opened)]
    assert len(opened) == 1
    return found[found.index(opened[0]) + 1 :]


def test_every_question_has_an_answer_of_its_type(file):
    found = answered([file, file], *ALL)
    assert [one.seq for one in found] == list(range(1, len(ALL) + 1))
    for question, one in zip(ALL, found, strict=True):
        assert isinstance(one, answers.Answered), one
        msgspec.json.decode(one.answer, type=answers.ANSWERS[type(question)])


def test_questions_about_two_are_refused_about_one(file):
    for one in answered([file], answers.Diff(), answers.Fresh(name="Thing"), answers.Leak()):
        assert isinstance(one, answers.Trouble)
        assert (one.kind, "two snapshots" in one.what) == ("usage", True)


def test_a_question_without_sense_is_trouble_and_the_next_is_answered(file):
    senseless = [
        answers.Objects(name="\x1b[2J"), answers.Children(node=1 << 62), answers.Find(id=1 << 62),
        answers.Value(node=1), answers.Summary(order="size"), answers.Path(node=-1),
        answers.Strings(order=""),
    ]  # fmt: skip
    *troubles, last = answered([file], *senseless, answers.Summary())
    assert all(isinstance(one, answers.Trouble) for one in troubles)
    assert all(one.what for one in troubles)
    assert isinstance(last, answers.Answered)


def test_limits_and_offsets_beyond_sense_are_bounded(file):
    questions = [
        answers.Objects(name="Thing", offset=-5, limit=1 << 60),
        answers.Objects(name="Thing", offset=1 << 60, limit=5),
        answers.Children(node=1, limit=-1),
        answers.Summary(limit=-1),
        answers.Value(node=3, most=-1),
        answers.Strings(limit=0),
    ]
    found = answered([file], *questions)
    assert all(isinstance(one, answers.Answered) for one in found), found
    pages = [msgspec.json.decode(one.answer) for one in found]
    assert len(pages[0]["rows"]) == 1
    assert [len(pages[1]["rows"]), len(pages[2]["rows"]), pages[3], pages[4], pages[5]] == [
        0, 0, [], "", [],
    ]  # fmt: skip


def test_progress_only_goes_forward_to_the_whole(file):
    fractions = [one.fraction for one in said([file, file]) if isinstance(one, answers.Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_defect_is_told_with_its_question(file, monkeypatch):
    from heaptui.heap.analysis import objects

    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(objects, "of_class", broken)
    trouble, fine = answered([file], answers.Objects(name="Thing"), answers.Summary())
    assert isinstance(trouble, answers.Trouble)
    assert "ZeroDivisionError: by nothing" in trouble.what
    assert isinstance(fine, answers.Answered)


def test_plain_objects_are_explained(file, tmp_path):
    drawing = Drawing()
    drawing.edge(drawing.root(), drawing.node("Object"), "thing")
    other = write(tmp_path / "other.heapsnapshot", drawing.document())
    (one,) = answered([other], answers.Summary(match="Obj"))
    (row,) = msgspec.json.decode(one.answer, type=tuple[answers.ClassRow, ...])
    assert "DevTools" in row.note
