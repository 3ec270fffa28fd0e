"""The warden: starts every worker, reaps it, and writes down how it ended before it tells anybody.

    python -I -S -X frozen_modules warden.py STATE_DIR SOCKET_PATH SERVE_ARGV_JSON

It outlives supervisors. One is connected at a time, by newline-delimited JSON on a unix socket; at
`hello` it learns what lives and what ended meanwhile. While there is work and no supervisor, the
warden starts one with SERVE_ARGV. It stands alone on purpose (standard library, one thread): what
is this small hardly ever dies, and if it does, its successor adopts what lives, from the journal.
Whoever starts it goes on starting and connecting until one answers: a second warden ends at once.

From the supervisor::

    {"op":"hello","supervisor":id,"pid":n}      replaces whoever was connected; answer: state
    {"op":"spawn","task","attempt","argv","cwd","env","out","join":[cgroup.procs, ...],
     "rlimits":{"DATA":bytes},"oom_score_adj":n|null}    idempotent by (task, attempt)
    {"op":"ack","task","attempt"}               this end is stored: forget it
    {"op":"unended","n":n}                      tasks that are yet to be seen through

To the supervisor::

    {"ev":"state","warden":pid,"boot","live":[{task,attempt,pid,start,at}],"ended":[...],"uptime"}
    {"ev":"started","task","attempt","pid","start","at"}           the command was executed
    {"ev":"ended","task","attempt","pid","start","at","code","signal","error","how","maxrss",
     "cpu_s"}, with "why" where `how` is "unseen"

`code`, `signal` and `error` exclude one another; all are null when nobody saw the end (`how` is
"unseen", `why` "reboot" or "unwatched"). `maxrss` (bytes) is the largest process of the tree, and
never less than what the warden takes itself: the kernel counts from the fork on.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import json
import os
import resource
import select
import selectors
import signal
import socket
import struct
import sys
import time

TYPE_CHECKING = False  # the typing module would cost a megabyte
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

    Row = dict[str, Any]
    Key = tuple[str, int]

INPUT_LINE_BYTES = 8 << 20
BACKLOG_BYTES = 4 << 20
LOG_BYTES = 256 << 10
JOURNAL_BYTES, JOURNAL_IDLE_BYTES = 1 << 20, 16 << 10
CONNECTIONS = 16
OPEN_FILES = 16384
"""An adopted process costs a descriptor, and the usual soft limit is 1,024."""
FIRST_CONTACT_S = 5.0
SERVE_AFTER_S = (0.3, 1.0, 3.0, 10.0, 30.0)
STABLE_S = 10.0
"""A supervisor that stayed connected this long was no failure."""
EXIT_CODE_WITHIN_S, LOOK_EVERY_S = 10.0, 0.25
JOURNAL_RETRY_S = 1.0
NOT_EXECUTED = 127
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
PIDFD_GET_INFO = 0xC040FF0B  # linux/pidfd.h: _IOWR(0xFF, 11, struct pidfd_info)
PIDFD_INFO_EXIT = 1 << 3
PIDFD_INFO = struct.Struct("=QQ11Ii")
PROC_PIDTBSDINFO, BSDINFO_BYTES, BSDINFO_START = 3, 136, 120  # macOS: sys/proc_info.h

OPERATIONS: dict[str, dict[str, type]] = {
    "hello": {"supervisor": str, "pid": int},
    "spawn": {"task": str, "attempt": int, "argv": list, "cwd": str, "env": dict, "out": str},
    "ack": {"task": str, "attempt": int},
    "unended": {"n": int},
}


def log(text: str) -> None:
    """One line on stderr, which is the log; a full disk must not end the warden."""
    try:
        if os.fstat(2).st_size > LOG_BYTES:
            os.ftruncate(2, 0)
        os.write(2, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode(errors="replace"))
    except OSError:
        return


def boot_id() -> str:
    """Another one after each boot."""
    if sys.platform != "linux":
        value, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        ctypes.CDLL(None).sysctlbyname(b"kern.bootsessionuuid", value, ctypes.byref(size), None, 0)
        return value.value.decode()
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def start_of(pid: int) -> int | None:
    """The process's start: field 22 of its stat, on macOS microseconds; None: no such process."""
    if sys.platform != "linux":
        info = ctypes.create_string_buffer(BSDINFO_BYTES)
        ask = ctypes.CDLL(None).proc_pidinfo
        if ask(pid, PROC_PIDTBSDINFO, ctypes.c_uint64(0), info, BSDINFO_BYTES) <= 0:
            return None
        seconds, micros = struct.unpack_from("=QQ", info, BSDINFO_START)
        return int(seconds * 1_000_000 + micros)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


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


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a unix socket."""
    if sys.platform != "linux":
        return int(struct.unpack_from("2I", connection.getsockopt(0, 1, 76))[1])  # LOCAL_PEERCRED
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3I", credentials)[1])


def key_of(row: Row) -> Key:
    return row["task"], row["attempt"]


def encoded(row: Row) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def write_all(file: int, data: bytes) -> None:
    """All of it or an OSError: a short write shows its reason only to the next one."""
    while data:
        data = data[os.write(file, data) :]


class Journal:
    """Append-only rows, one JSON object a line; which of them still matter is the warden's to say.

    Not synced: a killed process loses nothing that it wrote, and after a power cut every row would
    be of an older boot anyway.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self.file).st_size
        self.rewritten = 0

    def rows(self) -> Iterable[Row]:
        """What can be read: a line torn by a crash is passed over."""
        with open(self.path, "rb") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    log(f"journal: passed over a torn row of {len(line)} bytes")

    def append(self, row: Row) -> None:
        """Whole or not at all: what was written of a row that does not fit is taken back."""
        data = encoded(row)
        try:
            write_all(self.file, data)
        except OSError:
            os.ftruncate(self.file, self.size)
            raise
        self.size += len(data)

    def rewrite(self, rows: Iterable[Row]) -> None:
        """Replaces the whole file at once."""
        data = b"".join(map(encoded, rows))
        beside = self.path + ".new"
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            write_all(file, data)
            os.rename(beside, self.path)
        except OSError:
            os.close(file)
            os.unlink(beside)  # where the disk is full its room is needed
            raise
        os.close(self.file)
        self.file, self.size, self.rewritten = file, len(data), len(data)


def become(order: Row, report: int, go: int | None, open_files: tuple[int, int]) -> NoReturn:
    """In the child: turns this process into the ordered command, or reports why it cannot.

    Everything is made ready first; the command is executed only once a byte came over `go`. End of
    file there means that the start was not written down, or the warden died before it was.
    """
    step = "cannot begin a session"
    try:
        for number in IGNORED:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        for path in order.get("join") or ():
            step = f"cannot join the memory group {path!r}"
            put(path, b"0")
        if order.get("oom_score_adj") is not None:
            step = "cannot set the OOM score"
            put("/proc/self/oom_score_adj", b"%d" % order["oom_score_adj"])
        step = f"cannot open the output {order['out']!r}"
        out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        step = f"cannot enter the directory {order['cwd']!r}"
        os.chdir(order["cwd"])
        os.dup2(out, 1)
        os.dup2(out, 2)
        step = "cannot set its limits"
        resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
        for name, limit in (order.get("rlimits") or {}).items():
            step = f"cannot set the limit {name} to {limit}"
            which = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(which)[1]
            least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(which, (least, least))
        step = f"cannot execute {''.join(order['argv'][:1])!r}"
        if go is None or os.read(go, 1):
            execute(order["argv"], order["env"])
    except (OSError, ValueError, TypeError, AttributeError, MemoryError) as error:
        why = getattr(error, "strerror", None) or error or type(error).__name__
        os.write(report, f"{step[:2000]}: {why}".encode(errors="replace"))
    finally:
        os._exit(NOT_EXECUTED)


def put(path: str, value: bytes) -> None:
    file = os.open(path, os.O_WRONLY)
    os.write(file, value)
    os.close(file)


def execute(argv: list[str], env: dict[str, str]) -> None:
    """Executes by the PATH of `env`, or raises the OSError that says most about why it cannot."""
    name = argv[0] if argv else ""
    places = [""] if "/" in name else env.get("PATH", os.defpath).split(":")
    trouble = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for place in places:
        path = os.path.join(place, name)
        try:
            os.execve(path, argv, env)
        except (FileNotFoundError, NotADirectoryError) as error:
            if os.path.isfile(path):
                raise OSError(error.errno, "the interpreter that it names is missing") from error
        except PermissionError as error:
            trouble = error
    raise trouble


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


class Attempt:
    """A live process: a child of ours, or an adopted one. `row` is its row in the journal.

    `outcome` is open until the exec is known to have worked or not; `watch` is the descriptor that
    tells of an adopted one's end; from `gone_at` on its exit code is asked for.
    """

    __slots__ = ("error", "gone_at", "outcome", "row", "watch")

    def __init__(self, row: Row, *, outcome: int | None = None, watch: int | None = None) -> None:
        self.row, self.outcome, self.watch = row, outcome, watch
        self.error: str | None = None
        self.gone_at: float | None = None

    def facts(self) -> Row:
        return {name: self.row[name] for name in ("task", "attempt", "pid", "start", "at")}


class Warden:
    """The loop and what it knows."""

    def __init__(self, state: str, path: str, serve: list[str], lock: int) -> None:
        self.state, self.path, self.serve, self.lock = state, path, serve, lock
        self.boot = boot_id()
        self.began = time.monotonic()
        self.open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.selector = selectors.DefaultSelector()
        self.live: dict[Key, Attempt] = {}
        self.ended: dict[Key, Row] = {}
        self.unended = 0
        self.children: dict[int, Attempt] = {}
        self.looked_at: list[Attempt] = []
        self.look_at = 0.0
        self.peers: list[Peer] = []
        self.supervisor: Peer | None = None
        self.serve_pid: int | None = None
        self.serve_starts = 0
        self.serve_at = self.began + FIRST_CONTACT_S
        self.wake, handler = socket.socketpair()
        for end in (self.wake, handler):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(handler.detach(), warn_on_full_buffer=False)
        self.selector.register(self.wake, selectors.EVENT_READ, self.reap)

        hard = self.open_files[1]
        most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, self.open_files[0]), hard))
        self.journal = Journal(os.path.join(state, "warden.journal"))
        self.retry_at: float | None = None
        self.recover()
        self.listener = self.listen()

    def run(self) -> None:
        """Until there is nothing to see through and nobody to talk to."""
        while (wait := self.due()) is not None:
            for key, _ in self.selector.select(wait):
                key.data()
        log("nothing is left to see through")
        if os.path.lexists(self.path):
            os.unlink(self.path)

    def due(self) -> float | None:
        """Does what the clock asks for; seconds until it asks again, None: the work is over."""
        now = time.monotonic()
        waits = [3600.0]
        if self.retry_at is not None:
            if now >= self.retry_at:
                self.compact()
            waits.append(JOURNAL_RETRY_S)
        if self.looked_at:
            if now >= self.look_at:
                self.look(now)
            waits.append(self.look_at - now)
        if self.supervisor is None and self.serve_pid is None:
            work = self.live or self.ended or self.unended
            if now >= self.serve_at and not work and not self.peers:
                return None
            if now >= self.serve_at and work:
                self.start_supervisor()
            if self.serve_at > now:
                waits.append(self.serve_at - now)
        return max(0.0, min(waits))

    # --- the journal

    def record(self, row: Row) -> str | None:
        """Writes the row, or says why it cannot; then the whole state is written later."""
        try:
            if self.retry_at is not None:
                self.journal.rewrite(self.rows())
                self.retry_at = None
            self.journal.append(row)
        except OSError as error:
            if self.retry_at is None:
                log(f"journal: cannot be written: {error.strerror}")
            self.retry_at = time.monotonic() + JOURNAL_RETRY_S
            return error.strerror
        if self.journal.size > max(JOURNAL_BYTES, 2 * self.journal.rewritten):
            self.compact()
        return None

    def compact(self) -> None:
        """Leaves in the journal what still matters."""
        try:
            self.journal.rewrite(self.rows())
            self.retry_at = None
        except OSError:
            self.retry_at = time.monotonic() + JOURNAL_RETRY_S

    def rows(self) -> Iterable[Row]:
        yield {"j": "unended", "n": self.unended}
        yield from (attempt.row for attempt in self.live.values())
        yield from ({"j": "end", **event} for event in self.ended.values())

    def recover(self) -> None:
        """Takes over from a warden that is gone: adopts what lives, ends what does not."""
        started: dict[Key, Row] = {}
        for row in self.journal.rows():
            match row:
                case {"j": "unended", "n": int(number)}:
                    self.unended = number
                case {"j": "start", "boot": _}:
                    started[key_of(row)] = row
                case {"j": "end", "ev": "ended"}:
                    started.pop(key_of(row), None)
                    self.ended[key_of(row)] = {k: row[k] for k in row if k != "j"}
                case {"j": "ack"}:
                    self.ended.pop(key_of(row), None)
        for row in started.values():
            self.adopt(row)
        self.compact()
        log(f"serving; {len(self.live)} adopted, {len(self.ended)} ended, {self.unended} unended")

    # --- processes

    def spawn(self, order: Row) -> None:
        if event := self.ended.get(key_of(order)):
            self.tell(event)
        elif not (attempt := self.live.get(key_of(order))):
            self.start(order)
        elif attempt.outcome is None:
            self.tell({"ev": "started", **attempt.facts()})

    def start(self, order: Row) -> None:
        """Forks, writes the start down, and only then lets the child execute the command."""
        facts = {"task": order["task"], "attempt": order["attempt"], "at": time.time()}
        pipes: list[int] = []
        try:
            pipes += os.pipe()
            pipes += os.pipe()
            pid = os.fork()
        except OSError as error:
            for end in pipes:
                os.close(end)
            nobody = {"pid": None, "start": None}
            self.end({**facts, **nobody, "error": f"cannot fork: {error.strerror}"})
            return
        go, let_go, outcome, report = pipes
        if pid == 0:
            os.close(let_go)
            self.let_go_of_ours()
            become(order, report, go, self.open_files)
        os.close(go)
        os.close(report)
        row = {"j": "start", **facts, "pid": pid, "start": start_of(pid) or 0, "boot": self.boot}
        attempt = self.live[key_of(row)] = self.children[pid] = Attempt(row, outcome=outcome)
        if why := self.record(row):
            attempt.error = f"not executed, for its start cannot be written to the journal: {why}"
        else:
            try:
                os.write(let_go, b"1")
            except BrokenPipeError:
                log(f"{order['task']}: it gave up before it was let go")
        os.close(let_go)
        self.selector.register(outcome, selectors.EVENT_READ, lambda: self.hear(attempt))

    def let_go_of_ours(self) -> None:
        """In a child, so that one that hangs before its exec holds neither lock nor connection."""
        for descriptor in (self.lock, self.listener.fileno()):
            os.close(descriptor)
        for peer in self.peers:
            os.close(peer.connection.fileno())

    def hear(self, attempt: Attempt) -> None:
        """The outcome of the exec: end of file is success."""
        if attempt.outcome is None:
            return
        said = os.read(attempt.outcome, 1 << 14).decode()
        self.selector.unregister(attempt.outcome)
        os.close(attempt.outcome)
        attempt.outcome = None
        attempt.error = attempt.error or said or None
        if attempt.error is None:
            self.tell({"ev": "started", **attempt.facts()})

    def reap(self) -> None:
        """Every child that ended: workers, the supervisor, and orphans of workers."""
        self.wake.recv(1 << 16)
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.serve_pid:
                self.supervisor_exited(status)
            elif attempt := self.children.pop(pid, None):
                self.hear(attempt)
                cpu_s = round(usage.ru_utime + usage.ru_stime, 6)
                maxrss = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
                self.finish(attempt, status, "waitpid", maxrss=maxrss, cpu_s=cpu_s)

    def finish(self, attempt: Attempt, status: int, how: str, **usage: float) -> None:
        del self.live[key_of(attempt.row)]
        if attempt.error is not None:
            self.end({**attempt.facts(), "error": attempt.error})
            return
        code = os.waitstatus_to_exitcode(status)
        end = {"code": code} if code >= 0 else {"signal": -code}
        self.end({**attempt.facts(), **end, "how": how, **usage})

    def end(self, known: Row) -> None:
        """Writes down how it ended, then tells."""
        unknown = dict.fromkeys(("code", "signal", "error", "maxrss", "cpu_s"))
        event = {"ev": "ended", "how": "waitpid", **unknown, **known, "at": time.time()}
        self.ended[key_of(event)] = event
        self.record({"j": "end", **event})
        self.tell(event)

    # --- processes of an earlier warden

    def adopt(self, row: Row) -> None:
        # opened before the look at its start: no later process can have taken its pid by then
        attempt = Attempt(row, watch=end_descriptor(row["pid"]))
        self.live[key_of(row)] = attempt
        if row["boot"] != self.boot:
            self.lose(attempt, "reboot")
        elif start_of(row["pid"]) != row["start"]:
            self.lose(attempt, "unwatched")
        elif attempt.watch is None:
            self.looked_at.append(attempt)
        else:
            self.selector.register(attempt.watch, selectors.EVENT_READ, lambda: self.gone(attempt))

    def gone(self, attempt: Attempt) -> None:
        if attempt.watch is not None:
            self.selector.unregister(attempt.watch)
        attempt.gone_at = time.monotonic()
        self.looked_at.append(attempt)
        self.look_at = 0.0

    def look(self, now: float) -> None:
        """At those whose end no descriptor tells, and for the codes of those that ended: the kernel
        gives one once the process was reaped by whom it belongs to, and does not say when."""
        self.look_at = now + LOOK_EVERY_S
        for attempt in list(self.looked_at):
            if attempt.gone_at is None:
                gone = start_of(attempt.row["pid"]) != attempt.row["start"]
                status = None
            else:
                gone = now > attempt.gone_at + EXIT_CODE_WITHIN_S
                try:
                    status = exit_status(attempt.watch or -1)
                except OSError:
                    status, gone = None, True
            if gone or status is not None:
                self.looked_at.remove(attempt)
            if status is not None:
                self.close_watch(attempt)
                self.finish(attempt, status, "pidfd")
            elif gone:
                self.lose(attempt, "unwatched")

    def lose(self, attempt: Attempt, why: str) -> None:
        self.close_watch(attempt)
        del self.live[key_of(attempt.row)]
        self.end({**attempt.facts(), "how": "unseen", "why": why})

    def close_watch(self, attempt: Attempt) -> None:
        if attempt.watch is not None:
            os.close(attempt.watch)

    # --- the supervisor

    def listen(self) -> socket.socket:
        if os.path.lexists(self.path):  # of a warden that is gone: the lock is ours
            os.unlink(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o177)
        listener.bind(self.path)
        os.umask(umask)
        listener.listen(CONNECTIONS)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, self.accept)
        return listener

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
        try:
            self.send(peer)
            for line in peer.lines() if peer in self.peers else ():
                if peer in self.peers:
                    self.obey(peer, line)
        except OSError as error:
            self.drop(peer, str(error))

    def obey(self, peer: Peer, line: bytes) -> None:
        try:
            order = json.loads(line)
            fields = OPERATIONS[order["op"]]
            fits = all(isinstance(order[name], kind) for name, kind in fields.items())
        except (ValueError, TypeError, KeyError):
            fits = False
        if not fits or (peer is not self.supervisor and order["op"] != "hello"):
            self.drop(peer, f"it sent {len(line)} bytes that make no sense here")
        elif order["op"] == "hello":
            self.greet(peer, order)
        elif order["op"] == "spawn":
            self.spawn(order)
        elif order["op"] == "unended":
            if order["n"] != self.unended:
                self.unended = order["n"]
                self.record({"j": "unended", "n": self.unended})
        elif self.ended.pop(key_of(order), None):
            self.record({"j": "ack", "task": order["task"], "attempt": order["attempt"]})
            idle = not self.live and not self.ended
            if idle and self.journal.size > JOURNAL_IDLE_BYTES:
                self.compact()

    def greet(self, peer: Peer, order: Row) -> None:
        older, self.supervisor = self.supervisor, peer
        if older is not None and older is not peer:
            self.drop(older, "another supervisor took its place")
        log(f"supervisor {order['supervisor']} connected, pid {order['pid']}")
        state = {"ev": "state", "warden": os.getpid(), "boot": self.boot}
        state["live"] = [attempt.facts() for attempt in self.live.values()]
        state["ended"] = list(self.ended.values())
        state["uptime"] = time.monotonic() - self.began
        data = encoded(state)
        peer.room = BACKLOG_BYTES + len(data)
        self.send(peer, data)

    def tell(self, event: Row) -> None:
        if self.supervisor is not None:
            self.send(self.supervisor, encoded(event))

    def send(self, peer: Peer, data: bytes = b"") -> None:
        try:
            peer.send(data)
        except OSError as error:
            self.drop(peer, str(error))
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.outgoing else 0)
        self.selector.modify(peer.connection, wanted, lambda: self.attend(peer))

    def drop(self, peer: Peer, why: str) -> None:
        if peer not in self.peers:
            return
        self.peers.remove(peer)
        self.selector.unregister(peer.connection)
        peer.connection.close()
        log(f"connection closed: {why}")
        if peer is self.supervisor:
            self.supervisor = None
            if time.monotonic() - peer.since > STABLE_S:
                self.serve_starts = 0
            self.serve_later()

    def serve_later(self) -> None:
        patience = SERVE_AFTER_S[min(self.serve_starts, len(SERVE_AFTER_S) - 1)]
        self.serve_at = time.monotonic() + patience

    def start_supervisor(self) -> None:
        if not os.path.exists(self.path):  # somebody tidied up: nobody could ever connect again
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = self.listen()
        self.serve_starts += 1
        out = os.path.join(self.state, "supervisor.log")
        if os.path.exists(out) and os.path.getsize(out) > LOG_BYTES:
            os.truncate(out, 0)
        try:
            pid = os.fork()
        except OSError as error:
            log(f"cannot start a supervisor: {error.strerror}")
            self.serve_later()
            return
        if pid == 0:
            self.let_go_of_ours()
            order = {"argv": self.serve, "cwd": self.state, "env": dict(os.environ), "out": out}
            become(order, 2, None, self.open_files)
        self.serve_pid = pid
        log(f"started a supervisor, pid {pid}")

    def supervisor_exited(self, status: int) -> None:
        log(f"the supervisor ended: {os.waitstatus_to_exitcode(status)}")
        self.serve_pid = None
        self.serve_later()


def main(state: str, path: str, serve: str) -> None:
    """Serves `state`, unless another warden does."""
    state, path = os.path.abspath(state), os.path.abspath(path)
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                continue  # the listing's own
    private = os.O_CREAT | os.O_APPEND | os.O_RDWR
    lock = os.open(os.path.join(state, "warden.lock"), private, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    words = os.open(os.path.join(state, "warden.log"), private, 0o600)
    for source, target in ((nothing, 0), (words, 1), (words, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(words)
    os.chdir(state)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    warden = Warden(state, path, json.loads(serve), lock)
    gc.collect()
    gc.freeze()  # a fork then copies fewer pages
    warden.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
