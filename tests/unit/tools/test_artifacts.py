"""Results that are too large: kept whole, bounded, private, and found again."""

from __future__ import annotations

import os
import re
import shlex
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import Refused, StorageTrouble, Unreadable, UsageError
from heaptui.tools.artifacts.shelf import Parts, Retention, find, prune, spill

LONG = b"".join(b"line %06d of it\n" % number for number in range(1, 10_001))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def test_it_is_whole_on_disk_and_nobody_elses(directory: Path) -> None:
    artifact = spill(directory, LONG)
    path = find(directory, artifact.id)
    assert path.read_bytes() == LONG
    assert str(path) == artifact.path
    assert (artifact.bytes, artifact.lines, artifact.cut) == (len(LONG), 10_000, False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    assert os.listdir(directory) == [path.name]


def test_its_id_says_nothing_of_its_content(directory: Path) -> None:
    first, second = spill(directory, LONG), spill(directory, LONG)
    assert first.id != second.id
    assert re.fullmatch("[0-9a-f]{16}", first.id)


def test_of_a_command_mostly_the_end_is_shown(directory: Path) -> None:
    artifact = spill(directory, LONG, shown_bytes=1000)
    assert LONG.decode().startswith(artifact.head)
    assert LONG.decode().endswith(artifact.tail)
    assert 150 < len(artifact.head) <= 200
    assert 700 < len(artifact.tail) <= 800


def test_of_what_was_read_only_the_beginning_and_the_call_that_goes_on(directory: Path) -> None:
    artifact = spill(directory, LONG, parts=Parts.HEAD, shown_bytes=1000)
    assert artifact.tail == ""
    shown = artifact.head.count("\n")
    assert shown == 55
    words = shlex.split(artifact.then)
    assert words[:3] == ["heaptui", "tool", "read"]
    assert words[3:] == [f"artifact:{artifact.id}", "--offset", str(shown + 1)]


def test_the_salient_lines_between(directory: Path) -> None:
    text = LONG.replace(b"line 005000 of it", b"ERROR: out of room")
    assert spill(directory, text).salient == ("5000: ERROR: out of room",)


def test_a_stream_is_never_held(directory: Path) -> None:
    def stream() -> Iterator[bytes]:
        for _ in range(100):
            yield LONG[:100_000]

    tracemalloc.start()
    try:
        artifact = spill(directory, stream())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert artifact.bytes == 10_000_000
    assert peak < 3 << 20


def test_what_can_never_be_kept_is_cut_and_says_so(directory: Path) -> None:
    artifact = spill(directory, LONG, kept=Retention(bytes=1000))
    assert Path(artifact.path).read_bytes() == LONG[:1000]
    assert artifact.cut
    assert (artifact.bytes, artifact.lines) == (len(LONG), 10_000)
    assert artifact.tail.endswith("line 010000 of it\n")


def aged(path: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_the_oldest_go_by_number_size_and_age(directory: Path) -> None:
    written = [spill(directory, b"x" * 100) for _ in range(6)]
    for age, artifact in zip(range(60, 0, -10), written, strict=True):
        aged(artifact.path, age)
    left = lambda: [one for one in written if Path(one.path).exists()]  # noqa: E731
    assert prune(directory, Retention(files=5)) == 1
    assert left() == written[1:]
    assert prune(directory, Retention(bytes=350)) == 2
    assert left() == written[3:]
    assert prune(directory, Retention(age_s=15)) == 2
    assert left() == written[5:]
    assert prune(directory, Retention(files=0, bytes=0, age_s=0)) == 0, "the newest stays"


def test_writing_one_prunes(directory: Path) -> None:
    for _ in range(5):
        last = spill(directory, b"x", kept=Retention(files=2))
    assert len(os.listdir(directory)) == 2
    assert find(directory, last.id)


def test_nothing_that_is_not_its_own_is_removed(directory: Path) -> None:
    spill(directory, b"x")
    (directory / "notes.txt").write_text("mine")
    spill(directory, b"y", kept=Retention(files=1))
    assert (directory / "notes.txt").read_text() == "mine"


def test_an_id_is_not_a_path(directory: Path) -> None:
    spill(directory, b"x")
    for bad in ("", "../x", "0123456789abcdeg", "0123456789abcdef/", "0123456789ABCDEF\n"):
        with pytest.raises(UsageError, match="no artifact's id"):
            find(directory, bad)
    with pytest.raises(Unreadable, match="not any more"):
        find(directory, "0123456789abcdef")


def test_a_link_in_its_place_is_no_artifact(directory: Path, tmp_path: Path) -> None:
    artifact = spill(directory, b"x")
    Path(artifact.path).unlink()
    Path(artifact.path).symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("s")
    with pytest.raises(Unreadable):
        find(directory, artifact.id)


def test_a_directory_for_everybody_is_refused(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    with pytest.raises(Refused, match="this user alone"):
        spill(directory, b"x")
    assert os.listdir(directory) == []


def test_a_link_to_a_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused):
        spill(directory, b"x")


def test_a_file_in_the_place_of_the_directory_is_trouble(directory: Path) -> None:
    directory.write_text("")
    with pytest.raises(StorageTrouble):
        spill(directory, b"x")


def test_a_source_that_breaks_leaves_nothing(directory: Path) -> None:
    def breaks() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        spill(directory, breaks())
    assert os.listdir(directory) == []


def test_nothing_at_all_is_an_artifact_too(directory: Path) -> None:
    artifact = spill(directory, b"")
    assert (artifact.bytes, artifact.lines, artifact.head, artifact.salient) == (0, 0, "", ())
