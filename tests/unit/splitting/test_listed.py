"""What a task works through, as an operator names it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heaptui.errors import Unreadable, UsageError
from heaptui.inputs import ITEMS_MAX, NAME_MAX, Inputs, Item, Source
from heaptui.splitting import listed


def made(root: Path, *names: str, text: str = "12345") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(inputs: Inputs) -> list[str]:
    return [item.name for item in inputs.items]


def test_globs_and_paths_keep_their_order_and_name_each_file_once(tmp_path: Path) -> None:
    made(tmp_path, "z.py", "src/b.py", "src/a.py", "src/deep/c.py", "src/.hidden.py", "src/x.md")
    inputs = listed.files(["z.py", "src/**/*.py", "./z.py", "src/b.py"], tmp_path)
    assert names(inputs) == ["z.py", "src/a.py", "src/b.py", "src/deep/c.py"]
    assert inputs.source is Source.FILES
    assert {item.tokens for item in inputs.items} == {2}


def test_names_stay_as_they_were_given(tmp_path: Path) -> None:
    made(tmp_path, "work/a.py", "b.py")
    absolute = str(tmp_path / "b.py")
    assert names(listed.files(["./*.py", "../*.py"], tmp_path / "work")) == ["./a.py", "../b.py"]
    assert names(listed.files([absolute], tmp_path / "work")) == [absolute]


def test_a_path_that_is_there_is_no_pattern(tmp_path: Path) -> None:
    made(tmp_path, "app/[id].tsx", "app/i.tsx")
    assert names(listed.files(["app/[id].tsx"], tmp_path)) == ["app/[id].tsx"]


@pytest.mark.parametrize("pattern", ["*.rs", "gone.py", "", "a\0b", "dangling"])
def test_a_pattern_that_fits_nothing_is_named(tmp_path: Path, pattern: str) -> None:
    made(tmp_path, "a.py")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(UsageError, match="fits no file"):
        listed.files(["a.py", pattern], tmp_path)


def test_a_directory_is_named_with_its_glob(tmp_path: Path) -> None:
    made(tmp_path, "src/a.py")
    with pytest.raises(UsageError, match="is a directory") as caught:
        listed.files(["src/"], tmp_path)
    assert "src/**" in caught.value.remedy
    assert names(listed.files(["src/**"], tmp_path)) == ["src/a.py"]


def test_names_that_cannot_stand_in_a_list_are_refused(tmp_path: Path) -> None:
    made(tmp_path, "two\nlines.py")
    with pytest.raises(UsageError, match="line of a list"):
        listed.files(["*.py"], tmp_path)
    raw = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(raw, "wb"):
        pass
    with pytest.raises(UsageError, match="not UTF-8"):
        listed.files(["*.txt"], tmp_path)


def test_a_list_of_files_is_files(tmp_path: Path) -> None:
    made(tmp_path, "a.py", "b.py", text="x" * 9)
    inputs = listed.from_lines("\ufeffa.py\r\n\n  b.py \n./a.py\na.py", tmp_path, "list.txt")
    assert inputs == Inputs(
        source=Source.FILES, items=(Item("a.py", 3), Item("b.py", 3)), origin="list.txt"
    )


def test_a_list_of_anything_else_is_lines(tmp_path: Path) -> None:
    made(tmp_path, "a.py")
    inputs = listed.from_lines("a.py\nhttps://example.org/1\na.py\n", tmp_path, "-")
    assert inputs.source is Source.LINES
    assert inputs.items == (Item("a.py", 1), Item("https://example.org/1", 6))


@pytest.mark.parametrize("text", ["", "\n \n\t\n"])
def test_an_empty_list_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="nothing to work through"):
        listed.from_lines(text, tmp_path, "-")


def test_more_than_anybody_divides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than 100,000"):
        listed.from_lines("\n".join(map(str, range(ITEMS_MAX + 1))), tmp_path, "-")


def test_boxes_come_before_sections(tmp_path: Path) -> None:
    path = tmp_path / "TASKS.md"
    path.write_text("# One\n- [ ] a\n# Two\n- [x] b\n")
    inputs = listed.from_markdown(path)
    assert (inputs.source, names(inputs), inputs.origin) == (Source.BOXES, ["a"], str(path))
    path.write_text("# One\ntext\n# Two\ntext\n")
    inputs = listed.from_markdown(path)
    assert (inputs.source, names(inputs)) == (Source.SECTIONS, ["One", "Two"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# One\n- [x] a\n# Two\n- [X] b\n", "is checked: nothing of it is left"),
        ("just prose\n", "neither open boxes nor headings"),
        ("", "neither open boxes nor headings"),
    ],
)
def test_a_file_with_nothing_to_do_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "TASKS.md"
    path.write_text(text)
    with pytest.raises(UsageError, match=why):
        listed.from_markdown(path)


def test_what_is_no_markdown_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read"):
        listed.from_markdown(tmp_path / "gone.md")
    with pytest.raises(Unreadable, match="cannot be read"):
        listed.from_markdown(tmp_path)
    (tmp_path / "latin.md").write_bytes(b"- [ ] caf\xe9\n")
    with pytest.raises(Unreadable, match="not UTF-8"):
        listed.from_markdown(tmp_path / "latin.md")
    with (tmp_path / "huge.md").open("wb") as file:
        file.truncate(9 << 20)
    with pytest.raises(Unreadable, match="larger than 8 MB"):
        listed.from_markdown(tmp_path / "huge.md")


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([Item("a", 1), Item("b", 1), Item("a", 1)], "named twice"),
        ([Item(" ", 1)], "line of a list"),
        ([Item("a\rb", 1)], "line of a list"),
        ([Item("é" * (NAME_MAX // 2) + "x", 1)], "4097 bytes"),
        ([Item("a", -1)], "no part of a file"),
        ([Item("a", 1, first=1, last=2)], "no part of a file"),
        ([Item("a:3-2", 1, of="a", first=3, last=2)], "no part of a file"),
        ([Item("b:1-2", 1, of="a", first=1, last=2)], "no part of a file"),
    ],
)
def test_items_from_elsewhere_are_checked(items: list[Item], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        listed.check(Inputs(source=Source.LINES, items=tuple(items), origin=""))


def test_sizes_are_those_of_now(tmp_path: Path) -> None:
    made(tmp_path, "grown", "same", text="x" * 40)
    (tmp_path / "became_a_directory").mkdir()
    items = (
        Item("grown", 1),
        Item("same", 10),
        Item("gone", 7),
        Item("became_a_directory", 3),
        Item("same:1-5", 2, of="same", first=1, last=5),
        Item("gone:1-5", 2, of="gone", first=1, last=5),
    )
    now, gone = listed.measured(items, Source.FILES, tmp_path)
    assert [item.tokens for item in now] == [10, 10, 7, 3, 2, 2]
    assert gone == ("gone", "became_a_directory", "gone:1-5")
    assert listed.measured(items, Source.LINES, tmp_path) == (items, ())
