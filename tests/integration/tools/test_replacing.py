"""Write and Edit beside other programs, on full disks, and killed in the middle."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import Refused, StorageTrouble, Unreadable
from heaptui.tools.replacing import temporaries
from heaptui.tools.replacing.edit import edit
from heaptui.tools.replacing.write import write
from heaptui.tools.workspace.root import Workspace

HERE = Path(__file__).parent


def started(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(HERE / program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path, writable=True) as opened:
        yield opened


def test_what_a_hostile_replacer_writes_is_never_lost(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("v0 n=0\n")
    replacer = started("replacer.py", path, 60)
    done = refused = 0
    while replacer.poll() is None:
        text = path.read_text()
        before, _, number = text.strip().partition("=")
        try:
            edit(workspace, "f", text, f"{before}={int(number) + 1}\n")
            done += 1
        except Refused:
            refused += 1
    assert replacer.stdout is not None
    with replacer.stdout:
        assert replacer.stdout.read() == "0\n"
    assert done
    assert refused
    assert os.listdir(workspace.root) == ["f"]


def test_edits_of_several_programs_are_all_there(workspace: Workspace) -> None:
    (workspace.root / "count").write_text("n=0")
    programs = [started("counting.py", workspace.root, 50) for _ in range(3)]
    for program in programs:
        program.communicate(timeout=60)
        assert program.returncode == 0
    assert (workspace.root / "count").read_text() == "n=150"
    assert os.listdir(workspace.root) == ["count"]


def test_what_a_killed_writer_left_is_swept_by_the_next(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("old")
    programs = [started("slow_write.py", workspace.root, name) for name in ("f", "g")]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "writing\n"
    programs[0].kill()
    programs[0].wait()
    assert path.read_text() == "old"
    assert len(os.listdir(workspace.root)) == 3
    # the one that is still at it keeps its own
    write(workspace, "h", "x")
    left = [name for name in os.listdir(workspace.root) if name.startswith(".heaptui-")]
    assert len(left) == 1
    assert left[0].startswith(f".heaptui-{programs[1].pid}-")
    programs[1].kill()
    programs[1].wait()
    edit(workspace, "f", "old", "new")
    assert sorted(os.listdir(workspace.root)) == ["f", "h"]
    for program in programs:
        assert program.stdout is not None
        program.stdout.close()


def test_only_leftovers_of_the_dead_are_swept(workspace: Workspace) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    root = workspace.root
    start = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    kept = {
        f".heaptui-1-{start}-{'0' * 16}.tmp",
        f".heaptui-{ended.pid}-1-{'0' * 15}.tmp",
        f".heaptui-{ended.pid}-1-{'0' * 16}.tmp.txt",
        f".heaptui-{ended.pid}-1-{'d' * 16}.tmp",
        f".heaptui-{ended.pid}-1-{'e' * 16}.tmp",
    }
    for name in kept:
        if "ddd" in name:
            (root / name).mkdir()
        else:
            (root / name).write_text("")
    # its maker's number means nothing here, but it is alive
    fd = os.open(root / f".heaptui-{ended.pid}-1-{'e' * 16}.tmp", os.O_RDWR)
    temporaries.fcntl.flock(fd, temporaries.fcntl.LOCK_EX)
    (root / f".heaptui-{ended.pid}-1-{'a' * 16}.tmp").write_text("")
    (root / f".heaptui-1-{int(start) + 7}-{'b' * 16}.tmp").write_text("")
    write(workspace, "f", "x")
    os.close(fd)
    assert set(os.listdir(root)) == {*kept, "f"}


def test_a_limit_on_the_size_of_files(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_bytes(b"old" + b"." * (2 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(StorageTrouble, match="larger than a file may be"):
            edit(workspace, "f", "old", "new")
        with pytest.raises(StorageTrouble, match="larger than a file may be"):
            write(workspace, "g", b"." * (2 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes()[:3] == b"old"
    assert os.listdir(workspace.root) == ["f"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "disk"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "heaptui-test", str(root)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        yield root
    finally:
        subprocess.run(["umount", str(root)], check=True)


def test_a_disk_that_fills_in_the_middle(small_disk: Path) -> None:
    with Workspace.open(small_disk, writable=True) as workspace:
        path = small_disk / "f"
        path.write_bytes(b"old" + b"." * (3 << 20))
        with pytest.raises(StorageTrouble, match="does not fit"):
            edit(workspace, "f", "old", "new")
        with pytest.raises(StorageTrouble, match="does not fit"):
            edit(workspace, "f", "." * 64, "." * 128, all=True)
        with pytest.raises(StorageTrouble, match="does not fit"):
            write(workspace, "g", b"." * (2 << 20))
        assert os.listdir(small_disk) == ["f"]
        assert path.read_bytes() == b"old" + b"." * (3 << 20)
        write(workspace, "f", "less")
        assert path.read_bytes() == b"less"


def test_a_mount_point_is_refused(small_disk: Path, tmp_path: Path) -> None:
    place, other = tmp_path / "place", small_disk / "other"
    place.write_text("beneath")
    other.write_text("mounted")
    subprocess.run(["mount", "--bind", str(other), str(place)], check=True)
    try:
        with (
            Workspace.open(tmp_path, writable=True) as workspace,
            pytest.raises(Refused, match="is a mount point"),
        ):
            edit(workspace, "place", "mounted", "changed")
        assert place.read_text() == "mounted"
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert sorted(os.listdir(tmp_path)) == ["disk", "place"]


def test_a_directory_that_is_deleted_meanwhile(workspace: Workspace) -> None:
    directory = workspace.root / "d"
    directory.mkdir()

    def cancelled() -> bool:
        if directory.exists():
            for name in os.listdir(directory):
                (directory / name).unlink()
            directory.rmdir()
        return False

    with pytest.raises(Unreadable, match="gone"):
        write(workspace, "d/f", b"x", cancelled=cancelled)
    assert os.listdir(workspace.root) == []
