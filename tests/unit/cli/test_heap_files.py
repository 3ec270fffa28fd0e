"""Which file `heaptui heap` means, and what is said of two that do not go together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heaptui.cli import heap_files, heap_rows
from heaptui.cli.context import Context
from heaptui.errors import HeaptuiError, UsageError
from heaptui.heap.answers import DiffRow, Header


def header(kind: str) -> Header:
    return Header(
        path=kind, file_bytes=1, format=kind, engine="plain", nodes=1, edges=1, heap_bytes=1
    )


def test_a_file_that_is_called_like_a_number_is_that_file(tmp_path: Path) -> None:
    four = tmp_path / "4"
    four.touch()
    assert heap_files.located(Context(tmp_path / "state"), four) == four


@pytest.mark.parametrize("word", ["40961x", "here/40961", "-40961", "\u0664\u0660"])
def test_what_is_no_number_is_a_path(tmp_path: Path, word: str) -> None:
    assert heap_files.located(Context(tmp_path / "state"), Path(word)) == Path(word)


def test_a_number_where_nothing_ran_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(HeaptuiError, match="no snapshot 40961") as caught:
        heap_files.located(Context(tmp_path / "state"), Path("40961"))
    assert "heaptui snapshots" in caught.value.remedy


def test_the_order_is_told_by_the_files_times(tmp_path: Path) -> None:
    older, newer = tmp_path / "older", tmp_path / "newer"
    for path, at in ((older, 1000), (newer, 1090)):
        path.touch()
        os.utime(path, (at, at))
    note = heap_files.order_note(newer, older)
    assert note is not None
    assert "first file is newer" in note
    assert heap_files.order_note(older, newer) is None
    assert heap_files.order_note(older, older) is None
    assert heap_files.order_note(tmp_path / "gone", older) is None


def test_heaps_of_two_runtimes_are_not_compared() -> None:
    heap_files.require_one_runtime([header("v8")])
    heap_files.require_one_runtime([header("v8"), header("v8")])
    with pytest.raises(UsageError, match="cannot be compared"):
        heap_files.require_one_runtime([header("v8"), header("python")])


def test_classes_with_as_much_new_as_freed_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    def row(name: str, new: int, new_bytes: int) -> DiffRow:
        return DiffRow(
            name=name, new=new, freed=2, delta=new - 2, new_bytes=new_bytes, freed_bytes=64,
            delta_bytes=new_bytes - 64,
        )  # fmt: skip

    rows = [row("Grown", 3, 96), row("Wider", 2, 96), row("Churned", 2, 64)]
    heap_rows.put_difference(rows, even=False)
    told = capsys.readouterr()
    assert "Grown" in told.out
    assert "Wider" in told.out
    assert "Churned" not in told.out
    assert "1 class has as much new as freed" in told.err
    heap_rows.put_difference(rows, even=True)
    told = capsys.readouterr()
    assert "Churned" in told.out
    assert told.err == ""
