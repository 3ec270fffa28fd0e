"""Which TCP ports a process listens on, and whether somebody is connected to one (Linux, /proc)."""

from __future__ import annotations

from pathlib import Path

_ESTABLISHED, _LISTEN = "01", "0A"
_LOOPBACK = frozenset(("0100007F", "00000000", "0" * 24 + "01000000", "0" * 32))
"""127.0.0.1, any, ::1 and :: as /proc writes them."""


def listening(pid: int) -> set[int]:
    """Ports on which this process listens where the loopback address reaches it.

    Raises:
        OSError: its descriptors may not be looked at, or it is gone.
    """
    inodes = _socket_inodes(pid)
    return {
        port
        for address, port, inode in _ends(pid, _LISTEN)
        if address in _LOOPBACK and inode in inodes
    }


def taken(pid: int, port: int) -> bool:
    """Whether anybody listens on the loopback address's `port` in the network that this process
    lives in."""
    return any(port == one and address in _LOOPBACK for address, one, _ in _ends(pid, _LISTEN))


def connected(pid: int, port: int) -> bool:
    """Whether somebody is connected to this process's `port`, from wherever: it may listen on
    more than the loopback address."""
    return any(port == one for _, one, _ in _ends(pid, _ESTABLISHED))


def same_network(pid: int) -> bool:
    """Whether its loopback address is ours: a container's is not."""
    return Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()


def _socket_inodes(pid: int) -> set[str]:
    inodes: set[str] = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except FileNotFoundError:
            continue  # closed between the look and the question
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    return inodes


def _ends(pid: int, state: str) -> list[tuple[str, int, str]]:
    """Local ends of sockets in this state: address, port and inode."""
    found: list[tuple[str, int, str]] = []
    for name in ("tcp", "tcp6"):
        try:
            text = Path(f"/proc/{pid}/net/{name}").read_text()
        except FileNotFoundError:
            continue  # a kernel without IPv6
        for line in text.splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if fields[3] == state:
                found.append((address, int(port, 16), fields[9]))
    return found
