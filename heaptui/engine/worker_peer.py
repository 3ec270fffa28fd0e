"""Which process is at the other end of a worker's connection, by what the kernel says."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import sys
from dataclasses import dataclass

from heaptui.memory.identity import boot_id
from heaptui.memory.procfs import names_in_namespaces
from heaptui.memory.table import Table
from heaptui.model import Identity
from heaptui.peer import peer_uid

_SO_PEERPIDFD = 77  # asm-generic/socket.h, since Linux 6.5
_LOCAL_PEERPID = 2  # macOS: sys/un.h, at SOL_LOCAL (0)


@dataclass(frozen=True, slots=True)
class Peer:
    """A process of our user. `names`: its pid as we see it and as it may see itself."""

    identity: Identity
    ppid: int
    names: tuple[int, ...]


def ours(connection: socket.socket) -> bool:
    """Whether the peer is of our user; the socket's mode decides where the system does not tell."""
    return peer_uid(connection) in (None, os.getuid())


def peer_of(connection: socket.socket, table: Table, said: int) -> Peer | None:
    """The process that connected; None when it is gone, or cannot be seen from here. `said`: the
    pid that it gives itself, believed where the system tells none."""
    pid = _peer_pid(connection)
    stat = table.look(said if pid is None else pid)
    # its pid may be another's by now, never while the very process that connected is seen alive
    if stat is None or not _still_there(connection):
        return None
    names = names_in_namespaces(stat.pid) or (stat.pid,)
    return Peer(Identity(boot_id(), stat.pid, stat.start), stat.ppid, names)


def _peer_pid(connection: socket.socket) -> int | None:
    if hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        # 0: in a pid namespace that ours does not see
        return int(struct.unpack("iII", credentials)[0])
    if sys.platform == "darwin":
        return int(struct.unpack("i", connection.getsockopt(0, _LOCAL_PEERPID, 4))[0])
    return None


def _still_there(connection: socket.socket) -> bool:
    """Whether the process that connected lives; taken for granted where the kernel cannot say."""
    if not sys.platform.startswith("linux"):
        return True
    try:
        handle = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        # an older kernel; anything else means that it has been reaped
        return error.errno == errno.ENOPROTOOPT
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return not poll.poll(0)
    finally:
        os.close(handle)
