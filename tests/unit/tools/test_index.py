"""What is known of where lines are: kept, bounded, and never believed of another file."""

from __future__ import annotations

import stat
import time
from array import array
from pathlib import Path

import pytest

from heaptui.tools.answers import Tag
from heaptui.tools.reading import index
from heaptui.tools.reading.index import Counts, Indexes, settled

TAG = Tag(1, 2, 3 << 20, 4, 5)


def counts(chunks: int, lines: int | None = None) -> Counts:
    return Counts(array("Q", range(0, 7 * chunks + 1, 7)), lines)


def test_what_is_kept_is_known_again_with_or_without_the_process(tmp_path: Path):
    directory = tmp_path / "lines"
    kept = Indexes(directory)
    kept.keep(TAG, counts(200, 1234))
    for known in (kept.of(TAG), Indexes(directory).of(TAG)):
        assert known == counts(200, 1234)
    (file,) = directory.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("field", ["dev", "ino", "size", "mtime_ns", "ctime_ns"])
def test_another_state_of_the_file_is_another_file(field: str, tmp_path: Path):
    kept = Indexes(tmp_path)
    kept.keep(TAG, counts(200))
    numbers = {name: getattr(TAG, name) for name in Tag.__struct_fields__}
    assert kept.of(Tag(**{**numbers, field: 77})) == Counts()
    assert kept.of(Tag(**{**numbers, "sha256": "seen"})) == counts(200)


def test_what_is_got_can_be_counted_on_with_without_changing_what_is_kept():
    kept = Indexes()
    kept.keep(TAG, counts(3))
    mine = kept.of(TAG)
    mine.before.append(99)
    assert kept.of(TAG) == counts(3)


def test_less_does_not_replace_more():
    kept = Indexes()
    kept.keep(TAG, counts(3))
    kept.keep(TAG, counts(2))
    assert kept.of(TAG) == counts(3)
    kept.keep(TAG, counts(3, 22))
    kept.keep(TAG, counts(3))
    assert kept.of(TAG) == counts(3, 22)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[:-8],
        lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:],
        lambda data: b"not one of ours " * 20,
        lambda data: data[: index._HEAD.size],
    ],
)
def test_a_damaged_file_is_as_none(damage, tmp_path: Path):
    Indexes(tmp_path).keep(TAG, counts(200))
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert Indexes(tmp_path).of(TAG) == Counts()


def test_another_files_index_under_this_ones_name_is_as_none(tmp_path: Path):
    Indexes(tmp_path).keep(TAG, counts(200))
    (file,) = tmp_path.iterdir()
    other = Tag(9, 9, 9, 9, 9)
    file.rename(tmp_path / index._name(other))
    assert Indexes(tmp_path).of(other) == Counts()


def test_small_files_are_not_worth_one(tmp_path: Path):
    Indexes(tmp_path).keep(TAG, counts(10))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_costs_no_answer(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    kept = Indexes(tmp_path / "file" / "below")
    kept.keep(TAG, counts(200))
    assert kept.of(TAG) == counts(200)


def test_memory_and_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index, "_MEMORY", 8 * 1000)
    monkeypatch.setattr(index, "_FILES_MOST", 5)
    kept = Indexes(tmp_path)
    for number in range(20):
        kept.keep(Tag(1, number, 1, 1, 1), counts(200))
    assert len(list(tmp_path.iterdir())) == 5
    assert len(kept._held) == 4
    assert kept._bytes == 4 * 8 * 201
    assert kept.of(Tag(1, 19, 1, 1, 1)) == counts(200)
    assert kept.of(Tag(1, 0, 1, 1, 1)) == Counts()


def test_a_file_that_only_just_changed_may_change_again_unseen():
    now = time.time_ns()
    assert not settled(Tag(1, 1, 1, 1, now))
    assert not settled(Tag(1, 1, 1, 1, now + 10**12))
    assert settled(Tag(1, 1, 1, now, now - 2 * index.SETTLED_NS))
