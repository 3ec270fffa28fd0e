"""Bringing up a supervisor, ever more rarely while none stays."""

from __future__ import annotations

import os
import selectors
import time

from heaptui.warden.child import fork, let_go, outcome_of
from heaptui.warden.log import log, shorten_at

FIRST_CONTACT_S = 5.0
SERVE_AFTER_S = (0.3, 1.0, 3.0, 10.0, 30.0)
STABLE_S = 10.0
"""A supervisor that stayed connected this long was no failure."""
LOG = "supervisor.log"
LOG_LOOK_EVERY_S = 5.0


class Supervising:
    """`pid` is that of one that was started here and lives; `at`: not before this is the next."""

    def __init__(
        self,
        argv: list[str],
        state: str,
        open_files: tuple[int, int],
        selector: selectors.BaseSelector,
    ) -> None:
        self.argv, self.state, self.open_files = argv, state, open_files
        self.selector = selector
        self.pid: int | None = None
        self.starts = 0
        self.at = time.monotonic() + FIRST_CONTACT_S
        self.log_look_at = 0.0

    def start(self, ours: list[int]) -> None:
        """`ours`: see `fork`."""
        order = {"argv": self.argv, "cwd": self.state, "env": dict(os.environ), "out": LOG}
        try:
            self.pid, letting_go, outcome = fork(order, self.open_files, ours)
        except OSError as error:
            self.failed(error)
            return
        self.starts += 1
        log(f"started a supervisor, pid {self.pid}")
        self.selector.register(outcome, selectors.EVENT_READ, lambda: self.hear(outcome))
        let_go(letting_go)

    def hear(self, outcome: int) -> None:
        self.selector.unregister(outcome)
        if why := outcome_of(outcome):
            log(f"the supervisor: {why}")

    def failed(self, error: OSError) -> None:
        self.starts += 1
        log(f"cannot start a supervisor: {error.strerror}")
        self.later()

    def exited(self, code: int) -> None:
        log(f"the supervisor ended: {code}")
        self.pid = None
        self.later()

    def left(self, since: float) -> None:
        """One that was connected since then is no more."""
        if time.monotonic() - since > STABLE_S:
            self.starts = 0
        self.later()

    def later(self) -> None:
        self.at = time.monotonic() + SERVE_AFTER_S[min(self.starts, len(SERVE_AFTER_S) - 1)]

    def due(self, now: float) -> float:
        """Bounds what supervisors write, whoever started them; when to come again."""
        if now >= self.log_look_at:
            self.log_look_at = now + LOG_LOOK_EVERY_S
            try:
                shorten_at(LOG)
            except OSError as error:
                log(f"{LOG} cannot be shortened: {error.strerror}")
        return self.log_look_at
