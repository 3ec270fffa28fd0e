"""The loop: orders in, events out, children reaped in between."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable

from heaptui.warden.adoption import Adoption
from heaptui.warden.child import fork, let_go, outcome_of
from heaptui.warden.connections import BACKLOG_BYTES, Connections, Peer
from heaptui.warden.journal import Row, encoded, key_of
from heaptui.warden.lock import holds
from heaptui.warden.log import log
from heaptui.warden.orders import order_of
from heaptui.warden.records import Attempt, Records
from heaptui.warden.supervising import Supervising
from heaptui.warden.system import MAXRSS_UNIT, allow_open_files, boot_id, start_of

OPEN_FILES = 16384
"""An adopted process costs a descriptor, and the usual soft limit is 1,024."""
JOURNAL = "warden.journal"
"""Relative, as every file of the state directory, so that nothing is ever written into another one
that took its place."""


def wake_at_child_ends(selector: selectors.BaseSelector, reap: Callable[[], None]) -> None:
    """Has `reap` called in the loop after children ended."""
    wake, handler = socket.socketpair()
    for end in (wake, handler):
        end.setblocking(False)

    def woken() -> None:
        wake.recv(1 << 16)
        reap()

    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(handler.detach(), warn_on_full_buffer=False)
    selector.register(wake, selectors.EVENT_READ, woken)


class Warden:
    """Of the state directory that it works in and holds the lock of."""

    def __init__(self, state: str, path: str, serve: list[str], lock: int) -> None:
        self.state, self.lock = state, lock
        self.boot = boot_id()
        self.open_files = allow_open_files(OPEN_FILES)
        self.selector = selectors.DefaultSelector()
        wake_at_child_ends(self.selector, self.reap)
        self.children: dict[int, Attempt] = {}
        self.supervisor: Peer | None = None
        self.supervising = Supervising(serve, state, self.open_files, self.selector)
        self.records = Records(JOURNAL)
        self.adoption = Adoption(
            self.selector,
            self.boot,
            lambda attempt, status: self.finish(attempt, status, "pidfd", None),
            self.lose,
        )
        for attempt in list(self.records.live.values()):
            self.adoption.adopt(attempt)
        self.records.compact()
        self.connections = Connections(path, self.selector, self.obey, self.disconnected)
        log(
            f"serving; {len(self.records.live)} adopted, {len(self.records.ended)} ended, "
            f"{self.records.unended} unended"
        )

    def run(self) -> None:
        """Until there is nothing to see through and nobody to talk to."""
        while (wait := self.due()) is not None:
            for key, _ in self.selector.select(wait):
                key.data()
        log("nothing is left to see through")
        self.connections.close()

    def due(self) -> float | None:
        """Does what the clock asks for; seconds until it asks again, None: the work is over."""
        now = time.monotonic()
        times = [self.supervising.due(now), self.records.due(now), self.adoption.due(now)]
        if self.supervisor is None and self.supervising.pid is None:
            if now >= self.supervising.at:
                held = holds(self.lock, self.state)
                if held and self.records.work():
                    self.start_supervisor()
                elif not self.records.live and not self.connections.peers:
                    return None
            if self.supervising.at > now:
                times.append(self.supervising.at)
        return max(0.0, min(at for at in times if at is not None) - now)

    # --- the supervisor

    def start_supervisor(self) -> None:
        try:
            self.connections.be_reachable()
        except OSError as error:
            self.supervising.failed(error)
        else:
            self.supervising.start(self.ours())

    def obey(self, peer: Peer, line: bytes) -> None:
        order = order_of(line)
        if order is None or (peer is not self.supervisor and order["op"] != "hello"):
            self.connections.drop(peer, f"it sent {len(line)} bytes that make no sense here")
        elif order["op"] == "hello":
            self.greet(peer, order)
        elif order["op"] == "spawn":
            self.spawn(order)
        elif order["op"] == "unended":
            self.records.expect(order["n"])
        else:
            self.records.acknowledged(key_of(order))

    def greet(self, peer: Peer, order: Row) -> None:
        if not holds(self.lock, self.state):
            self.connections.drop(peer, "the state directory is another one than was served here")
            return
        older, self.supervisor = self.supervisor, peer
        if older is not None and older is not peer:
            self.connections.drop(older, "another supervisor took its place")
        log(f"supervisor {order['supervisor']} connected, pid {order['pid']}")
        data = encoded(
            {
                "ev": "state",
                "warden": os.getpid(),
                "boot": self.boot,
                "live": [attempt.facts() for attempt in self.records.live.values()],
                "ended": list(self.records.ended.values()),
            }
        )
        peer.room = BACKLOG_BYTES + len(data)
        self.connections.send(peer, data)

    def disconnected(self, peer: Peer) -> None:
        if peer is self.supervisor:
            self.supervisor = None
            self.supervising.left(peer.since)

    def tell(self, event: Row) -> None:
        if self.supervisor is not None:
            self.connections.send(self.supervisor, encoded(event))

    # --- processes

    def spawn(self, order: Row) -> None:
        if event := self.records.ended.get(key_of(order)):
            self.tell(event)
        elif not (attempt := self.records.live.get(key_of(order))):
            self.start(order)
        elif attempt.outcome is None:
            self.tell({"ev": "started", **attempt.facts()})

    def start(self, order: Row) -> None:
        """Forks, writes the start down, and only then lets the child execute the command."""
        facts = {"task": order["task"], "attempt": order["attempt"], "at": time.time()}
        try:
            pid, letting_go, outcome = fork(order, self.open_files, self.ours())
        except OSError as error:
            nobody = {"pid": None, "start": None}
            self.end({**facts, **nobody, "error": f"cannot fork: {error.strerror}"})
            return
        row = {"j": "start", **facts, "pid": pid, "start": start_of(pid) or 0, "boot": self.boot}
        attempt = self.children[pid] = Attempt(row, outcome)
        if why := self.records.started(attempt):
            attempt.error = f"not executed, for its start cannot be written to the journal: {why}"
            os.close(letting_go)
        else:
            let_go(letting_go)
        self.selector.register(outcome, selectors.EVENT_READ, lambda: self.hear(attempt))

    def ours(self) -> list[int]:
        return [self.lock, *self.connections.descriptors()]

    def hear(self, attempt: Attempt) -> None:
        """The outcome of the exec."""
        if attempt.outcome is None:
            return
        self.selector.unregister(attempt.outcome)
        why, attempt.outcome = outcome_of(attempt.outcome), None
        attempt.error = attempt.error or why
        if attempt.error is None:
            self.tell({"ev": "started", **attempt.facts()})

    def reap(self) -> None:
        """Every child that ended: workers, the supervisor, and orphans of workers."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.supervising.pid:
                self.supervising.exited(os.waitstatus_to_exitcode(status))
            elif attempt := self.children.pop(pid, None):
                self.hear(attempt)
                self.finish(attempt, status, "waitpid", usage.ru_maxrss * MAXRSS_UNIT)

    def finish(self, attempt: Attempt, status: int, how: str, maxrss: int | None) -> None:
        if attempt.error is not None:
            self.end({**attempt.facts(), "error": attempt.error})
            return
        code = os.waitstatus_to_exitcode(status)
        end = {"code": code} if code >= 0 else {"signal": -code}
        self.end({**attempt.facts(), **end, "how": how, "maxrss": maxrss})

    def lose(self, attempt: Attempt, why: str) -> None:
        self.end({**attempt.facts(), "how": "unseen", "why": why})

    def end(self, known: Row) -> None:
        """Writes down how it ended, then tells."""
        unknown = dict.fromkeys(("code", "signal", "error", "maxrss"))
        event = {"ev": "ended", "how": "waitpid", **unknown, **known, "at": time.time()}
        self.records.over(event)
        self.tell(event)
