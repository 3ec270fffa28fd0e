"""Commands with places for what is left to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heaptui.errors import Refused
from heaptui.runtime.names import clean_name
from heaptui.runtime.placeholders import Filling, abridged, check_room, filled, uses

FILLING = Filling(
    items=("a b", "{slice}", "-c"),
    slice="/s/slice",
    task_file="/srv/{handover}/TASKS.md",
    handover="/s/handover.json",
)


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (("sh", "-c", "wc $1"), set()),
        (("agent", "{items}"), {"items"}),
        (("agent", "--files={items}", "{results}x", "{item}", "{ items }"), set()),
        (("agent", "@{slice}", "{handover}{task_file}"), {"slice", "handover", "task_file"}),
        (("{items}", "{results}"), {"results"}),
        ((), set()),
    ],
)
def test_what_a_command_leaves_open(argv: tuple[str, ...], names: set[str]) -> None:
    assert uses(argv) == names


def test_items_are_arguments_of_their_own_and_paths_parts_of_one() -> None:
    argv = ("{slice}", "--list=@{slice}", "{items}", "-", "{items}", "{task_file}:{handover}")
    assert filled(argv, FILLING) == (
        "{slice}",  # a program is no placeholder
        "--list=@/s/slice",
        *("a b", "{slice}", "-c"),  # what was filled in is not looked at again
        "-",
        *("a b", "{slice}", "-c"),
        "/srv/{handover}/TASKS.md:/s/handover.json",
    )


def test_no_item_left_is_no_argument() -> None:
    assert filled(("x", "{items}", "end"), Filling(items=())) == ("x", "end")


def test_what_has_no_meaning_stays_as_it_was_written() -> None:
    argv = ("jq", "{items}", "{items: .x}", "{slice}", "{results}", "{}")
    assert filled(argv, Filling()) == argv
    assert filled(argv, FILLING)[-2:] == ("{results}", "{}")


def test_many_items_are_shown_by_the_first_and_how_many_more() -> None:
    many = Filling(items=tuple(map(str, range(200))), slice="/s")
    assert abridged(("x", "{items}", "{slice}"), many) == ("x", "0", "1", "2", "… 197 more", "/s")
    four = Filling(items=("0", "1", "2", "3"))
    assert abridged(("x", "{items}"), four) == filled(("x", "{items}"), four)


def test_what_is_let_through_can_be_executed_and_what_is_refused_cannot() -> None:
    """Against the system itself: as much as fits, and twice as much."""
    env = {"PATH": "/usr/bin:/bin", "LONG": "x" * 10_000}
    argv = ["true"]
    while True:
        larger = argv + ["i" * 100] * 1000
        try:
            check_room(larger, env)
        except Refused as refused:
            assert "{slice}" in refused.remedy
            break
        argv = larger
    assert len(argv) > 1000
    true = "/usr/bin/true" if Path("/usr/bin/true").exists() else "/bin/true"
    assert subprocess.run([true, *argv[1:]], env=env, check=False).returncode == 0
    if sys.platform == "linux" and os.sysconf("SC_ARG_MAX") <= 6 << 20:
        with pytest.raises(OSError, match="too long"):
            subprocess.run([true, *argv[1:] * 2], env=env, check=False)


def test_a_placeholder_is_no_script_to_name_a_task_by() -> None:
    assert clean_name("", ("python3", "{items}")) == "python3"
    assert clean_name("", ("python3", "{x}.py")) == "{x}.py"
