"""Write: what a file is afterwards, and what is refused."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from msgspec import json

from heaptui.errors import Refused, Unreadable, UsageError
from heaptui.tools.answers import Written
from heaptui.tools.reading.read import read
from heaptui.tools.replacing import exchanging
from heaptui.tools.replacing.edit import edit
from heaptui.tools.replacing.write import write
from heaptui.tools.workspace.regular import tag_of
from heaptui.tools.workspace.root import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    root = tmp_path / "root"
    root.mkdir()
    with Workspace.open(root, writable=True) as opened:
        yield opened


AsAnother = Callable[[], AbstractContextManager[None]]
OTHER = 12345


@pytest.fixture
def as_another(workspace: Workspace) -> AsAnother:
    """A user who may write in the workspace, and has none of root's rights."""
    workspace.root.chmod(0o777)

    @contextmanager
    def being() -> Iterator[None]:
        os.seteuid(OTHER)
        try:
            yield
        finally:
            os.seteuid(0)

    return being


def test_a_new_file(workspace: Workspace) -> None:
    umask = os.umask(0o027)
    try:
        done = write(workspace, "new", "ä\n")
    finally:
        os.umask(umask)
    path = workspace.root / "new"
    assert done.created
    assert done.verified
    assert path.read_bytes() == b"\xc3\xa4\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert done.tag.sha256 == hashlib.sha256(b"\xc3\xa4\n").hexdigest()
    assert os.listdir(workspace.root) == ["new"]
    assert not write(workspace, "new", b"", expect=done.tag).created
    assert path.read_bytes() == b""


def test_parents_are_made_when_asked_for(workspace: Workspace) -> None:
    with pytest.raises(Unreadable, match="directory of 'a/b/c' is not there"):
        write(workspace, "a/b/c", "x")
    assert os.listdir(workspace.root) == []
    write(workspace, "a/./b//c", "x", parents=True)
    write(workspace, "a/b/d", "x", parents=True)
    assert sorted(os.listdir(workspace.root / "a/b")) == ["c", "d"]
    with pytest.raises(Refused, match="leads out"):
        write(workspace, "../beside/c", "x", parents=True)
    (workspace.root / "out").symlink_to(workspace.root.parent)
    with pytest.raises(Refused, match="leads out"):
        write(workspace, "out/beside/c", "x", parents=True)
    with pytest.raises(Unreadable, match="no directory"):
        write(workspace, "a/b/c/d", "x", parents=True)
    assert os.listdir(workspace.root.parent) == ["root"]


@pytest.mark.parametrize(
    ("before", "content", "after"),
    [
        (b"a\r\nb\r\n", "c\nd\n", b"c\r\nd\r\n"),
        (b"a\r\nb\n", "c\nd\n", b"c\nd\n"),
        (b"a\r\nb\r\n", "c\r\nd\n", b"c\r\nd\n"),
        (b"a\r\nb\r\n", b"c\nd\n", b"c\nd\n"),
        (b"\xef\xbb\xbfa\r\n", "c\n", b"\xef\xbb\xbfc\r\n"),
        (b"\xef\xbb\xbfa", "\ufeffc", b"\xef\xbb\xbfc"),
        (b"\xef\xbb\xbfa", b"c", b"c"),
        (b"\xff\xfea\0\n\0", "ä\n", b"\xff\xfe\xe4\0\n\0"),
        (b"\0binary\r\n", "c\n", b"c\r\n"),
    ],
)
def test_a_text_takes_over_how_the_file_was_written(
    workspace: Workspace, before: bytes, content: str | bytes, after: bytes
) -> None:
    path = workspace.root / "f"
    path.write_bytes(before)
    assert write(workspace, "f", content).bytes == len(after)
    assert path.read_bytes() == after


@pytest.mark.parametrize("content", ["caf\ufffd, new\n", "caf\ufffd, new\n".encode()])
def test_what_stands_for_bytes_that_are_no_text_is_not_written_back(
    workspace: Workspace, content: str | bytes
) -> None:
    path = workspace.root / "f"
    old = b"x" * (1 << 20) + b"caf\xe9\n"
    path.write_bytes(old)
    shown = read(workspace, "f", start_byte=-5).text
    assert shown == "caf\ufffd\n"
    with pytest.raises(Refused, match="would be lost"):
        write(workspace, "f", content)
    assert path.read_bytes() == old
    # where it is a character of the file itself, or nothing is shown as it, it is one like others
    for text in ("caf\ufffd\n", "caf\n", "x" * ((256 << 10) - 1) + "é"):
        path.write_text(text)
        write(workspace, "f", content)
        assert path.read_text() == "caf\ufffd, new\n"


def test_a_text_with_half_a_character_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="Character 2"):
        write(workspace, "f", "a\ud800")
    assert os.listdir(workspace.root) == []


def test_stale_and_gone(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("x")
    with path.open() as file:
        seen = tag_of(file.fileno())
    path.write_text("yy")
    with pytest.raises(Refused, match="had 1"):
        write(workspace, "f", "z", expect=seen)
    path.unlink()
    with pytest.raises(Refused, match="deleted"):
        write(workspace, "f", "z", expect=seen)
    assert os.listdir(workspace.root) == []


def test_owner_mode_and_attributes_stay(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("old")
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    path.chmod(0o4751)
    try:
        os.setxattr(path, "user.origin", b"here\0")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
    before = path.stat()
    attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    edit(workspace, "f", "old", "new")
    write(workspace, "f", "newer")
    after = path.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == attributes


def test_what_the_directory_gives_to_new_files_is_taken_off(workspace: Workspace) -> None:
    # an access list of version 2: the owner, a named user, the group, the mask, others
    entries = [(0x01, 6, -1), (0x02, 7, 12345), (0x04, 4, -1), (0x10, 7, -1), (0x20, 4, -1)]
    acl = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little")
        + rights.to_bytes(2, "little")
        + (who & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, rights, who in entries
    )
    path = workspace.root / "f"
    path.write_text("old")
    try:
        os.setxattr(workspace.root, "system.posix_acl_default", acl)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
    write(workspace, "f", "new")
    assert os.listxattr(path) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    os.setxattr(path, "system.posix_acl_access", acl)
    os.removexattr(workspace.root, "system.posix_acl_default")
    write(workspace, "f", "newer")
    assert os.getxattr(path, "system.posix_acl_access") == acl


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_an_owner_that_cannot_be_kept_is_a_refusal(
    workspace: Workspace, as_another: AsAnother
) -> None:
    path = workspace.root / "f"
    path.write_text("old")
    with as_another(), pytest.raises(Refused, match="read-only to this user"):
        write(workspace, "f", "new")
    path.chmod(0o666)
    with as_another():
        with pytest.raises(Refused, match="belongs to user 0"):
            write(workspace, "f", "new")
        assert write(workspace, "theirs", "x").created
    assert path.read_text() == "old"
    assert sorted(os.listdir(workspace.root)) == ["f", "theirs"]


def test_a_read_only_file_or_workspace_is_refused(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("old")
    path.chmod(0o444)
    for change in (lambda: write(workspace, "f", "x"), lambda: edit(workspace, "f", "old", "x")):
        with pytest.raises(Refused, match="read-only"):
            change()
    path.chmod(0o644)
    with Workspace.open(workspace.root) as reading:
        with pytest.raises(Refused, match="read-only"):
            write(reading, "f", "x")
        with pytest.raises(Refused, match="read-only"):
            write(reading, "a/b", "x", parents=True)
        with pytest.raises(Refused, match="read-only"):
            edit(reading, "f", "old", "x")
    assert path.read_text() == "old"
    assert os.listdir(workspace.root) == ["f"]


def test_a_link_stays_and_what_it_leads_to_is_changed(workspace: Workspace) -> None:
    inside = workspace.root / "inside"
    inside.mkdir()
    (inside / "target").write_text("old")
    (workspace.root / "link").symlink_to("inside/target")
    (inside / "link").symlink_to("../link")
    (workspace.root / "dangling").symlink_to("inside/made")
    edit(workspace, "inside/link", "old", "new")
    write(workspace, "dangling", "made")
    assert (inside / "target").read_text() == "new"
    assert (inside / "made").read_text() == "made"
    assert (inside / "link").is_symlink()
    assert (workspace.root / "dangling").is_symlink()
    outside = workspace.root.parent / "outside"
    outside.write_text("old")
    (workspace.root / "away").symlink_to("../outside")
    (workspace.root / "absolute").symlink_to(outside)
    for name in ("away", "absolute"):
        with pytest.raises(Refused, match="leads out"):
            edit(workspace, name, "old", "new")
    assert outside.read_text() == "old"


def test_other_names_keep_the_old_contents_and_are_counted(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("old")
    (workspace.root / "other").hardlink_to(path)
    assert edit(workspace, "f", "old", "new").links == 1
    assert (workspace.root / "other").read_text() == "old"
    assert edit(workspace, "f", "new", "newer").links == 0


def test_what_is_no_regular_file_is_refused(workspace: Workspace) -> None:
    (workspace.root / "d").mkdir()
    os.mkfifo(workspace.root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(workspace.root / "s"))
        for name in ("d", "fifo", "s"):
            with pytest.raises(Refused, match=r"directory|FIFO|socket"):
                write(workspace, name, "x")
    for name in (".", "..", "d/", ""):
        with pytest.raises(UsageError):
            write(workspace, name, "x")
    with pytest.raises(UsageError, match="NUL"):
        write(workspace, "a\0b", "x")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
@pytest.mark.parametrize("path", ["proc/self/oom_score_adj", "proc/new", "dev/null", "sys/x"])
def test_the_kernels_files_and_devices_are_refused(path: str) -> None:
    with Workspace.open(Path("/"), writable=True) as workspace:
        with pytest.raises(Refused, match=r"made by the kernel|is a device"):
            write(workspace, path, "0")
        with pytest.raises(Refused, match=r"made by the kernel|is a device"):
            edit(workspace, path, "0", "1")


def test_names_of_any_bytes(workspace: Workspace) -> None:
    for raw in (b"with\nnewline", b"\xff\xfe", b"x" * 255, b"-rf"):
        name = os.fsdecode(raw)
        json.encode(write(workspace, name, "a"))
        edited = edit(workspace, name, "a", "b")
        assert (edited.replaced, json.decode(json.encode(edited), type=Written)) == (1, edited)
    with pytest.raises((UsageError, Refused), match="long"):
        write(workspace, "x" * 256, "a")
    assert len(os.listdir(workspace.root)) == 4


@pytest.mark.parametrize("links", [True, False])
def test_without_an_exchange_of_names(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    monkeypatch.setattr(exchanging, "_rename", lambda: None)
    if not links:

        def unable(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", unable)
    done = write(workspace, "f", "old")
    assert (done.created, done.verified) == (True, links)
    done = edit(workspace, "f", "old", "new", expect=done.tag)
    assert not done.verified
    assert not write(workspace, "f", "newer", expect=done.tag).verified
    assert (workspace.root / "f").read_text() == "newer"
    assert os.listdir(workspace.root) == ["f"]


@pytest.mark.parametrize("able", [True, False])
def test_a_file_that_comes_changes_or_goes_meanwhile_is_not_overwritten(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, able: bool
) -> None:
    if not able:
        monkeypatch.setattr(exchanging, "_rename", lambda: None)
    path = workspace.root / "f"
    theirs = workspace.root / "theirs"

    def meanwhile(act: object) -> str:
        def cancelled() -> bool:
            act()  # type: ignore[operator]
            return False

        with pytest.raises(Refused) as caught:
            write(workspace, "f", "ours", cancelled=cancelled)
        return caught.value.what

    assert "made by another" in meanwhile(lambda: path.write_text("new"))
    assert path.read_text() == "new"
    assert "wrote to it" in meanwhile(lambda: path.write_text("newer"))
    assert path.read_text() == "newer"

    def replace_it() -> None:
        theirs.write_text("newer")
        theirs.rename(path)

    assert "replaced it" in meanwhile(replace_it)
    assert "mode" in meanwhile(lambda: path.chmod(0o600))
    assert "deleted" in meanwhile(lambda: path.unlink(missing_ok=True))
    assert os.listdir(workspace.root) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives such attributes")
def test_an_attribute_that_cannot_be_given_is_a_refusal(
    workspace: Workspace, as_another: AsAnother
) -> None:
    path = workspace.root / "f"
    path.write_text("old")
    os.chown(path, OTHER, -1)
    try:
        os.setxattr(path, "security.heaptui", b"here")
    except OSError as error:
        pytest.skip(f"no such attributes here: {error}")
    with as_another(), pytest.raises(Refused, match=r"security\.heaptui"):
        write(workspace, "f", "new")
    assert path.read_text() == "old"
    assert os.listdir(workspace.root) == ["f"]
