# ruff: noqa: BLE001, PLW0603, PTH110, PTH118
# mypy: ignore-errors
"""heaptui's probe in a task's Python: one thread that tells of the heap and takes commands.

It speaks JSON lines on the unix socket `$HEAPTUI_SOCKET` (hello, heap, done, failed, phase; every,
heap, gc, snapshot). The thread is no `threading.Thread`: nothing enumerates or joins it. All
signals are blocked in it. Only modules of the interpreter itself are used, ctypes not before the
program has run for some seconds. CPython 3.8 and newer; nothing of this file raises into the
program or prints.
"""

import _json
import _signal
import _socket
import _thread
import _tracemalloc
import fcntl
import gc
import os
import sys
import time
from _frozen_importlib_external import SourceFileLoader, cache_from_source

LINE_MAX = 64 << 10
FIRST_FIGURES_S = 3.0  # a program that ends sooner never pays for ctypes
FIGURES_EVERY_S = 5.0
FIGURES_SHARE = 100  # a look at the allocator may take one part in so many of the time
SEND_S = 5.0
DEPTH = 64  # of brackets in a line: deeper ones are not worth the scanner's stack
PARTS = ("forks", "allocator", "snapshot", "child", "objects", "kinds", "sections")
HIGH_DESCRIPTORS = (900, 200, 60, 20)

_where = ""
_probe = None


def begin(here, address, task):
    """Begins the probe of this process; `here` is where its other parts lie."""
    global _where, _probe
    # refused (ValueError) in a subinterpreter: its end would not survive a thread of ours
    _signal.set_wakeup_fd(_signal.set_wakeup_fd(-1))
    _where = here
    compile_parts()
    _probe = Probe(address, task)
    hooks = part("forks")
    hooks["watch"](_probe, renew)
    _probe.hooks = hooks
    _probe.open()
    _probe.start()


def renew():
    """In a forked child: what its parent said belongs to the parent; the child has its own say."""
    global _probe
    old = _probe
    old.forget()
    _probe = Probe(old.address, old.task, forked=True)
    _probe.hooks = old.hooks
    old.hooks["watched"](_probe)
    _probe.start()


def part(name, **given):
    """The names of another file of the probe, which is in nobody's `sys.modules`."""
    loader = loader_of(name)
    names = {"__name__": loader.name, "__file__": loader.path, "part": part}
    names.update(given)
    exec(loader.get_code(loader.name), names)
    return names


def loader_of(name):
    module = "_heaptui_" + name
    return SourceFileLoader(module, os.path.join(_where, module + ".py"))


def compile_parts():
    """Once for each version of Python: what is needed later is compiled now, while nothing else
    runs and what is compiled may be written down."""
    for name in PARTS:
        loader = loader_of(name)
        if not os.path.exists(cache_from_source(loader.path)) and os.access(_where, os.W_OK):
            loader.get_code(loader.name)


def high(descriptor):
    """The descriptor under a number that no program counts on; the old one is closed."""
    for least in HIGH_DESCRIPTORS:
        try:
            found = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
        except OSError:
            continue
        os.close(descriptor)
        return found
    return descriptor


def same_file(descriptor):
    """What a descriptor is, beyond its number; None when it is closed."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def line(fields):
    """One JSON object; values are text, numbers, None (left out), lists of text or plain dicts."""
    return "{" + ",".join(f'"{k}":{value(v)}' for k, v in fields if v is not None) + "}"


def value(one):
    if isinstance(one, str):
        return _json.encode_basestring_ascii(one)
    if isinstance(one, dict):
        return line(one.items())
    if isinstance(one, (list, tuple)):
        return "[" + ",".join(map(value, one)) + "]"
    return f"{one:.3f}" if isinstance(one, float) else str(one)


class Drop(Exception):
    """The connection is of no use any more."""


def _no_json(constant):
    raise ValueError(constant)


class _Reading:
    """What `_json`'s scanner asks of its context: plain JSON."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, _no_json


scan = _json.make_scanner(_Reading)


class Probe:
    def __init__(self, address, task, forked=False):
        self.address = address
        self.task = task
        self.forked = forked
        self.hooks = {}
        self.importing = _thread.allocate_lock()  # held meanwhile: a fork waits for it
        self.sock = None
        self.is_sock = None
        self.every_s = 1.0
        self.held = b""
        self.figures = {}
        self.figures_at = self.figures_next = 0.0
        self.began = time.monotonic()
        self.clock = None
        self.cpu_at = (0.0, 0.0)
        self.allocator = None
        self.snapshot = None
        self.snapshots = None
        self.collections = 0
        self.collecting_s = 0.0

    # --- the program's own collections ------------------------------------------------------------
    def watch_collections(self, own):
        """Counts them and their pauses from now on; those in the thread `own` are not its own."""
        clock, ident = time.perf_counter, _thread.get_ident
        begun = 0.0

        def heaptui_collections(phase, _info):
            nonlocal begun
            if phase == "start":
                begun = clock()
            elif begun and ident() != own:
                self.collecting_s += clock() - begun
                self.collections += 1

        gc.callbacks.append(heaptui_collections)
        self.collection_hook = heaptui_collections

    # --- the thread -------------------------------------------------------------------------------
    def start(self):
        old = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        try:
            self.own = _thread.start_new_thread(self.run, ())
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, old)
        self.watch_collections(self.own)

    def forget(self):
        """In a forked child: its copies of what the parent's thread had open."""
        if self.collection_hook in gc.callbacks:
            gc.callbacks.remove(self.collection_hook)
        self.close()
        if self.snapshot is not None:
            self.snapshot.forget()

    def run(self):
        wait = 1.0
        if self.forked:
            time.sleep(0.2)  # a child that only execs is not worth a word
        while True:
            began = time.monotonic()
            try:
                self.converse()
            except (Drop, OSError):
                pass
            except Exception:  # a defect of ours is not the program's trouble
                wait = 30.0
            self.close()
            wait = 1.0 if time.monotonic() - began > 30 else min(30.0, wait * 2)
            time.sleep(wait)

    def converse(self):
        self.connect()
        self.say(self.hello())
        due = time.monotonic() + min(0.3, self.every_s)
        while True:
            now = time.monotonic()
            if now >= due:
                self.tidy()
                self.report()
                due = max(due + self.every_s, now + self.every_s / 2)
            if self.snapshot is not None:
                self.follow()
            self.listen(max(0.001, due - time.monotonic()))

    # --- the socket -------------------------------------------------------------------------------
    def connect(self):
        self.held = b""
        if self.sock is None:
            self.open()
        self.still_ours()
        self.sock.settimeout(SEND_S)
        self.sock.connect(self.address)

    def open(self):
        """A socket, before the program's first descriptor or, later, beside its others."""
        low = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self.sock = _socket.socket(fileno=high(low.detach()))
        self.is_sock = same_file(self.sock.fileno())

    def close(self):
        sock, self.sock = self.sock, None
        if sock is None:
            return
        still = same_file(sock.fileno()) == self.is_sock
        descriptor = sock.detach()
        if still:
            os.close(descriptor)

    def still_ours(self):
        """A program that closes all descriptors may have the number for something of its own."""
        if self.sock is None or same_file(self.sock.fileno()) != self.is_sock:
            raise Drop

    def say(self, text):
        self.still_ours()
        self.sock.settimeout(SEND_S)
        self.sock.sendall(text.encode() + b"\n")

    def listen(self, timeout):
        self.still_ours()
        if self.snapshot is not None:
            timeout = min(timeout, self.snapshot.wait(self.sock.fileno(), timeout))
        self.sock.settimeout(timeout)
        try:
            got = self.sock.recv(LINE_MAX)
        except (_socket.timeout, BlockingIOError):
            return
        if not got:
            raise Drop
        self.held += got
        if len(self.held) > LINE_MAX and b"\n" not in self.held[:LINE_MAX]:
            raise Drop
        while b"\n" in self.held:
            one, self.held = self.held.split(b"\n", 1)
            self.obey(one)

    def obey(self, text):
        if text.count(b"[") + text.count(b"{") > DEPTH:
            raise Drop
        try:
            asked, _ = scan(text.decode(), 0)
            op = asked["op"]
            if op == "every":
                self.every_s = min(3600.0, max(0.1, asked["ms"] / 1000))
                return
            ident = asked["id"]
            if type(ident) is not int:
                raise TypeError
            path = asked["path"] if op == "snapshot" else None
            if path is not None and (type(path) is not str or path[:1] != "/" or "\0" in path):
                raise TypeError
        except (StopIteration, ValueError, KeyError, TypeError, RecursionError, OverflowError):
            raise Drop from None
        if op == "heap":
            self.report(ident)
        elif op == "gc":
            self.guarded(ident, self.collect)
        elif op == "snapshot":
            self.guarded(ident, self.snap, path)
        else:
            self.failed(ident, "unsupported", f"this probe does not know {str(op)[:40]}")

    def guarded(self, ident, what, *given):
        try:
            what(ident, *given)
        except (Drop, OSError):
            raise
        except Exception as error:
            self.failed(ident, "error", f"{type(error).__name__}: {str(error)[:200]}")

    def failed(self, ident, code, text):
        self.say(line([("type", "failed"), ("id", ident), ("code", code), ("text", text)]))

    # --- what is said -----------------------------------------------------------------------------
    def hello(self):
        can, why = ["gc"], {}
        reason = self.hooks["unable"]()
        if reason is None:
            can.append("snapshot")
        else:
            why["snapshot"] = reason
        return line([
            ("type", "hello"), ("v", 1), ("task", self.task), ("pid", os.getpid()),
            ("ppid", os.getppid()), ("runtime", "python"),
            ("version", ".".join(map(str, sys.version_info[:3]))), ("title", self.title()),
            ("can", can), ("why", why),
        ])  # fmt: skip

    def title(self):
        words = getattr(sys, "orig_argv", None) or [sys.executable or "python"]
        text = " ".join(words)[:200].encode("utf-8", "replace").decode()
        return text + " (forked)" if self.forked else text

    def report(self, ident=None):
        now = time.monotonic()
        asked = ident is not None and now - self.figures_at > 1.0
        if now >= self.figures_next and (asked or now - self.began > FIRST_FIGURES_S):
            self.look()
            now = time.monotonic()
        traced = _tracemalloc.get_traced_memory()[0] if _tracemalloc.is_tracing() else None
        age = (now - self.figures_at) * 1000 if self.figures else 0.0
        self.say(line([
            ("type", "heap"), ("at", time.time()), ("id", ident), ("age_ms", age),
            ("main", self.main_state(now)), ("used", self.figures.get("used")),
            ("committed", self.figures.get("committed")), ("blocks", sys.getallocatedblocks()),
            ("traced", traced), ("gc_count", self.collections),
            ("gc_ms", self.collecting_s * 1000),
        ]))  # fmt: skip

    def main_state(self, now):
        """Busy: the main thread had a processor for nine tenths of the time since the last word."""
        try:
            if self.clock is None:
                self.clock = time.pthread_getcpuclockid(self.hooks["main"]())
            cpu = time.clock_gettime(self.clock)
        except (AttributeError, OSError):
            return None
        (at, before), self.cpu_at = self.cpu_at, (now, cpu)
        return "busy" if at and now > at and (cpu - before) / (now - at) > 0.9 else "idle"

    def look(self):
        """Reads the allocators; how long that took says when it is done again."""
        began = time.monotonic()
        if self.allocator is None:
            with self.importing:
                self.allocator = part("allocator")
        self.figures = self.allocator["figures"]()
        self.figures_at = now = time.monotonic()
        self.figures_next = now + max(FIGURES_EVERY_S, FIGURES_SHARE * (now - began))
        return self.figures

    def tidy(self):
        """A finalizer that ran here and asked who it is left a trace in `threading`."""
        threading = sys.modules.get("threading")
        known = getattr(threading, "_active", None)
        if type(known) is dict:
            known.pop(self.own, None)
        self.hooks["tidy_later"]()

    # --- commands ---------------------------------------------------------------------------------
    def collect(self, ident):
        self.say(line([("type", "phase"), ("id", ident), ("name", "collecting")]))
        before = self.look()
        rss_before = self.allocator["resident"]()
        began = time.monotonic()
        gc.collect()
        flavour = "gc.collect" + self.allocator["give_back"]()
        pause = (time.monotonic() - began) * 1000
        rss_after = self.allocator["resident"]()
        after = self.look()
        self.tidy()
        self.say(line([("type", "done"), ("id", ident), ("collected", {
            "flavour": flavour, "pause_ms": pause, "used_before": before.get("used"),
            "used_after": after.get("used"), "rss_before": rss_before, "rss_after": rss_after,
        })]))  # fmt: skip

    def snap(self, ident, path):
        reason = self.hooks["unable"]()
        if reason is not None:
            self.failed(ident, "unsupported", reason)
            return
        if self.snapshot is not None:
            self.failed(ident, "error", "a snapshot of this process is being written")
            return
        if self.snapshots is None:
            with self.importing:
                self.snapshots = part("snapshot", high=high, same_file=same_file)
        used = self.look().get("used")
        self.say(line([("type", "phase"), ("id", ident), ("name", "writing")]))
        self.snapshot = self.snapshots["Snapshot"](ident, path, used, self.hooks)

    def follow(self):
        """Says what has become of the snapshot in the meantime."""
        snapshot = self.snapshot
        for fields in snapshot.news():
            if fields[0] == ("type", "failed") or fields[0] == ("type", "done"):
                self.snapshot = None
            self.say(line([*fields[:1], ("id", snapshot.ident), *fields[1:]]))
