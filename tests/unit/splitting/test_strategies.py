"""How what is left is divided."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import Refused, UsageError
from heaptui.inputs import CHILDREN_MAX, Item, Share, Source
from heaptui.splitting import strategies
from heaptui.splitting.strategies import Divided, Wanted, divide, possible


def files(**tokens: int) -> list[Item]:
    return [Item(name.replace("__", "/"), size) for name, size in tokens.items()]


def names(divided: Divided) -> list[list[str]]:
    return [[item.name for item in share.items] for share in divided.shares]


def by(
    strategy: str,
    items: list[Item],
    budget: int,
    into: int | None = None,
    source: Source = Source.FILES,
    cwd: Path = Path("/nonexistent"),
) -> Divided:
    return divide(strategy, items, source, Wanted(budget, into), cwd)


def test_each_source_has_its_strategies() -> None:
    assert possible(Source.FILES) == ("files", "directories")
    assert possible(Source.LINES) == ("lines",)
    assert possible(Source.BOXES) == ("items", "headings")
    assert possible(Source.SECTIONS) == ("headings",)


def test_files_go_where_there_is_room_first() -> None:
    divided = by("files", files(a=6, b=5, c=4, d=5), 10)
    assert names(divided) == [["a", "c"], ["b", "d"]]
    assert divided.oversized == ()


def test_what_one_child_could_do_is_divided_all_the_same() -> None:
    assert names(by("files", files(a=1, b=1, c=2, d=0), 100)) == [["a", "b"], ["c", "d"]]
    lines = [Item(f"line {n}", 2) for n in range(3)]
    assert len(by("lines", lines, 100, source=Source.LINES).shares) == 2


def test_so_many_as_are_wanted_follow_one_another() -> None:
    divided = by("files", files(a=50, b=10, c=10, d=10, e=10, f=10), 1000, into=3)
    assert names(divided) == [["a"], ["b", "c"], ["d", "e", "f"]]
    assert len(by("files", files(a=0, b=0, c=0), 9, into=3).shares) == 3
    # there are no more than there are items
    assert len(by("files", files(a=1, b=1, c=1), 9, into=100).shares) == 3


def test_a_file_larger_than_the_budget_is_divided_by_lines(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("0123456\n" * 50)
    (tmp_path / "binary").write_bytes(b"\0" * 200)
    items = files(small=4, large=100, binary=50)
    divided = by("files", items, 40, cwd=tmp_path)
    assert names(divided) == [
        ["small", "large:41-50"],
        ["large:1-20"],
        ["large:21-40"],
        ["binary"],
    ]
    assert divided.oversized == ("binary",)


def test_one_file_is_divided_evenly(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("0123456\n" * 90)
    divided = by("files", files(large=180), 60, into=2, cwd=tmp_path)
    assert [share.tokens for share in divided.shares] == [88, 92]
    assert all(item.tokens <= 60 for share in divided.shares for item in share.items)
    # what fits into the budget too: who splits one file wants it in two
    divided = by("files", files(large=180), 1000, cwd=tmp_path)
    assert names(divided) == [["large:1-45"], ["large:46-90"]]
    assert [share.title for share in divided.shares] == ["large lines 1-45", "large lines 46-90"]


def test_small_directories_share_and_large_ones_are_divided() -> None:
    items = files(
        a__1=2, a__2=2, b__1=3, big__1=4, big__2=4, big__deep__1=3, big__deep__2=3, c__1=3, top=1
    )
    assert names(by("directories", items, 10)) == [
        ["a/1", "a/2", "b/1", "c/1"],
        ["big/1", "big/2", "top"],
        ["big/deep/1", "big/deep/2"],
    ]


def test_directories_stay_together_as_far_as_so_many_allow() -> None:
    items = files(a__1=1, b__1=1, a__2=1, b__2=1)
    assert names(by("directories", items, 100, into=2)) == [["a/1", "a/2"], ["b/1", "b/2"]]


def test_boxes_are_a_child_each_or_by_their_headings() -> None:
    items = [Item(f"box {n}", 3, under=under) for n, under in enumerate("LLRRRL")]
    assert len(by("items", items, 100, source=Source.BOXES).shares) == 6
    assert names(by("headings", items, 100, source=Source.BOXES)) == [
        ["box 0", "box 1", "box 5"],
        ["box 2", "box 3", "box 4"],
    ]
    # a heading with more than one child can hold
    assert len(by("headings", items, 6, source=Source.BOXES).shares) == 4
    assert len(by("items", items, 100, into=2, source=Source.BOXES).shares) == 2
    assert by("items", items, 2, source=Source.BOXES).oversized == tuple(i.name for i in items)


@pytest.mark.parametrize(
    ("strategy", "source"),
    [
        ("files", Source.FILES),
        ("directories", Source.FILES),
        ("lines", Source.LINES),
        ("items", Source.BOXES),
        ("headings", Source.SECTIONS),
    ],
)
def test_nothing_to_divide_is_refused_with_what_it_would_need(
    strategy: str, source: Source
) -> None:
    with pytest.raises(Refused, match="only 'a' is left") as caught:
        by(strategy, files(a=100), 10, source=source)
    assert "two files, lines, boxes or headings" in caught.value.remedy
    with pytest.raises(Refused, match="Nothing of it is left"):
        by(strategy, [], 10, source=source)


@pytest.mark.parametrize("strategy", ["files", "directories"])
def test_too_many_are_refused_with_the_figures(strategy: str) -> None:
    items = [Item(f"{n}/f", 9) for n in range(10_000)]
    with pytest.raises(Refused) as caught:
        by(strategy, items, 100)
    assert caught.value.what == (
        "10,000 items of 90k tokens make at least 900 children of 100: more than 200."
    )
    assert "--into 50" in caught.value.remedy
    assert len(by(strategy, items, 100, into=CHILDREN_MAX).shares) == CHILDREN_MAX
    with pytest.raises(Refused, match="at least 201"):
        by(strategy, [Item(f"{n}/f", 60) for n in range(201)], 100)


def test_too_many_boxes_are_refused() -> None:
    items = [Item(f"{n}", 9) for n in range(201)]
    with pytest.raises(Refused, match="make 201 children"):
        by("items", items, 100, source=Source.BOXES)


@pytest.mark.parametrize("into", [-1, 0, 1, CHILDREN_MAX + 1])
def test_a_number_that_is_none_of_children(into: int) -> None:
    with pytest.raises(UsageError, match=f"into {into}"):
        by("files", files(a=1, b=1), 10, into=into)


def test_a_strategy_that_these_do_not_have() -> None:
    with pytest.raises(UsageError, match="'lines' does not divide files") as caught:
        by("lines", files(a=1, b=1), 10)
    assert caught.value.remedy == "Choose of files, directories."
    with pytest.raises(UsageError, match="no budget"):
        by("files", files(a=1, b=1), 0)


PLUGINS = """
from heaptui.errors import Refused
from heaptui.inputs import Item, Share

def each(items, source, wanted, cwd):
    return [Share(title="\\x1b[31m", items=(item,), after=(0,) if n else ())
            for n, item in enumerate(items)]
def loses(items, source, wanted, cwd):
    return [Share(title="x", items=(items[0],))]
def nonsense(items, source, wanted, cwd):
    return ["x"]
def fails(items, source, wanted, cwd):
    raise KeyError("oh")
def declines(items, source, wanted, cwd):
    raise Refused("These are not mine.")
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with strategies of its own."""
    (tmp_path / "split_plugins.py").write_text(PLUGINS)
    info = tmp_path / "split_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: split-plugins\nVersion: 1.0\n")
    every = ("each", "loses", "nonsense", "fails", "declines")
    points = [f"{name} = split_plugins:{name}" for name in every]
    points += ["files = split_plugins:fails", "absent = split_plugins:absent"]
    (info / "entry_points.txt").write_text("[heaptui.strategies]\n" + "\n".join(points))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    strategies._plugins.cache_clear()
    yield
    strategies._plugins.cache_clear()
    sys.modules.pop("split_plugins", None)


@pytest.mark.usefixtures("plugins")
def test_other_strategies_plug_in() -> None:
    assert possible(Source.FILES)[:3] == ("files", "directories", "absent")
    divided = by("each", files(a=1, b=20), 10)
    assert names(divided) == [["a"], ["b"]]
    assert [share.after for share in divided.shares] == [(), (0,)]
    assert [share.title for share in divided.shares] == ["a", "b"]
    assert divided.oversized == ("b",)
    # what heaptui has itself nobody replaces
    assert names(by("files", files(a=1, b=1), 10)) == [["a"], ["b"]]
    with pytest.raises(Refused, match="not mine"):
        by("declines", files(a=1, b=1), 10)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ("loses", "no usable answer: 'b' would be left undone"),
        ("nonsense", "TypeError: str is no Share"),
        ("fails", "KeyError: 'oh'"),
        ("absent", "AttributeError"),
    ],
)
def test_a_plugins_nonsense_is_told(strategy: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        by(strategy, files(a=1, b=1), 10)


def test_a_share_is_what_it_is_divided_into() -> None:
    divided = by("files", files(src__a=5, src__b=5, lib__c=9), 10)
    assert divided.shares[0] == Share(
        title="src (2 files)", items=(Item("src/a", 5), Item("src/b", 5))
    )
