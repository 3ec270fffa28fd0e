"""The socket, and who is at the other end."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable

from heaptui.warden.log import log
from heaptui.warden.system import peer_uid

INPUT_LINE_BYTES = 8 << 20
BACKLOG_BYTES = 4 << 20
CONNECTIONS = 16


class Peer:
    """One connection: whole lines in, a bounded backlog out; never waits."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.since = time.monotonic()
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.room = BACKLOG_BYTES

    def lines(self) -> list[bytes]:
        """What arrived whole.

        Raises:
            OSError: the other end is gone, or sent a line beyond all measure.
        """
        try:
            chunk = self.connection.recv(1 << 18)
        except BlockingIOError:
            return []
        if not chunk:
            raise ConnectionResetError(errno.ECONNRESET, "it hung up")
        head, newline, tail = chunk.rpartition(b"\n")
        if len(self.incoming) + len(tail) > INPUT_LINE_BYTES:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        if not newline:
            self.incoming += tail
            return []
        whole = bytes(self.incoming) + head
        self.incoming = bytearray(tail)
        return whole.split(b"\n")

    def send(self, data: bytes = b"") -> None:
        """Queues `data` and sends what the socket takes.

        Raises:
            OSError: the other end is gone, or does not read.
        """
        self.outgoing += data
        try:
            while self.outgoing:
                del self.outgoing[: self.connection.send(self.outgoing)]
        except BlockingIOError:
            if len(self.outgoing) > self.room:
                raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)) from None


class Connections:
    """Those of this user. `obey` is told every line, `lost` every one that is no more."""

    def __init__(
        self,
        path: str,
        selector: selectors.BaseSelector,
        obey: Callable[[Peer, bytes], None],
        lost: Callable[[Peer], None],
    ) -> None:
        self.path, self.selector = path, selector
        self.obey, self.lost = obey, lost
        self.peers: list[Peer] = []
        self.listener = self.listen()
        self.bound = os.lstat(path)

    def listen(self) -> socket.socket:
        if os.path.lexists(self.path):  # of a warden that is gone: the lock is ours
            os.unlink(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o177)
        try:
            listener.bind(self.path)
        finally:
            os.umask(umask)
        listener.listen(CONNECTIONS)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, self.accept)
        return listener

    def reachable(self) -> bool:
        """Whether who connects to the path comes to this process."""
        try:
            return os.path.samestat(os.lstat(self.path), self.bound)
        except OSError:
            return False

    def be_reachable(self) -> None:
        """Somebody may have tidied up.

        Raises:
            OSError: it cannot be.
        """
        if not self.reachable():
            older, self.listener = self.listener, self.listen()
            self.bound = os.lstat(self.path)
            self.selector.unregister(older)
            older.close()

    def close(self) -> None:
        if self.reachable():
            os.unlink(self.path)

    def descriptors(self) -> list[int]:
        return [self.listener.fileno(), *(peer.connection.fileno() for peer in self.peers)]

    def accept(self) -> None:
        try:
            connection, _ = self.listener.accept()
            uid = peer_uid(connection)
        except OSError as error:  # it was gone before it was looked at
            log(f"no connection came about: {error.strerror}")
            return
        if uid != os.getuid() or len(self.peers) >= CONNECTIONS:
            log(f"refused a connection of uid {uid}; {len(self.peers)} are open")
            connection.close()
            return
        peer = Peer(connection)
        self.peers.append(peer)
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.attend(peer))

    def attend(self, peer: Peer) -> None:
        # one that was dropped for another's sake may still have had something to say
        if peer in self.peers:
            self.send(peer)
        if peer not in self.peers:
            return
        try:
            lines = peer.lines()
        except OSError as error:
            self.drop(peer, str(error))
            return
        for line in lines:
            if peer in self.peers:
                self.obey(peer, line)

    def send(self, peer: Peer, data: bytes = b"") -> None:
        try:
            peer.send(data)
        except OSError as error:
            self.drop(peer, str(error))
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.outgoing else 0)
        key = self.selector.get_key(peer.connection)
        if key.events != wanted:
            self.selector.modify(peer.connection, wanted, key.data)

    def drop(self, peer: Peer, why: str) -> None:
        if peer in self.peers:
            self.peers.remove(peer)
            self.selector.unregister(peer.connection)
            peer.connection.close()
            log(f"connection closed: {why}")
            self.lost(peer)
