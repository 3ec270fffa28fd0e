# ruff: noqa: F821, PTH108, PTH112, PTH120, SIM105
# mypy: ignore-errors
"""A snapshot in a child of the program: the program stands still only while the child is made.

On Linux the child is made by clone() without a signal for its end: the program gets no SIGCHLD, and
its wait() does not see the child. It gives way to the program: at the processor, and when memory
runs out. Elsewhere it is a forked child, whose end a program that waits for any child can see.
"""

import ctypes
import os
import select
import signal
import sys
import time

SILENT_S = 60.0
FIRST_WORD_S = 15.0
TRIES = 3
WALL = 0x40000000  # __WALL: also children that end without a signal
PARENT_SETTID = 0x00100000
CLONE = {
    "x86_64": 56, "aarch64": 220, "riscv64": 220, "loongarch64": 220,
    "i686": 120, "i386": 120, "armv7l": 120, "ppc64le": 120,
}  # fmt: skip

_python = ctypes.pythonapi
_library = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock
for _name in ("PyOS_BeforeFork", "PyOS_AfterFork_Child", "PyOS_AfterFork_Parent"):
    getattr(_python, _name).restype = None

child = part("child")  # given by the probe, like `high` and `same_file`


class Snapshot:
    """One that is being written. `ident` is the command's."""

    def __init__(self, ident, path, used, hooks):
        self.ident = ident
        self.path = path
        self.used = used
        self.hooks = hooks
        self.began = time.monotonic()
        self.tries = 0
        self.pause_ms = 0.0
        self.over = None
        self.begin()

    def begin(self):
        self.tries += 1
        self.read = None
        self.pid = 0
        self.held = b""
        self.heard = False
        self.wrote = False
        code, text = refusal(self.path)
        if code:
            self.over = [("type", "failed"), ("code", code), ("text", text)]
            return
        read, write = map(high, os.pipe())
        born = ctypes.c_int(0)
        frames = child["standing"]()
        began = time.perf_counter()
        is_child = self.hooks["quietly"](
            (_python.PyOS_BeforeFork,),
            _maker(born),
            _python.PyOS_AfterFork_Child,
            _python.PyOS_AfterFork_Parent,
        )
        if is_child:
            child["child"](self.path, write, frames)
        self.pause_ms += (time.perf_counter() - began) * 1000
        del frames
        os.close(write)
        self.read, self.is_read = read, same_file(read)
        self.pid = born.value
        self.last_word = time.monotonic()

    def forget(self):
        """In a forked child of the program."""
        if self.read is not None and same_file(self.read) == self.is_read:
            os.close(self.read)

    def wait(self, sock, timeout):
        """Until the child or the peer says something; what is left of `timeout`, in seconds."""
        if self.read is None:
            return 0.001
        waiting = select.poll()
        waiting.register(sock, select.POLLIN)
        waiting.register(self.read, select.POLLIN)
        ready = [descriptor for descriptor, _ in waiting.poll(int(timeout * 1000) + 1)]
        return timeout if sock in ready else 0.001

    def news(self):
        """What is to be said, each a list of fields; after `done` or `failed` there is no more."""
        if self.over is not None:
            return [self.over]
        said = []
        for word, rest in self.words():
            if word == "pid":
                self.pid = int(rest)
            elif word == "part":
                self.wrote = True
            elif word == "at":
                said.append([("type", "phase"), ("name", "writing"), ("fraction", float(rest))])
            elif word == "done":
                self.end()
                said.append(self.done(int(rest)))
                return said
            elif word == "failed":
                self.end()
                code, _, text = rest.partition(" ")
                said.append([("type", "failed"), ("code", code), ("text", text)])
                return said
        silent = time.monotonic() - self.last_word
        if self.read is None or silent > (SILENT_S if self.heard else FIRST_WORD_S):
            return self.lost(said)
        return said[-1:]

    def words(self):
        if same_file(self.read) != self.is_read:
            self.read = None
            return
        while True:
            ready = select.poll()
            ready.register(self.read, select.POLLIN)
            if not ready.poll(0):
                return
            got = os.read(self.read, 4096)
            if not got:
                os.close(self.read)
                self.read = None
                return
            self.heard, self.last_word = True, time.monotonic()
            *whole, self.held = (self.held + got).split(b"\n")
            for one in whole:
                word, _, rest = one.decode("utf-8", "replace").partition(" ")
                yield word, rest

    def done(self, size):
        took = (time.monotonic() - self.began) * 1000
        return [("type", "done"), ("written", {
            "path": self.path, "bytes": size, "took_ms": took, "pause_ms": self.pause_ms,
            "used": self.used,
        })]  # fmt: skip

    def lost(self, said):
        """The child ended without a word, or stands still: another thread of the program may have
        held a lock of the C library's when it was made."""
        silent = self.read is not None
        status = self.end()
        if self.wrote:
            try:
                os.unlink(self.path + ".part")
            except OSError:
                pass
        if silent and self.tries < TRIES:
            self.begin()
            return said
        how = "stood still" if silent else "ended before it had written all"
        if status is not None and os.WIFSIGNALED(status) and not silent:
            how = f"was ended by signal {os.WTERMSIG(status)}"
            if os.WTERMSIG(status) == signal.SIGKILL:
                how += ": the kernel may have lacked memory"
        text = "the process that wrote the snapshot " + how
        return [*said, [("type", "failed"), ("code", "error"), ("text", text)]]

    def end(self):
        """Ends and buries the child; how it ended, where that can be known."""
        if self.read is not None:
            os.close(self.read)
            self.read = None
        if not self.pid:
            return None
        try:
            for _ in range(200):
                found, status = os.waitpid(self.pid, os.WNOHANG | _wall())
                if found:
                    return status
                time.sleep(0.005)
            os.kill(self.pid, signal.SIGKILL)
            return os.waitpid(self.pid, _wall())[1]
        except OSError:  # the program waited for it
            return None


def refusal(path):
    """A code and a text; the code is empty when the snapshot can be begun."""
    for one in (path, path + ".part"):
        if os.path.lexists(one):
            return "exists", one + " is there already"
    if not os.path.isdir(os.path.dirname(path)):
        return "disk", os.path.dirname(path) + " is no directory"
    return "", ""


def _linux():
    return sys.platform == "linux" and os.uname().machine in CLONE


def _wall():
    return WALL if _linux() else 0


def _maker(born):
    """What makes the child: a function of C, called without arguments."""
    from _functools import partial

    if not _linux():
        return _library.fork
    clone = _library.syscall
    clone.restype = ctypes.c_long
    number = CLONE[os.uname().machine]
    none = ctypes.c_long(0)
    # flags with no signal for the end; no stack of its own; where its number is put
    return partial(
        clone, ctypes.c_long(number), ctypes.c_long(PARENT_SETTID), none, ctypes.byref(born),
        none, none,
    )  # fmt: skip
