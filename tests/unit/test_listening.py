from __future__ import annotations

import os
import socket

import pytest

from heaptui.errors import Refused, StorageTrouble
from heaptui.listening import bind_privately, free_place


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    return path


def test_a_stale_socket_of_ours_is_removed(place):
    free_place(place, os.getuid())
    assert not place.exists()
    free_place(place, os.getuid())


def test_a_socket_of_another_user_is_left_where_it_is(place):
    with pytest.raises(Refused, match=f"uid {os.getuid()}") as caught:
        free_place(place, os.getuid() + 1)
    assert "--state" in caught.value.remedy
    assert place.is_socket()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_left_where_it_is(tmp_path, kind):
    path = tmp_path / "thing"
    {"file": path.touch, "directory": path.mkdir, "link": lambda: path.symlink_to("x")}[kind]()
    with pytest.raises(Refused, match="in the way"):
        free_place(path, os.getuid())
    assert os.path.lexists(path)


def test_nobody_else_may_connect(tmp_path):
    before = os.umask(0)
    try:
        with bind_privately(tmp_path / "here") as bound:
            assert (tmp_path / "here").stat().st_mode & 0o777 == 0o600
            bound.listen()
    finally:
        os.umask(before)
    with bind_privately(tmp_path / "here"):  # nobody listens on what stood there
        pass


def test_where_it_cannot_be_made_the_storage_is_named(tmp_path):
    with pytest.raises(StorageTrouble, match="cannot be made"):
        bind_privately(tmp_path / "nowhere" / "here")
