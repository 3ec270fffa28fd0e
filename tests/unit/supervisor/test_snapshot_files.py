"""Files of snapshots: where they go, and whether they are whole."""

from __future__ import annotations

import struct

import pytest

from heaptui.errors import Refused
from heaptui.supervisor import snapshot_files as files

V8 = b'{"snapshot":{"meta":{}},"nodes":[],"strings":["x"]}'


def python(body: bytes = b"{}") -> bytes:
    done = struct.pack("<4sIII", b"DONE", 0, len(body), len(body)) + body
    return b"HEAPTUI PYTHON HEAP 1\n" + b"NODE" + bytes(40) + done


def test_our_directory_is_private_and_names_tell_what_it_is(tmp_path):
    ours = tmp_path / "snapshots"
    name = files.named("node", "../a b/\x1b[31m", "abcd", 2, 77, 1_700_000_000.25)
    path = files.place(None, ours, name)
    assert path.parent == ours
    assert path.name == "a-b-31m-abcd-2-77-20231114T221320250.heapsnapshot"
    assert ours.stat().st_mode & 0o777 == 0o700
    assert files.named("python", "\x1b", "abcd", 1, 7, 0.0).endswith(".pyheap")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("relative.heapsnapshot", "absolute"),
        ("{tmp}/nowhere/x.heapsnapshot", "no directory"),
        ("{tmp}/there.heapsnapshot", "there already"),
        ("{tmp}/link.heapsnapshot", "there already"),
        ("{tmp}/half.heapsnapshot", "there already"),
    ],
)
def test_a_path_that_cannot_be_taken_is_refused(tmp_path, asked, says):
    (tmp_path / "there.heapsnapshot").touch()
    (tmp_path / "half.heapsnapshot.part").touch()
    (tmp_path / "link.heapsnapshot").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match=says):
        files.place(asked.format(tmp=tmp_path), tmp_path / "ours", "name")
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    ("kind", "data"),
    [("v8", V8), ("v8", V8 + b"\n"), ("python", python()), ("python", python(b""))],
)
def test_a_whole_one_is_closed_to_others(tmp_path, kind, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    path.chmod(0o644)
    assert files.size_if_whole(path, kind) == len(data)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        ("v8", b"", "empty"),
        ("v8", V8[:-3], "cut off"),
        ("v8", b"{}", "no snapshot"),
        ("v8", python(), "no snapshot"),
        ("python", python()[:-1], "cut off"),
        ("python", python() + b"x", "cut off"),
        ("python", V8, "no snapshot"),
        ("python", b"HEAPTUI PYTHON HEAP 1\nDONE", "cut off"),
    ],
)
def test_one_that_is_not_whole_is_recognised(tmp_path, kind, data, says):
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(Refused, match=says):
        files.size_if_whole(path, kind)
    with pytest.raises(Refused, match="cannot be read"):
        files.size_if_whole(tmp_path / "absent", kind)


def test_leftovers_are_cleared_but_for_those_still_written(tmp_path):
    for name in ("a.heapsnapshot", "a.heapsnapshot.part", "b.heapsnapshot.part"):
        (tmp_path / name).touch()
    kept = {tmp_path / "b.heapsnapshot.part"}
    assert files.clear_parts(tmp_path, kept) == [tmp_path / "a.heapsnapshot.part"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.heapsnapshot",
        "b.heapsnapshot.part",
    ]
    assert files.clear_parts(tmp_path / "absent", set()) == []


def test_room_is_that_of_the_nearest_directory_there_is(tmp_path):
    free, device = files.room_on_disk(tmp_path / "not" / "yet" / "x")
    assert free > 0
    assert device == tmp_path.stat().st_dev
