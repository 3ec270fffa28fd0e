"""Files by ranges of their lines."""

from __future__ import annotations

import os
import stat
import tempfile
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.errors import Unreadable
from heaptui.inputs import Item
from heaptui.splitting import parts
from heaptui.splitting.sizes import bytes_of, tokens_of


def item_of(path: Path) -> Item:
    return Item(path.name, tokens_of(path.stat().st_size))


def test_a_part_is_on_disk_before_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"one\ntwo\nthree\n")
    part = Item("f:2-3", 3, of="f", first=2, last=3)
    synced: list[tuple[int, bool]] = []
    with pytest.MonkeyPatch.context() as patch:
        path = parts.path_of(tmp_path / "parts", part)
        patch.setattr(os, "fsync", lambda fd: synced.append((os.fstat(fd).st_size, path.exists())))
        parts.cut(tmp_path / "parts", part, tmp_path)
    assert synced == [(len(b"two\nthree\n"), False)]


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


@given(
    st.lists(st.binary(max_size=40).map(lambda data: data.translate(None, b"\0\r\n"))),
    st.booleans(),
    st.integers(1, 12),
    st.integers(1, 64),
)
def test_ranges_are_all_the_lines_in_order_within_the_budget(
    texts: list[bytes], ended: bool, budget: int, chunk: int
) -> None:
    data = b"\n".join(texts) + (b"\n" if ended else b"")
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_CHUNK", chunk)
        root = Path(name)
        (root / "f").write_bytes(data)
        whole = item_of(root / "f")
        total = parts.lines_of(root / "f")
        assert total == len(lines(data))
        found = parts.ranges(whole, budget, root)
        if found == [whole]:
            fits = len(data) <= bytes_of(budget)
            assert fits or total < 2
            return
        assert [one.first for one in found] == [1, *(one.last + 1 for one in found[:-1])]
        assert found[-1].last == total
        copies = [parts.cut(root / "parts", one, root).read_bytes() for one in found]
        assert b"".join(copies) == data
        for one, copy in zip(found, copies, strict=True):
            assert one.tokens == tokens_of(len(copy))
            assert len(copy) <= bytes_of(budget) or one.first == one.last
            assert one.name == f"f:{one.first}-{one.last}"
        # as large as they can be
        for one, two in pairwise(copies):
            assert len(one) + len(lines(two)[0]) > bytes_of(budget)


def test_a_part_is_divided_within_itself(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("".join(f"{n:07}\n" for n in range(1, 101)))
    first, *_ = parts.ranges(item_of(tmp_path / "f"), 80, tmp_path)
    assert (first.first, first.last, first.tokens) == (1, 40, 80)
    part = Item("f:41-60", 40, of="f", first=41, last=60)
    assert parts.ranges(part, 15, tmp_path) == [
        Item("f:41-47", 14, of="f", first=41, last=47),
        Item("f:48-54", 14, of="f", first=48, last=54),
        Item("f:55-60", 12, of="f", first=55, last=60),
    ]
    copy = parts.cut(tmp_path / "parts", part, tmp_path)
    assert copy.read_text() == "".join(f"{n:07}\n" for n in range(41, 61))


def test_a_line_larger_than_the_budget_is_alone(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("ab\n" + "x" * 100 + "\ncd\nef\n")
    found = parts.ranges(item_of(tmp_path / "f"), 2, tmp_path)
    assert [(one.first, one.last, one.tokens) for one in found] == [
        (1, 1, 1),
        (2, 2, 26),
        (3, 4, 2),
    ]


@pytest.mark.parametrize("data", [b"x" * 1000, b"x" * 999 + b"\n", b"a\nb\0c\n" * 200, b""])
def test_what_has_no_lines_stays_whole(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    item = item_of(tmp_path / "f")
    assert parts.ranges(item, 10, tmp_path) == [item]


def test_what_is_gone_stays_whole_and_cannot_be_cut(tmp_path: Path) -> None:
    assert parts.ranges(Item("gone", 99), 10, tmp_path) == [Item("gone", 99)]
    with pytest.raises(Unreadable, match="cannot be read"):
        parts.cut(tmp_path / "parts", Item("gone:1-2", 9, of="gone", first=1, last=2), tmp_path)
    with pytest.raises(Unreadable):
        parts.lines_of(tmp_path / "gone")
    assert list((tmp_path / "parts").iterdir()) == []


def test_memory_does_not_depend_on_the_file(tmp_path: Path) -> None:
    # 24 MB, half of it one line
    with (tmp_path / "f").open("wb") as file:
        for _ in range(12):
            file.write(b"x" * (1 << 20))
        file.write(b"\n")
        for _ in range(12 << 4):
            file.write(b"0123456\n" * (1 << 13))
    item = item_of(tmp_path / "f")
    tracemalloc.start()
    try:
        found = parts.ranges(item, 1 << 20, tmp_path)
        parts.cut(tmp_path / "parts", found[0], tmp_path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [one.first for one in found] == [1, 2, 524290, 1048578]
    assert most < 3 << 20


def test_a_part_is_private_and_stays_as_it_was_cut(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/login.spec.ts").write_text("1\n2\n3\n")
    part = Item("a/login.spec.ts:2-3", 1, of="a/login.spec.ts", first=2, last=3)
    path = parts.cut(tmp_path / "parts", part, tmp_path)
    assert path == parts.path_of(tmp_path / "parts", part)
    assert path.name.endswith("-2-3-login.spec.ts")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    (tmp_path / "a/login.spec.ts").write_text("other\n")
    assert parts.cut(tmp_path / "parts", part, tmp_path).read_text() == "2\n3\n"
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_parts_of_files_of_one_name_are_told_apart() -> None:
    one = Item("a/x.py:1-2", 1, of="a/x.py", first=1, last=2)
    two = Item("b/x.py:1-2", 1, of="b/x.py", first=1, last=2)
    assert parts.path_of(Path("p"), one) != parts.path_of(Path("p"), two)
    long = Item("ü" * 90 + ":1-2", 1, of="ü" * 90, first=10**9, last=10**10)
    assert len(parts.path_of(Path("p"), long).name.encode()) <= 255
