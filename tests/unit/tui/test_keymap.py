"""The table of keys: unique ids, no key twice in one place, and what is made from it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from heaptui.model import State
from heaptui.tui.keymap import BINDINGS, bindings, markdown_table, resolved
from heaptui.tui.keys import display
from heaptui.tui.widgets.footer import keys_of
from tests.terminal.fake_operator import scene

_LIVE, _FAILED = scene()[0], scene()[-1]


def test_ids_are_unique_and_no_place_has_a_key_twice() -> None:
    assert len({entry.id for entry in BINDINGS}) == len(BINDINGS)
    assert resolved({}) == (BINDINGS, [])


def test_every_binding_has_an_id_and_its_keys_from_the_table() -> None:
    for where in {entry.where for entry in BINDINGS}:
        for binding, entry in zip(
            bindings(where), (e for e in BINDINGS if e.where == where), strict=True
        ):
            assert (binding.id, binding.key) == (entry.id, ",".join(entry.keys))


def test_the_configuration_replaces_keys_by_id() -> None:
    entries, wrong = resolved({"task.stop": "ctrl+k, f8"})
    assert next(e for e in entries if e.id == "task.stop").keys == ("ctrl+k", "f8")
    assert wrong == []


def test_what_is_wrong_in_the_configuration_is_said() -> None:
    _, wrong = resolved({"task.explode": "x", "task.new": "q"})
    assert any("task.explode is no action" in text for text in wrong)
    assert any("q is both" in text for text in wrong)


def test_what_cannot_be_done_says_why() -> None:
    by_id = {entry.id: entry for entry in BINDINGS}
    assert by_id["task.stop"].available(_LIVE) is None
    assert by_id["task.stop"].available(_FAILED) == "it has ended"
    assert by_id["task.retry"].available(_LIVE) == "it has not ended"
    assert by_id["task.forget"].available(None) == "there is no task under the cursor"
    assert by_id["task.new"].available(None) is None


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.RUNNING, None),
        (State.RECYCLING, "it is being recycled already"),
        (State.STOPPING, "it is being stopped"),
        (State.QUEUED, "it does not run yet"),
        (State.LOST, "it has ended"),
    ],
)
def test_only_a_worker_that_runs_is_recycled(state: State, why: str | None) -> None:
    by_id = {entry.id: entry for entry in BINDINGS}
    for id in ("task.recycle", "detail.recycle"):
        assert by_id[id].available(replace(_LIVE, state=state)) == why


def test_keys_read_as_an_operator_writes_them() -> None:
    assert [display(key) for key in ("question_mark", "f9", "escape", "ctrl+p", "K", "f")] == [
        "?",
        "F9",
        "esc",
        "ctrl+p",
        "K",
        "f",
    ]


def test_the_readmes_table_has_every_id() -> None:
    table = markdown_table()
    assert all(f"`{entry.id}`" in table for entry in BINDINGS)
    assert len(table.splitlines()) == len(BINDINGS) + 2


def test_keys_are_named_as_the_configuration_has_them() -> None:
    entries, _ = resolved({"history.open": "ctrl+o"})
    ids = ("history.open", "detail.collect", "detail.stop")
    assert keys_of(entries, ids, _LIVE) == [
        ("ctrl+o", "open"), ("g", "collect…"), ("K", "stop…"),
    ]  # fmt: skip
    ended = replace(_LIVE, state=State.DONE)
    assert keys_of(entries, ids, ended) == [("ctrl+o", "open")]
