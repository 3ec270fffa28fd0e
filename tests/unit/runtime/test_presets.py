"""Presets as data: the shipped ones, an operator's own, and what is refused."""

from pathlib import Path

import pytest

from heaptui.errors import Refused, UsageError
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.runtime import heap_limits, presets
from heaptui.runtime.node import NodeFacts
from heaptui.runtime.placement import ARGV, LEFT_OUT, NODE_OPTIONS, places
from heaptui.units import GIB, MIB

SHIPPED = {
    "lean": (256, 4, ("--optimize-for-size",)),
    "standard": (1024, 16, ()),
    "large-context": (4096, 32, ()),
    "worker": (4096, 16, ("--optimize-for-size",)),
    "production": (8192, 16, ()),
}
WHOLE = """
about = "what it is for"
old = "1G"
semi = 8388608
flags = ["--optimize-for-size", "--stack_size=2000"]
measured = ["half of it"]
"""


def spec(kind: Kind = Kind.NODE, preset: str = "", **limits: int) -> TaskSpec:
    return TaskSpec(argv=("x",), cwd="/", kind=kind, preset=preset, limits=Limits(**limits))


def everywhere(flag: str) -> bool:
    return bool(flag)


def test_the_shipped_ones_are_what_they_promise(tmp_path: Path) -> None:
    found = {one.name: one for one in presets.every(tmp_path)}
    told = {name: (one.old_mb, one.semi_mb, one.flags) for name, one in found.items()}
    assert told == SHIPPED
    for one in found.values():
        assert one.about
        assert one.measured
        assert one.source is None
        # V8 has a semi-space of 1M, whatever is said, where it optimises for size
        semi_mb = 1 if one.flags else one.semi_mb
        assert one.limit_bytes == (one.old_mb + 3 * semi_mb) * MIB
        assert one.cap_bytes == (one.old_mb + 3 * one.semi_mb + 100) * MIB
    limits = [one.limit_bytes for one in presets.every(tmp_path)]
    assert limits == sorted(limits)


def test_an_operators_own_wins_over_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "lean.toml").write_text(WHOLE)
    (tmp_path / "mine.toml").write_text(WHOLE)
    lean, mine = presets.find("lean", tmp_path), presets.find("mine", tmp_path)
    assert (lean.old_mb, lean.semi_mb) == (mine.old_mb, mine.semi_mb) == (1024, 8)
    assert mine.flags == ("--optimize-for-size", "--stack_size=2000")
    assert mine.source == str(tmp_path / "mine.toml")
    assert {one.name for one in presets.every(tmp_path)} == {*SHIPPED, "mine"}


def test_own_ones_lie_beside_the_configuration(tmp_path: Path) -> None:
    assert presets.directory(tmp_path / "config.toml") == tmp_path / "presets"


@pytest.mark.parametrize("name", ["nope", "../lean", "Lean", "", "a/b", "lean.toml"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        presets.find(name, tmp_path)
    assert "large-context, lean, production" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("old = ", "not valid TOML"),
        ('old = "1G"', "semi: there is no size"),
        ('semi = "4M"', "old: there is no size"),
        ('old = "8M"\nsemi = "4M"', "old: 8M is too little"),
        ('old = "1G"\nsemi = true', "semi: there is no size"),
        ('old = "1G"\nsemi = "4M"\nheap = "2G"', "unknown key 'heap'"),
        ('old = "1G"\nsemi = "4M"\nflags = "--x"', "no text"),
        ('old = "1G"\nsemi = "4M"\nflags = ["-e"]', "no flag"),
        ('old = "1G"\nsemi = "4M"\nflags = ["--x y"]', "no flag"),
        ('old = "1G"\nsemi = "4M"\nflags = ["--gc_interval=100"]', "no effect in release builds"),
        ('old = "1G"\nsemi = "4M"\nflags = ["--max_old_space_size=9"]', "set by old and semi"),
        ('old = "1G"\nsemi = "4M"\nabout = 3', "no text"),
    ],
)
def test_a_file_that_cannot_be_meant(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        presets.parse(text, "mine", "mine.toml")
    assert what in caught.value.what
    assert "mine.toml" in caught.value.what
    assert caught.value.remedy


def test_where_each_flag_goes(tmp_path: Path) -> None:
    told = NodeFacts("v20", ("max-old-space-size", "max-semi-space-size"))
    worker = presets.find("worker", tmp_path)
    assert [(one.flag, one.node, one.command) for one in places(worker, told)] == [
        ("--max-old-space-size=4096", NODE_OPTIONS, NODE_OPTIONS),
        ("--max-semi-space-size=16", NODE_OPTIONS, NODE_OPTIONS),
        ("--optimize-for-size", ARGV, LEFT_OUT),
    ]
    assert places(worker, None) == places(worker, told)
    newer = NodeFacts("v99", (*told.accepted, "optimize-for-size"))
    assert [one.node for one in places(worker, newer)] == [NODE_OPTIONS] * 3


def test_a_heap_beside_a_preset_keeps_its_semi_space(tmp_path: Path) -> None:
    lean = presets.find("lean", tmp_path)
    asked = heap_limits.asked_for(spec(heap_bytes=600 * MIB), lean)
    assert asked is not None
    assert (asked.semi_mb, asked.limit_bytes) == (4, 600 * MIB)
    small = heap_limits.asked_for(spec(heap_bytes=600 * MIB), lean, for_size=True)
    assert small is not None
    assert (small.semi_mb, small.limit_bytes) == (1, 600 * MIB)
    large = presets.find("large-context", tmp_path)
    tiny = heap_limits.asked_for(spec(heap_bytes=64 * MIB), large)
    assert tiny is not None
    assert tiny.limit_bytes == 64 * MIB


def test_the_arithmetic_of_a_cap_that_is_too_small(tmp_path: Path) -> None:
    standard = presets.find("standard", tmp_path)
    heap_limits.check(spec(preset="standard"), standard, 1172 * MIB)
    with pytest.raises(Refused) as caught:
        heap_limits.check(spec(preset="standard", cap_bytes=GIB), standard, GIB)
    assert "1.00G old + 3 x 16M" in caught.value.what
    assert "1.14G" in caught.value.what
    assert "under the cap of 1.00G" in caught.value.what
    assert "--cap of at least 1.14G" in caught.value.remedy
    # with a heap of one's own the preset's does not count
    heap_limits.check(spec(preset="standard", heap_bytes=200 * MIB), standard, 512 * MIB)


def test_python_has_no_preset(tmp_path: Path) -> None:
    lean = presets.find("lean", tmp_path)
    with pytest.raises(UsageError, match="Python has neither"):
        heap_limits.check(spec(Kind.PYTHON, preset="lean"), lean, GIB)


def test_a_default_cap_grows_to_what_the_preset_needs(tmp_path: Path) -> None:
    worker = presets.find("worker", tmp_path)
    asked = spec(preset="worker")
    assert heap_limits.cap_for(asked, worker, GIB, 24 * GIB) == worker.cap_bytes
    assert heap_limits.cap_for(asked, worker, 8 * GIB, 24 * GIB) is None
    with pytest.raises(Refused, match=r"more than this machine has.*of 4\.00G") as caught:
        heap_limits.cap_for(asked, worker, GIB, 4 * GIB)
    assert "smaller preset" in caught.value.remedy


def test_flags_of_the_command_itself_are_not_given_twice(tmp_path: Path) -> None:
    lean = presets.find("lean", tmp_path)
    asked = spec(preset="lean")
    given = heap_limits.choose(asked, lean, {}, ["--no-optimize_for_size"], None, everywhere)
    assert given.flags == ("--max-old-space-size=256", "--max-semi-space-size=4")
    assert given.limit_bytes == 268 * MIB
    said = {"NODE_OPTIONS": "--max-old-space-size=9"}
    over = heap_limits.choose(asked, lean, said, [], None, everywhere)
    assert over.flags[-1] == "--optimize-for-size"
    assert "overridden by the preset lean" in over.notes[0]
    with pytest.raises(UsageError, match="named twice: by the preset lean"):
        heap_limits.choose(asked, lean, {}, ["--max-old-space-size=9"], None, everywhere)
