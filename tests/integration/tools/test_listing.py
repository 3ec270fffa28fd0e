"""A directory's names: in order, bounded, counted; whatever they are called."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import json

from heaptui.errors import Refused, Unreadable, UsageError
from heaptui.tools import listing
from heaptui.tools.answers import Listed, Stopped
from heaptui.tools.listing import list_directory
from heaptui.tools.workspace.root import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path) as space:
        yield space


def names(listed: Listed) -> list[str]:
    return [entry.name for entry in listed.entries]


def test_every_kind_of_name(workspace: Workspace, tmp_path: Path):
    (tmp_path / "d").mkdir()
    (tmp_path / "b.txt").write_text("12345")
    (tmp_path / "a").symlink_to("nowhere\nelse")
    os.mkfifo(tmp_path / "c")
    listed = list_directory(workspace)
    assert [(entry.name, entry.kind, entry.bytes) for entry in listed.entries] == [
        ("a", "link", None),
        ("b.txt", "file", 5),
        ("c", "other", None),
        ("d", "directory", None),
    ]
    assert listed.entries[0].target == "nowhere\nelse"
    assert listed.entries[1].mtime == (tmp_path / "b.txt").stat().st_mtime
    assert (listed.files, listed.directories, listed.others) == (1, 1, 2)
    assert (listed.stopped, listed.more, listed.path) == (Stopped.END, False, ".")


def test_the_first_names_and_the_count_of_all(workspace: Workspace, tmp_path: Path):
    for number in range(300):
        (tmp_path / f"{(number * 7) % 300:03}").touch()
    listed = list_directory(workspace, limit=5)
    assert names(listed) == ["000", "001", "002", "003", "004"]
    assert (listed.files, listed.stopped, listed.more) == (300, Stopped.LINES, False)
    assert names(list_directory(workspace, limit=10_000_000)) == [f"{n:03}" for n in range(300)]


def test_counting_ends(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(600):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(listing, "COUNTED_MOST", 40)
    listed = list_directory(workspace, limit=5)
    assert (listed.files, listed.stopped, listed.more) == (40, Stopped.LINES, True)
    assert len(listed.entries) == 5


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"within_s": -1.0}, Stopped.TIME), ({"cancelled": lambda: True}, Stopped.CANCELLED)],
)
def test_no_time_is_an_answer(workspace: Workspace, tmp_path: Path, asked, why: Stopped):
    (tmp_path / "f").touch()
    listed = list_directory(workspace, **asked)
    assert (listed.stopped, listed.more, listed.entries) == (why, True, ())


def test_names_that_are_odd_can_be_sent(workspace: Workspace, tmp_path: Path):
    for name in (b"two\nlines", b"caf\xe9", "ü".encode()):
        try:
            (tmp_path / os.fsdecode(name)).touch()
        except OSError:
            pytest.skip("this file system has no such names")
    listed = list_directory(workspace)
    assert names(listed) == ["caf\\xe9", "two\nlines", "ü"]
    assert [entry.bytes for entry in listed.entries] == [0, 0, 0]
    assert json.decode(json.encode(listed), type=Listed) == listed


def test_what_is_no_directory_of_the_workspace(workspace: Workspace, tmp_path: Path):
    (tmp_path / "f").touch()
    (tmp_path / "out").symlink_to("/")
    os.mkfifo(tmp_path / "fifo")
    for path, kind, says in (
        ("f", Refused, "no directory"),
        ("fifo", Refused, "no directory"),
        ("nothing", Unreadable, "not there"),
        ("out", Refused, "leads out"),
        ("..", Refused, "leads out"),
    ):
        with pytest.raises(kind, match=says):
            list_directory(workspace, path)
    with pytest.raises(UsageError):
        list_directory(workspace, limit=0)


def test_a_link_inside_is_followed_and_a_deleted_directory_is_empty_or_gone(
    workspace: Workspace, tmp_path: Path
):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "f").touch()
    (tmp_path / "link").symlink_to("real")
    assert names(list_directory(workspace, "link")) == ["f"]
    shutil.rmtree(tmp_path / "real")
    with pytest.raises(Unreadable):
        list_directory(workspace, "link")


def test_what_disappears_while_it_is_listed_stays_as_it_was_seen(tmp_path: Path):
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        entry = listing._entry(directory, "gone", "file")
    finally:
        os.close(directory)
    assert (entry.name, entry.kind, entry.bytes, entry.mtime) == ("gone", "file", None, None)
