"""Without numpy: the same counts, a difference, and words on how to get the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from heaptui.errors import Refused, Unreadable, UsageError
from heaptui.heap import answers
from heaptui.heap.analysis.plain.engine import Plain
from tests.unit.heap.core.hand_made import Drawing, write
from tests.unit.heap.queries.programs import LEAKS, leaked, nodes, opened


def plain(*paths: Path) -> Plain:
    return Plain(paths, lambda _phase, _fraction: None)


@pytest.fixture(scope="module")
def of_node(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    (with_node, *_) = nodes()
    return leaked(LEAKS / "map_cache.cjs", tmp_path_factory.mktemp("node"), with_node)


@pytest.fixture(scope="module")
def of_python(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return leaked(LEAKS / "dict_cache.py", tmp_path_factory.mktemp("python"))


def test_sizes_and_counts_are_those_of_the_file(of_node):
    counted = {row.name: row for row in plain(of_node[0]).answer(answers.Summary(limit=1000))}
    full = {row.name: row for row in opened(of_node[0]).answer(answers.Summary(limit=1000))}
    for name in ("(string)", "(concatenated string)", "(sliced string)"):
        assert (counted[name].count, counted[name].shallow) == (
            full[name].count,
            full[name].shallow,
        )
    # the fast engine counts what an object keeps for itself alone as the object's own
    assert counted["Function"].count == full["Function"].count
    assert sum(row.shallow for row in counted.values()) == sum(row.shallow for row in full.values())
    assert all(row.retained is None and row.share is None for row in counted.values())


def test_a_difference_is_the_fast_engine_s(of_node):
    slow = {row.name: row for row in plain(*of_node).answer(answers.Diff(limit=1000))}
    fast = {row.name: row for row in opened(*of_node).answer(answers.Diff(limit=1000))}
    for name in ("Object", "(string)", "(concatenated string)"):
        assert (slow[name].new, slow[name].freed) == (fast[name].new, fast[name].freed)
    assert slow["(string)"].delta_bytes == fast["(string)"].delta_bytes


def test_python_is_counted_too(of_python):
    counted = {row.name: row for row in plain(of_python[1]).answer(answers.Summary(limit=1000))}
    full = {row.name: row for row in opened(of_python[1]).answer(answers.Summary(limit=1000))}
    assert (counted["str"].count, counted["str"].shallow) == (
        full["str"].count,
        full["str"].shallow,
    )
    rows = {row.name: row for row in plain(*of_python).answer(answers.Diff(limit=1000))}
    assert 8000 <= rows["str"].delta < 8100


def test_it_says_what_it_lacks_and_how_to_get_it(of_node):
    engine = plain(of_node[0])
    (header,) = engine.headers
    assert header.engine == "plain"
    assert "pip install 'heaptui[heap]'" in header.notes[0]
    with pytest.raises(Refused) as refused:
        engine.answer(answers.Path(node=1))
    assert "pip install 'heaptui[heap]'" in refused.value.remedy
    with pytest.raises(UsageError, match="two snapshots"):
        engine.answer(answers.Diff())
    with pytest.raises(UsageError, match="no order"):
        engine.answer(answers.Summary(order="size"))


def test_two_processes_are_told_from_one(of_node, of_python, tmp_path):
    (with_node, *_) = nodes()
    _, other = leaked(LEAKS / "map_cache.cjs", tmp_path, with_node)
    engine = plain(of_node[0], other)
    assert "do not look like snapshots of one process" in engine.headers[1].notes[1]
    assert all(not (row.new and row.freed) for row in engine.answer(answers.Diff()))
    assert len(plain(*of_node).headers[1].notes) == 1


def test_order_match_and_limit(of_node):
    engine = plain(of_node[0])
    names = [row.name for row in engine.answer(answers.Summary(order="name", limit=5))]
    assert names == sorted(names)
    counts = [row.count for row in engine.answer(answers.Summary(order="count"))]
    assert counts == sorted(counts, reverse=True)
    assert {row.name for row in engine.answer(answers.Summary(match="MAP", limit=1000))} >= {"Map"}


def document() -> dict[str, object]:
    drawing = Drawing()
    drawing.edge(drawing.root(), drawing.node("Thing"), "thing")
    return drawing.document()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file["nodes"].append(3),
        lambda file: file["nodes"].pop(),
        lambda file: file["nodes"].__setitem__(0, 200),
        lambda file: file["nodes"].__setitem__(1, "text"),
        lambda file: file["snapshot"].__setitem__("node_count", 10_000_000),
        lambda file: file["snapshot"].__setitem__("node_count", 2),
    ],
)
def test_a_forged_file_is_unreadable(tmp_path, spoil):
    forged = document()
    spoil(forged)
    with pytest.raises(Unreadable):
        plain(write(tmp_path / "forged.heapsnapshot", forged))


def test_a_name_that_is_not_there_is_no_end(tmp_path):
    forged = document()
    forged["nodes"][1 + 7 * 2] = 999
    names = {row.name for row in plain(write(tmp_path / "f.heapsnapshot", forged)).answer(
        answers.Summary()
    )}  # fmt: skip
    assert "(no name 999)" in names
