"""Processes of an earlier warden: nobody's children here, so their ends have to be watched for."""

from __future__ import annotations

import fcntl
import os
import select
import selectors
import struct
import sys
import time
from collections.abc import Callable

from heaptui.warden.records import Attempt
from heaptui.warden.system import start_of

PIDFD_GET_INFO = 0xC040FF0B  # linux/pidfd.h: _IOWR(0xFF, 11, struct pidfd_info)
PIDFD_INFO_EXIT = 1 << 3
PIDFD_INFO = struct.Struct("=QQ11Ii")
EXIT_CODE_WITHIN_S, LOOK_EVERY_S = 10.0, 0.25


def end_descriptor(pid: int) -> int | None:
    """Becomes readable when the process ends; None where the system has no such thing."""
    try:
        if sys.platform != "linux":
            queue = select.kqueue()
            end = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            queue.control([end], 0)
            return os.dup(queue.fileno())
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None


def exit_status(pidfd: int) -> int | None:
    """The wait status of a process that somebody else reaped; None: not yet reaped.

    Raises:
        OSError: this kernel does not tell (Linux does from 6.15 on).
    """
    asked = PIDFD_INFO.pack(PIDFD_INFO_EXIT, *(0,) * 13)
    told = PIDFD_INFO.unpack(fcntl.ioctl(pidfd, PIDFD_GET_INFO, asked))
    return int(told[-1]) if told[0] & PIDFD_INFO_EXIT else None


class Watch:
    """`end` is the descriptor that tells of the end; from `gone_at` on the code is asked for."""

    __slots__ = ("attempt", "end", "gone_at")

    def __init__(self, attempt: Attempt, end: int | None) -> None:
        self.attempt, self.end = attempt, end
        self.gone_at: float | None = None


class Adoption:
    """Tells `ended` the wait status of one that ended, `lost` why nobody can know it."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        boot: str,
        ended: Callable[[Attempt, int], None],
        lost: Callable[[Attempt, str], None],
    ) -> None:
        self.selector, self.boot = selector, boot
        self.ended, self.lost = ended, lost
        self.looked_at: list[Watch] = []
        self.look_at = 0.0

    def adopt(self, attempt: Attempt) -> None:
        row = attempt.row
        # opened before the look at its start: no later process can have taken its pid by then
        end = end_descriptor(row["pid"])
        watch = Watch(attempt, end)
        if row["boot"] != self.boot:
            self.lose(watch, "reboot")
        elif start_of(row["pid"]) != row["start"]:
            self.lose(watch, "unwatched")
        elif end is None:
            self.looked_at.append(watch)
        else:
            self.selector.register(end, selectors.EVENT_READ, lambda: self.gone(watch, end))

    def gone(self, watch: Watch, end: int) -> None:
        self.selector.unregister(end)
        watch.gone_at = time.monotonic()
        self.looked_at.append(watch)
        self.look_at = 0.0

    def due(self, now: float) -> float | None:
        """Looks once it is time; when to come again, None: there is nothing to look at."""
        if self.looked_at and now >= self.look_at:
            self.look_at = now + LOOK_EVERY_S
            self.looked_at = [one for one in self.looked_at if not self.settled(one, now)]
        return self.look_at if self.looked_at else None

    def settled(self, watch: Watch, now: float) -> bool:
        """Of one whose end no descriptor tells: whether it lives; of one that ended: its code. The
        kernel gives that once it was reaped by whom it belongs to, and does not say when."""
        status = None
        if watch.end is None or watch.gone_at is None:
            gone = start_of(watch.attempt.row["pid"]) != watch.attempt.row["start"]
        else:
            gone = now > watch.gone_at + EXIT_CODE_WITHIN_S
            try:
                status = exit_status(watch.end)
            except OSError:
                gone = True
        if status is not None:
            close(watch)
            self.ended(watch.attempt, status)
        elif gone:
            self.lose(watch, "unwatched")
        return gone or status is not None

    def lose(self, watch: Watch, why: str) -> None:
        close(watch)
        self.lost(watch.attempt, why)


def close(watch: Watch) -> None:
    if watch.end is not None:
        os.close(watch.end)
