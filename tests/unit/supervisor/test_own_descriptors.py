"""What this process has open, counted on real descriptors."""

import os
import socket
import sqlite3
from pathlib import Path

from heaptui.paths import StateDir
from heaptui.supervisor.own_descriptors import descriptors


def test_each_kind_is_counted_while_it_is_open(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "s").prepare()
    before = descriptors(state)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(state.socket("supervisor")))
    listener.listen()
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(os.fspath(state.socket("supervisor")))
    accepted, _ = listener.accept()
    inet = socket.socket()
    pipe = os.pipe()
    database = sqlite3.connect(state.database)
    database.execute("CREATE TABLE t (x)")
    with (tmp_path / "file").open("w"):
        opened = descriptors(state) - before
    assert opened["sockets: listening"] == 1
    assert opened["sockets: operators"] == 2
    assert opened["sockets: others"] == 1
    assert opened["pipes"] == 2
    assert opened["database files"] == 1
    assert opened["files and directories"] == 1
    for one in (listener, caller, accepted, inet):
        one.close()
    for fd in pipe:
        os.close(fd)
    database.close()
    assert descriptors(state) == before
