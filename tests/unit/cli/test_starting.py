"""How a supervisor is brought up, and what is said when it is not."""

from __future__ import annotations

import os
import socket
from argparse import Namespace
from pathlib import Path

import pytest

from heaptui.cli import starting
from heaptui.cli.context import Context
from heaptui.cli.groups import first_error
from heaptui.cli.screen import show
from heaptui.cli.starting import ensure_served, serve_argv
from heaptui.errors import Refused, StorageTrouble, Unreachable
from heaptui.paths import StateDir
from heaptui.server import take_lock

TRACE = """  + Exception Group Traceback (most recent call last):
  |   File "x.py", line 1, in <module>
  | ExceptionGroup: several (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: the reason
    +------------------------------------
"""


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state").prepare()


def test_the_configuration_that_was_named_is_passed_on_absolute(state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = serve_argv(state, Path("my.toml"))
    assert argv[argv.index("--config") + 1] == str(tmp_path / "my.toml")
    assert argv.index("--config") < argv.index("serve")
    assert "--config" not in serve_argv(state, None)


def test_the_last_words_of_a_trace_are_said_without_its_rules(tmp_path):
    error = starting._error_of(TRACE, 1, tmp_path / "log")
    assert isinstance(error, Unreachable)
    assert error.what.endswith("(exit 1): ValueError: the reason")


def test_an_error_of_the_supervisor_is_raised_as_what_it_was(tmp_path):
    error = starting._error_of("heaptui: It is full.\n  Free space.\n", 6, tmp_path / "log")
    assert isinstance(error, StorageTrouble)
    assert (error.what, error.remedy) == ("It is full.", "Free space.")


def test_the_first_error_of_a_group_is_found_however_deep():
    ours = Refused("no")
    group = BaseExceptionGroup(
        "", [ValueError(), ExceptionGroup("", [OSError(), ours]), StorageTrouble("x")]
    )
    assert first_error(group) is ours
    assert first_error(ours) is ours
    assert first_error(ExceptionGroup("", [ValueError()])) is None


def test_inside_a_task_nothing_is_started_beside_a_warden(state, monkeypatch):
    started: list[object] = []
    monkeypatch.setattr(starting, "_START_WITHIN_S", 0.3)
    monkeypatch.setattr(starting, "_start", lambda *given: started.append(given))
    monkeypatch.setenv("HEAPTUI_TASK", "a1b2c3.1")
    with socket.socket(socket.AF_UNIX) as warden:
        warden.bind(os.fspath(state.socket("warden")))
        warden.listen(0)  # as one that is held up: soon nobody more can be queued
        with pytest.raises(Unreachable, match="does not answer"):
            ensure_served(state)
    assert started == []


def test_a_place_that_was_taken_is_not_tried_without_a_breath(state, monkeypatch):
    starts: list[object] = []

    class Child:
        def poll(self) -> int:
            return 0

    def popen(argv: object, **_: object) -> Child:
        starts.append(argv)
        return Child()

    monkeypatch.setattr(starting, "_START_WITHIN_S", 1.2)
    monkeypatch.setattr(starting, "subprocess", Namespace(Popen=popen, DEVNULL=-3))
    with pytest.raises(Unreachable, match="does not answer"):
        ensure_served(state)
    assert 1 <= len(starts) <= 3


def test_what_a_supervisor_inherits_does_not_make_it_a_part_of_a_task():
    given = {"HEAPTUI_TASK": "a.1", "HEAPTUI_TASK_ID": "a", "HEAPTUI_TASK_NAME": "n",
             "HEAPTUI_ATTEMPT": "1", "HEAPTUI_STATE": "/s", "PATH": "/bin"}  # fmt: skip
    assert starting._without_marks(given) == {"HEAPTUI_STATE": "/s", "PATH": "/bin"}


def test_the_loser_of_two_screens_leaves_without_an_error(state, tmp_path, monkeypatch):
    monkeypatch.setenv("HEAPTUI_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.delenv("HEAPTUI_TASK", raising=False)
    told: list[bool] = []

    def run_app(*_: object, embedded: bool, **__: object) -> str:
        told.append(embedded)
        return "quit"

    monkeypatch.setattr("heaptui.tui.app.run_app", run_app)
    winner = take_lock(state)
    assert winner is not None
    try:
        assert show(Context(state.root), state, label="") == "quit"
    finally:
        os.close(winner)
    assert told == [False]
