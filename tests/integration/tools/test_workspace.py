"""A workspace that nothing leads out of, by the kernel's own resolving and by the walk."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import Refused, Unreadable, UsageError
from heaptui.tools.workspace import beneath
from heaptui.tools.workspace.regular import opened
from heaptui.tools.workspace.root import Workspace, shown
from tests.integration.tools.swapping import swapped, tally

linux = pytest.mark.skipif(sys.platform != "linux", reason="openat2, /proc and /dev/shm")


@pytest.fixture(params=["kernel", "walk"])
def resolving(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to resolve a path, for what must hold with either."""
    if request.param == "walk":
        monkeypatch.setattr(beneath, "kernel_resolves", lambda: False)
    elif not beneath.kernel_resolves():
        pytest.skip("no openat2 on this system")
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "root"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "file").write_text("file")
    (inside / "a" / "file").write_text("a file")
    (tmp_path / "secret").write_text("secret")
    return inside


@pytest.fixture
def workspace(root: Path, resolving: str) -> Iterator[Workspace]:
    with Workspace.open(root) as space:
        yield space


def content(workspace: Workspace, path: str) -> str:
    fd = opened(workspace, path)
    try:
        return os.read(fd, 100).decode()
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        ("file", "file"),
        ("./a//file", "a file"),
        ("a/../file", "file"),
        ("a/b/../../a/file", "a file"),
        ("link", "a file"),
        ("a/up", "file"),
        ("a/b/far/file", "a file"),
        ("dirlink/../file", "file"),
    ],
)
def test_paths_and_links_inside(workspace: Workspace, root: Path, path: str, holds: str):
    (root / "link").symlink_to("a/file")
    (root / "a" / "up").symlink_to("../file")
    (root / "a" / "b" / "far").symlink_to("../../dirlink")
    (root / "dirlink").symlink_to("a/.")
    assert content(workspace, path) == holds


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "a/../../secret",
        "out",
        "a/out",
        "outdir/secret",
        "absolute",
        "itself/file",
        "twice",
        "/etc/passwd",
        "/",
    ],
)
def test_nothing_leads_out(workspace: Workspace, root: Path, path: str):
    (root / "out").symlink_to("../secret")
    (root / "a" / "out").symlink_to("../../secret")
    (root / "outdir").symlink_to("..")
    (root / "absolute").symlink_to(root.parent / "secret")
    (root / "itself").symlink_to(root)
    (root / "twice").symlink_to("out")
    with pytest.raises(Refused, match="leads out of the workspace"):
        opened(workspace, path)
    if path != "/":
        with pytest.raises(Refused, match="leads out of the workspace"):
            os.close(workspace.open_parent(path)[0])
    with pytest.raises(Refused):
        os.close(workspace.open_file("absolute", os.O_RDONLY))


def test_links_in_a_circle_end(workspace: Workspace, root: Path):
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    (root / "self").symlink_to("self/self")
    for path in ("one", "two/below", "self"):
        with pytest.raises(Refused, match="in a circle"):
            opened(workspace, path)
    with pytest.raises(Refused, match="in a circle"):
        workspace.open_parent("one")


@linux
def test_the_links_of_proc_are_not_followed(resolving: str, root: Path):
    with Workspace.open(Path("/proc/self")) as proc, pytest.raises(Refused):
        opened(proc, "root/etc/passwd")
    with Workspace.open(Path("/proc/self")) as proc, pytest.raises((Refused, Unreadable)):
        opened(proc, "fd/0")


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("nothing", Unreadable, "is not there"),
        ("a/nothing/x", Unreadable, "is not there"),
        ("file/x", Unreadable, "no directory"),
        ("file/", Unreadable, "no directory"),
        ("", UsageError, "missing"),
        ("fi\0le", UsageError, "NUL"),
        ("\ud800", UsageError, "cannot be a name"),
        ("x" * 300, UsageError, "longer"),
        ("a/" * 3000 + "file", UsageError, "longer"),
        ("a", Refused, "directory"),
        (".", Refused, "directory"),
    ],
)
def test_what_cannot_be_opened_says_why(workspace: Workspace, path, kind, says):
    if path.startswith("a/a") and not beneath.kernel_resolves():
        pytest.skip("the walk opens names one by one, however long their path")
    with pytest.raises(kind, match=says) as refused:
        opened(workspace, path)
    assert refused.value.remedy


@pytest.mark.parametrize("name", ["two\nlines", "\ttab", "-e", "sp ace", "ü€😀", "\udcff\udc80"])
def test_any_name_that_a_file_can_have(workspace: Workspace, root: Path, name: str):
    try:
        (root / name).write_text("odd")
    except OSError:
        pytest.skip("this file system has no such names")
    assert content(workspace, name) == "odd"
    assert content(workspace, f"{root}/{name}") == "odd"
    parent, last = workspace.open_parent(name)
    os.close(parent)
    assert last == name
    shown(name).encode()


def test_how_a_name_that_is_no_utf_8_is_shown():
    assert shown("caf\udce9") == "caf\\xe9"
    assert shown("café\n") == "café\n"


def test_a_root_that_is_a_link_is_the_directory_it_led_to(tmp_path: Path, root: Path):
    link = tmp_path / "link"
    link.symlink_to(root)
    with Workspace.open(link) as workspace:
        for path in ("file", f"{link}/file", f"{root}/file"):
            assert content(workspace, path) == "file"
        other = tmp_path / "other"
        other.mkdir()
        (other / "file").write_text("another")
        link.unlink()
        link.symlink_to(other)
        assert content(workspace, f"{link}/file") == "file"


def test_a_root_that_vanishes_says_so(workspace: Workspace, root: Path):
    shutil.rmtree(root)
    for call in (lambda: opened(workspace, "file"), lambda: workspace.open_parent("new")):
        with pytest.raises(Unreadable, match="is gone: its directory was deleted"):
            call()


def test_a_root_that_was_renamed_is_still_the_root(workspace: Workspace, root: Path):
    root.rename(root.parent / "elsewhere")
    root.mkdir()
    (root / "file").write_text("an impostor")
    assert content(workspace, "file") == "file"


@pytest.mark.parametrize("name", ["nothing", "file", "circle", "fi\0le"])
def test_a_root_that_is_none(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises((Unreadable, UsageError)) as refused:
        Workspace.open(tmp_path / name)
    assert refused.value.remedy


@linux
def test_a_root_on_another_file_system_and_no_way_there(workspace: Workspace, root: Path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        other = Path(directory)
        assert other.stat().st_dev != root.stat().st_dev
        (other / "file").write_text("elsewhere")
        with Workspace.open(other) as space:
            assert content(space, "file") == "elsewhere"
        (root / "other").symlink_to(other)
        with pytest.raises(Refused):
            opened(workspace, "other/file")


def test_one_for_reading_changes_nothing(workspace: Workspace, root: Path):
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
        with pytest.raises(Refused, match="read-only"):
            workspace.open_file("file", flags)
        with pytest.raises(Refused, match="read-only"):
            workspace.open_file("new", flags | os.O_CREAT)
    assert (root / "file").read_text() == "file"
    assert not (root / "new").exists()


def test_one_for_writing_makes_files_inside_only(root: Path, resolving: str):
    (root / "out").symlink_to("../made")
    with Workspace.open(root, writable=True) as workspace:
        fd = workspace.open_file("a/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        os.write(fd, b"new")
        os.close(fd)
        with pytest.raises(Refused):
            workspace.open_file("out", os.O_WRONLY | os.O_CREAT)
    assert (root / "a" / "new").read_text() == "new"
    assert not (root.parent / "made").exists()


def test_the_parent_is_that_of_the_file_a_link_leads_to(workspace: Workspace, root: Path):
    (root / "link").symlink_to("a/up")
    (root / "a" / "up").symlink_to("b/new")
    for path, directory, name in (
        ("file", root, "file"),
        ("a/new", root / "a", "new"),
        ("link", root / "a" / "b", "new"),
        (f"{root}/a/file", root / "a", "file"),
    ):
        fd, last = workspace.open_parent(path)
        assert last == name
        held = os.open(directory, os.O_RDONLY)
        assert os.path.sameopenfile(fd, held)
        os.close(fd)
        os.close(held)
    for path in (".", "a/", "a/..", str(root), f"{root}/"):
        with pytest.raises(UsageError, match="names no file"):
            workspace.open_parent(path)


def test_descriptors_are_not_inherited_and_none_is_left(workspace: Workspace, root: Path):
    (root / "out").symlink_to("../secret")
    before = os.listdir("/dev/fd")
    fd = opened(workspace, "file")
    parent, _ = workspace.open_parent("a/file")
    assert not os.get_inheritable(fd)
    assert not os.get_inheritable(parent)
    os.close(parent)
    os.close(fd)
    for path in ("file/x", "out", "a", "a/b/../../../secret", "nothing"):
        with pytest.raises((Refused, Unreadable)):
            opened(workspace, path)
        with pytest.raises((Refused, Unreadable, UsageError)):
            os.close(workspace.open_parent(f"{path}/../out/x")[0])
    assert os.listdir("/dev/fd") == before


@linux
def test_a_path_that_is_swapped_meanwhile_never_leads_out(resolving: str, tmp_path: Path):
    with swapped(tmp_path) as root, Workspace.open(root) as workspace:
        result = tally(lambda path: opened(workspace, path), 1500)
    assert result.escapes == 0
    assert result.special == 0
    assert result.opened
    assert result.refused
