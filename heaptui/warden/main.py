"""The process: alone in its place, with nothing of whoever started it."""

from __future__ import annotations

import gc
import json
import os
import signal

from heaptui.warden.child import IGNORED
from heaptui.warden.lock import take
from heaptui.warden.loop import Warden
from heaptui.warden.system import adopt_orphans

NAME = b"heaptui-warden"
LOG = "warden.log"


def main(state: str, path: str, serve: str) -> None:
    """Serves `state` on the socket `path`, unless another warden does; `serve`: the command line of
    a supervisor, in JSON."""
    state, path = os.path.abspath(state), os.path.abspath(path)
    close_inherited()
    os.chdir(state)
    redirect()
    lock = take(state)
    if lock is None:
        return
    behave()
    adopt_orphans(NAME)
    warden = Warden(state, path, json.loads(serve), lock)
    gc.collect()
    gc.freeze()  # a fork then copies fewer pages
    warden.run()


def close_inherited() -> None:
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                continue  # the listing's own


def redirect() -> None:
    """Stdin from nowhere, stdout and stderr to the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(LOG, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)


def behave() -> None:
    """Every signal as usual, but for what a lost terminal or a full disk would send."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
