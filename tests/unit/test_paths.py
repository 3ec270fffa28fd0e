from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from heaptui import paths
from heaptui.errors import Refused, StorageTrouble
from heaptui.paths import SOCKET_PATH_MAX, StateDir, default_state, file_system, private


def test_everything_of_a_state_directory_is_private(tmp_path):
    state = StateDir(tmp_path / "a" / "state").prepare()
    for directory in (state.root, state.root / "tasks"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_directory_that_others_could_read_is_closed(tmp_path):
    (tmp_path / "state").mkdir(mode=0o755)
    StateDir(tmp_path / "state").prepare()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o1777, 0o710])
def test_a_directory_that_serves_others_too_stays_open(tmp_path, mode):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "theirs").write_text("theirs")
    shared.chmod(mode)
    with pytest.raises(Refused, match="open to other users") as caught:
        StateDir(shared).prepare()
    assert str(shared / "heaptui") in caught.value.remedy
    assert stat.S_IMODE(shared.stat().st_mode) == mode
    assert [one.name for one in shared.iterdir()] == ["theirs"]


def test_a_shared_directory_stays_open_even_while_it_is_empty(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    with pytest.raises(Refused, match="open to other users"):
        StateDir(tmp_path / "tmp").prepare()
    assert stat.S_IMODE((tmp_path / "tmp").stat().st_mode) == 0o1777


@pytest.mark.parametrize("mark", ["heaptui.db", "warden.journal"])
def test_a_state_directory_that_was_opened_is_closed_again(tmp_path, mark):
    root = StateDir(tmp_path / "state").prepare().root
    (root / mark).touch()
    root.chmod(0o755)
    StateDir(root).prepare()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_socket_whose_path_is_too_long_goes_to_the_users_own_directory(tmp_path):
    state = StateDir(tmp_path / ("x" * 120)).prepare()
    supervisor, warden = state.socket("supervisor"), state.socket("warden")
    assert supervisor.parent == warden.parent == Path(f"/tmp/heaptui-{os.getuid()}")
    assert supervisor != warden
    assert len(os.fsencode(supervisor)) <= SOCKET_PATH_MAX
    assert stat.S_IMODE(supervisor.parent.stat().st_mode) == 0o700
    other = StateDir(tmp_path / ("y" * 120))
    assert other.socket("supervisor") != supervisor


def test_two_ways_to_one_directory_are_one_place(tmp_path):
    real = tmp_path / ("x" * 120)
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    by_link = StateDir(tmp_path / "link").prepare()
    assert by_link.socket("supervisor") == StateDir(real).prepare().socket("supervisor")


def test_a_file_in_the_place_is_named(tmp_path):
    (tmp_path / "state").write_text("mine")
    with pytest.raises(StorageTrouble, match="is a file") as caught:
        StateDir(tmp_path / "state").prepare()
    assert "--state" in caught.value.remedy
    assert (tmp_path / "state").read_text() == "mine"


def test_a_file_above_the_place_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageTrouble, match="is a file"):
        StateDir(tmp_path / "file" / "state").prepare()


def test_a_directory_of_another_user_is_refused(tmp_path, monkeypatch):
    somebody_else = os.getuid() + 1
    monkeypatch.setattr(paths.os, "getuid", lambda: somebody_else)
    with pytest.raises(Refused, match=f"uid {somebody_else - 1}"):
        private(tmp_path)


def test_a_link_in_the_shared_directory_is_refused(tmp_path):
    link = Path("/tmp") / f"heaptui-test-{os.getpid()}"
    link.symlink_to(tmp_path)
    try:
        with pytest.raises(Refused, match="link"):
            private(link)
    finally:
        link.unlink()


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "file_system", lambda _: "nfs4")
    with pytest.raises(Refused, match="nfs4"):
        StateDir(tmp_path / "state").prepare()


@pytest.mark.parametrize("root", ["/", "/proc", "/proc/self"])
def test_the_file_system_of_a_path_is_that_of_its_mount(root):
    if not Path("/proc/self/mountinfo").exists():
        assert file_system(Path(root)) is None
    else:
        assert (file_system(Path(root)) == "proc") == root.startswith("/proc")


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"HEAPTUI_STATE": "/x/y"}, "/x/y"),
        ({"XDG_STATE_HOME": "/x"}, "/x/heaptui"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/heaptui"),
        ({"HOME": "/h"}, "/h/.local/state/heaptui"),
    ],
)
def test_where_the_state_is(monkeypatch, variables, place):
    for name in ("HEAPTUI_STATE", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_state() == Path(place)
