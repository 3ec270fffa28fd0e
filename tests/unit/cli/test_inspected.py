"""What the list of `heaptui inspect` says, and whom it leaves out."""

from __future__ import annotations

import sys

import pytest

from heaptui.cli.inspected import what_is_possible
from heaptui.inspection import foreign
from heaptui.inspection.foreign import Foreign, Possible

PYTHON = "/opt/venv/bin/python3.12"


def with_ways(*ways: Possible, task: str | None = None) -> Foreign:
    return Foreign(
        pid=7, start=1, runtime="python", command="python", uid=0, user="root", rss_bytes=1,
        age_s=9.0, task=task, possible=ways,
    )  # fmt: skip


def test_a_reason_stands_beside_the_verbs_that_it_is_of() -> None:
    one = with_ways(
        Possible("heap", why="too old"),
        Possible("gc", why="too old"),
        Possible("snapshot", why="too old"),
        Possible("stack", how="from outside"),
    )
    assert what_is_possible(one) == "stack; heap, gc and snapshot: too old"


def test_a_reason_that_all_share_stands_alone() -> None:
    one = with_ways(Possible("heap", why="it is stopped"), Possible("gc", why="it is stopped"))
    assert what_is_possible(one) == "it is stopped"
    several = with_ways(Possible("heap", why="too old"), Possible("stack", why="no py-spy"))
    assert what_is_possible(several) == "heap: too old; stack: no py-spy"


def test_what_a_task_can_is_told_by_its_keys() -> None:
    assert "task t1" in what_is_possible(with_ways(Possible("heap", how="x"), task="t1"))


@pytest.mark.skipif(hasattr(sys, "remote_exec"), reason="this Python can be entered")
def test_which_side_needs_the_newer_python_is_said() -> None:
    why = foreign.remote_exec_why_not(with_ways())
    assert why is not None
    assert "3.14 or newer on both sides; heaptui runs on 3." in why


@pytest.mark.parametrize(
    "argv",
    [
        [PYTHON, "-m", "heaptui", "--state", "/s", "serve"],
        [PYTHON, "-P", "-m", "heaptui.heap.analysis", "a.heapsnapshot"],
        [PYTHON, "-I", "-S", "-X", "frozen_modules", "/lib/heaptui/warden/__main__.py", "/s"],
        [PYTHON, "/opt/venv/bin/heaptui", "--slow"],
    ],
)
def test_heaptui_itself_is_known_by_its_command_line(argv: list[str]) -> None:
    assert foreign.is_heaptui(argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        [PYTHON],
        [PYTHON, "-m", "heaptuition"],
        [PYTHON, "agent.py", "-m", "heaptui"],
        [PYTHON, "agent.py", "heaptui"],
        [PYTHON, "-c", "import heaptui", "heaptui"],
        [PYTHON, "/home/me/heaptui/agent.py"],
        ["vim", "/lib/heaptui/warden/__main__.py"],
    ],
)
def test_what_only_speaks_of_heaptui_is_not_it(argv: list[str]) -> None:
    assert not foreign.is_heaptui(argv)
