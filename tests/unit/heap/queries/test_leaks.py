"""Two snapshots of a program that leaks: the answer names what holds the leak, and its file."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from heaptui.heap.answers import Diff, Fresh, Leak, LeakAnswer
from tests.unit.heap.queries.programs import LEAKS, leaked, nodes, opened

NODE_LEAKS = {
    "closure_array.cjs": ("`kept` of makeKeeper", "Object"),
    "module_array.cjs": ("module-level variable `history`", "Object"),
    "module_const.mjs": ("module-level variable `messages`", "Object"),
    "module_exported.mjs": ("module-level variable `registry`", "Object"),
    "map_cache.cjs": ("module-level variable `responses`", "Object"),
    "set_seen.cjs": ("module-level variable `seen`", "Object"),
    "listeners.cjs": ("`bus._events.message`", "Function"),
    "timers.cjs": ("timers that wait", "Timeout"),
    "promises.cjs": ("module-level variable `ready`", "Function"),
    "resolvers.cjs": ("module-level variable `pending`", "Promise"),
    "buffers.cjs": ("module-level variable `chunks`", "Buffer"),
    "string_log.cjs": ("module-level variable `transcript`", "(concatenated string)"),
    "instance_field.cjs": ("`session.turns`", "Object"),
    "many_sessions.cjs": ("module-level variable `sessions`", "Object"),
    "static_field.cjs": ("`Metrics.samples`", "Object"),
    "linked_list.cjs": ("`queue.first.next…`", "Object"),
    "held_twice.cjs": ("module-level variable", "Object"),
}
PYTHON_LEAKS = {
    "module_list.py": ("module-level variable `history`", "dict"),
    "attribute.py": ("`session.turns`", "dict"),
    "closure_cell.py": ("variable `kept` of make_keeper", "dict"),
    "dict_cache.py": ("module-level variable `responses`", "str"),
    "class_attribute.py": ("`Metrics.samples`", "dict"),
    "buffers.py": ("module-level variable `chunks`", "bytearray"),
}


def found(program: str, directory: Path, with_node: Path | None = None) -> LeakAnswer:
    answer = opened(*leaked(LEAKS / program, directory, with_node)).answer(Leak())
    assert isinstance(answer, LeakAnswer)
    return answer


def names_holder(answer: LeakAnswer, program: str, holder: str, class_name: str) -> None:
    assert answer.holder is not None
    assert holder in answer.holder, answer.text
    assert answer.file is not None
    assert Path(answer.file).name == program
    assert answer.path[0].name == "(root)"
    assert class_name in {grown.name for grown in answer.growers}, answer.growers
    assert answer.new_bytes > 500_000
    assert all(grown.bytes > 0 for grown in answer.growers)
    assert Path(answer.file).name in answer.text


@pytest.mark.parametrize(
    ("program", "with_node"), zip(NODE_LEAKS, itertools.cycle(nodes()), strict=False), ids=str
)
def test_a_leak_of_node_is_named(program, with_node, tmp_path):
    """By turns with each Node that is there."""
    names_holder(found(program, tmp_path, with_node), program, *NODE_LEAKS[program])


@pytest.mark.parametrize("program", PYTHON_LEAKS)
def test_a_leak_of_python_is_named(program, tmp_path):
    names_holder(found(program, tmp_path), program, *PYTHON_LEAKS[program])


@pytest.mark.parametrize("with_node", nodes(), ids=str)
def test_a_small_leak_beside_a_large_cache_that_is_replaced_whole(with_node, tmp_path):
    files = leaked(LEAKS / "closure_array.cjs", tmp_path, with_node, entries=40_000)
    answer = opened(*files).answer(Leak())
    assert answer.new_bytes < 3 << 20
    names_holder(answer, "closure_array.cjs", "`kept` of makeKeeper", "Object")


@pytest.mark.parametrize("with_node", nodes(), ids=str)
def test_a_global_variable_is_named_though_no_file_knows_it(with_node, tmp_path):
    answer = found("global_array.cjs", tmp_path, with_node)
    assert answer.holder == "global variable `collectedRows`"


@pytest.mark.parametrize("with_node", nodes(), ids=str)
def test_what_replaces_its_entries_has_not_grown(with_node, tmp_path):
    answer = found("nothing.cjs", tmp_path, with_node)
    assert answer.text.startswith("Nothing grew")
    assert (answer.holder, answer.growers, answer.path) == (None, (), ())


def test_what_replaces_its_entries_has_not_grown_in_python(tmp_path):
    assert found("nothing.py", tmp_path).text.startswith("Nothing grew")


def test_two_processes_are_told_from_one(tmp_path):
    (with_node, *_) = nodes()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    older, _ = leaked(LEAKS / "map_cache.cjs", first, with_node)
    _, newer = leaked(LEAKS / "map_cache.cjs", second, with_node)
    engine = opened(older, newer)
    assert "do not look like snapshots of one process" in engine.headers[1].notes[-1]
    answer = engine.answer(Leak())
    assert "not two snapshots of one process" in answer.text
    rows = {row.name: row for row in engine.answer(Diff())}
    assert rows["Object"].new == 4000
    assert all(not (row.new and row.freed) for row in rows.values())


def test_new_objects_of_a_class(tmp_path):
    (with_node, *_) = nodes()
    engine = opened(*leaked(LEAKS / "buffers.cjs", tmp_path, with_node))
    page = engine.answer(Fresh(name="Buffer", limit=3))
    assert page.total == 4000
    assert [row.name for row in page.rows] == ["Buffer"] * 3
    assert page.rows[0].retained > 10_000
