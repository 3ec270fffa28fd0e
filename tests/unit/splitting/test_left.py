"""What is done and what is left, by what was reported."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from heaptui.errors import StorageTrouble
from heaptui.inputs import Inputs, Item, Source
from heaptui.splitting.left import LINE_MAX, read_done, remaining, ticked, within
from heaptui.splitting.parts import path_of

FILES = Inputs(
    source=Source.FILES,
    items=(
        Item("src/a.py", 1),
        Item("./b.py", 1),
        Item("/srv/c.py", 1),
        Item("big:1-10", 1, of="big", first=1, last=10),
        Item("big:11-20", 1, of="big", first=11, last=20),
    ),
    origin="",
)


def done(reported: list[str], cwd: Path = Path("/srv"), parts: Path = Path("/parts")) -> list[str]:
    left, is_done = remaining(FILES, reported, cwd=cwd, parts=parts)
    assert [one for one in FILES.items if one in left or one in is_done] == list(FILES.items)
    assert not set(left) & set(is_done)
    return [item.name for item in is_done]


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("src/a.py", "src/a.py"),
        ("./src/a.py", "src/a.py"),
        ("/srv/src/a.py", "src/a.py"),
        ("/srv/src/../src//a.py", "src/a.py"),
        (" src/a.py\t", "src/a.py"),
        ("b.py", "./b.py"),
        ("../srv/c.py", "/srv/c.py"),
        ("big:1-10", "big:1-10"),
        ("/srv/big:11-20", "big:11-20"),
        (str(path_of(Path("/parts"), FILES.items[4])), "big:11-20"),
    ],
)
def test_a_file_is_known_by_any_spelling(reported: str, name: str) -> None:
    assert done([reported]) == [name]


@pytest.mark.parametrize("reported", ["", "a.py", "src", "big", "big:1-20", "/parts/x", "SRC/a.py"])
def test_what_names_none_says_nothing(reported: str) -> None:
    assert done([reported]) == []


def test_both_are_in_the_inputs_order() -> None:
    assert done(["big:11-20", "b.py", "big:11-20"]) == ["./b.py", "big:11-20"]


def test_a_directory_may_be_reached_through_a_link(tmp_path: Path) -> None:
    for name in ("real", "real-parts"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "link-parts").symlink_to("real-parts")
    part = path_of(tmp_path / "real-parts", FILES.items[3])
    reported = [str(tmp_path / "real/src/a.py"), str(tmp_path / "link/b.py"), str(part)]
    found = done(reported, tmp_path / "link", tmp_path / "link-parts")
    assert found == ["src/a.py", "./b.py", "big:1-10"]


def test_names_that_are_no_files_are_taken_as_they_are() -> None:
    inputs = Inputs(source=Source.LINES, items=(Item("a/../b", 1), Item("b", 1)), origin="")
    left, _ = remaining(inputs, [" b\t", "./b"], cwd=Path("/srv"), parts=Path("/parts"))
    assert left == (Item("a/../b", 1),)


def test_done_is_every_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "done"
    assert list(read_done(path)) == []
    path.write_bytes(b"a\r\n\nb c\na\ncaf\xe9\nunfinished")
    assert list(read_done(path)) == ["a", "", "b c", "a", "caf\ufffd"]


def test_a_torn_line_that_was_ended_names_nothing(tmp_path: Path) -> None:
    path = tmp_path / "done"
    path.write_bytes(b"a\nsrc/b\0\nc\n")
    assert list(read_done(path)) == ["a", "c"]


def test_a_line_that_can_name_nothing_is_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "done"
    path.write_bytes(b"x" * (3 * LINE_MAX) + b"\nafter\n" + b"y" * LINE_MAX)
    assert list(read_done(path)) == ["after"]


def test_what_cannot_be_read_is_not_taken_for_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageTrouble):
        list(read_done(tmp_path))
    os.mkfifo(tmp_path / "done")
    with pytest.raises(StorageTrouble, match="plain file"):
        list(read_done(tmp_path / "done"))


def test_ticked_boxes_are_done(tmp_path: Path) -> None:
    path = tmp_path / "TASKS.md"
    path.write_text("- [x] a\n- [ ] b\n- [X] a\n- [x] other\n- [x] c\n  - [ ] in c\n")
    items = (Item("a", 1), Item("b", 1), Item("a (2)", 1, nth=2), Item("c", 1))
    boxes = Inputs(source=Source.BOXES, items=items, origin=str(path))
    assert ticked(boxes, path) == {"a", "a (2)", "c"}
    assert ticked(boxes, tmp_path / "gone.md") == frozenset()
    sections = Inputs(source=Source.SECTIONS, items=items, origin=str(path))
    assert ticked(sections, path) == frozenset()


def part(first: int, last: int, of: str = "big") -> Item:
    return Item(f"{of}:{first}-{last}", 1, of=of, first=first, last=last)


def test_a_part_belongs_to_what_holds_it() -> None:
    inside = within([part(20, 30), Item("whole", 9), part(1, 10), part(1, 100, "other")])
    assert all(map(inside, (part(1, 10), part(2, 3), part(30, 30), part(5, 6, "whole"))))
    assert not any(map(inside, (part(9, 11), part(11, 19), part(15, 25), part(1, 2, "third"))))
    assert not inside(Item("big", 1))
    assert inside(Item("whole", 1))
    # what calls itself a part of something else than its name says is none
    assert not inside(Item("big:1-10", 1, of="big", first=2, last=3))


def test_any_amount_of_reports_is_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "done"
    with path.open("w") as file:
        file.writelines(f"{'x' * 400}{number}\n" for number in range(50_000))
        file.write("b.py\n")
    tracemalloc.start()
    try:
        left, done = remaining(FILES, read_done(path), cwd=Path("/srv"), parts=Path("/parts"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [item.name for item in done] == ["./b.py"]
    assert len(left) == len(FILES.items) - 1
    assert peak < 1 << 20
