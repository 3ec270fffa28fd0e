"""The launch dialog's fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.errors import UsageError
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.runtime.naming_inputs import Named
from heaptui.runtime.taskfile import Fallback
from heaptui.tui.launch_form import FIELDS, Form, command_words, read_form


def form(**values: str) -> Form:
    return read_form(values, "/")


def only(**values: str) -> TaskSpec:
    found = form(**values)
    assert found.wrong == {}
    assert len(found.specs) == 1
    return found.specs[0]


def test_blank_fields_have_their_defaults() -> None:
    spec = only(command="node 'my agent.js' --fast")
    assert spec == TaskSpec(
        argv=("node", "my agent.js", "--fast"), cwd="/", name="my agent.js", kind=Kind.NODE
    )


def test_every_field_is_understood(tmp_path: Path) -> None:
    spec = only(
        command="sh -c 'a | b'",
        name="pipe",
        kind="py",
        cap="2G",
        heap="512M",
        timeout="1h30m",
        retries="2",
        priority="-5",
        cwd=str(tmp_path),
    )
    assert spec.argv == ("sh", "-c", "a | b")
    assert (spec.name, spec.kind, spec.cwd) == ("pipe", Kind.PYTHON, str(tmp_path))
    assert (spec.limits.cap_bytes, spec.limits.heap_bytes) == (2 << 30, 512 << 20)
    assert (spec.limits.timeout_s, spec.retries, spec.priority) == (5400.0, 2, -5)


def test_what_is_written_replaces_what_is_configured_and_nothing_else() -> None:
    configured = Fallback(Limits(cap_bytes=1 << 30, grace_s=45), retries=3)
    values = {"command": "true", "cap": "2G", "retries": "0"}
    (spec,) = read_form(values, "/", configured).specs
    assert spec.limits == Limits(cap_bytes=2 << 30, grace_s=45)
    assert spec.retries == 0


def test_a_count_makes_as_many_with_names_of_their_own() -> None:
    names = [spec.name for spec in form(command="true", name="burst", count="3").specs]
    assert names == ["burst/1", "burst/2", "burst/3"]


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("command", "", "Write a program"),
        ("command", "echo 'open", "close it"),
        ("kind", "rust", "command, node, python"),
        ("cap", "2x", "300M, 2G, 1.5G"),
        ("cap", "0", "300M, 2G, 1.5G"),
        ("heap", "lots", "300M, 2G, 1.5G"),
        ("timeout", "soon", "20m"),
        ("retries", "-1", "from 0 to"),
        ("count", "0", "from 1 to"),
        ("count", "1.5", "from 1 to"),
        ("priority", "high", "whole number"),
        ("cwd", "/no/such/directory", "Make it"),
    ],
)
def test_what_cannot_be_understood_names_the_accepted_forms(
    field: str, value: str, accepted: str
) -> None:
    found = form(**({"command": "true"} | {field: value}))
    assert found.specs == []
    assert list(found.wrong) == [field]
    assert accepted in found.wrong[field]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert set(form(command="", cap="x", count="x").wrong) == {"command", "cap", "count"}


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), min_size=1))
def test_what_is_shown_is_what_is_run(words: list[str]) -> None:
    import shlex

    assert command_words(shlex.join(words)) == tuple(words)


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=20)))
def test_nothing_typed_breaks_the_form(values: dict[str, str]) -> None:
    found = read_form(values, "/")
    assert bool(found.specs) != bool(found.wrong)


def test_a_command_needs_words() -> None:
    with pytest.raises(UsageError):
        command_words("   ")


def test_a_preset_is_named_or_begun_and_what_looks_inside_can_be_left_out() -> None:
    spec = only(command="node a.js", preset="lea", preload="no", traced="5")
    assert (spec.preset, spec.preload, spec.tracemalloc) == ("lean", False, 5)
    assert only(command="node a.js", preset="none").preset == ""
    assert only(command="node a.js").preload
    assert "large-context" in form(command="true", preset="huge").wrong["preset"]
    assert "yes or no" in form(command="true", preload="maybe").wrong["preload"]
    assert "from 0 to" in form(command="true", traced="-1").wrong["traced"]


def test_the_memory_policy_of_one_task_is_written() -> None:
    spec = only(command="node a.js", cap="2G", soft="1.5G", gc="every 5m", lost="retry")
    assert spec.limits.soft_bytes == 3 << 29
    assert (spec.gc, spec.retry_lost) == ("every 5m", True)
    blank = only(command="node a.js", lost="ask")
    assert (blank.limits.soft_bytes, blank.gc, blank.retry_lost) == (None, None, False)
    assert "less than the cap" in form(command="true", cap="1G", soft="1G").wrong["soft"]
    assert "every 5m" in form(command="true", gc="often").wrong["gc"]
    assert "retry or ask" in form(command="true", lost="perhaps").wrong["lost"]


def test_what_a_task_works_through_is_named_in_one_of_three_fields() -> None:
    found = form(command="true {items}", inputs="src/*.py 'my file'")
    assert found.named == Named(inputs=("src/*.py", "my file"))
    assert form(command="true", **{"from": "list.txt"}).named == Named(inputs_from="list.txt")
    assert form(command="true", tasks="~/T.md").named == Named(task_file="~/T.md")
    assert form(command="true").named == Named()
    twice = form(command="true", inputs="a", tasks="b", **{"from": "c"}).wrong
    assert set(twice) == {"from", "tasks"} and "inputs says already" in twice["tasks"]
    assert "path of a file" in form(command="true", **{"from": "-"}).wrong["from"]
    assert "split it" in form(command="true", inputs="a", count="2").wrong["count"]
    assert "quotation" in form(command="true", inputs="'a").wrong["inputs"]
