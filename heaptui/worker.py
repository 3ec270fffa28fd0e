"""Work that can be interrupted: tell how far it is, keep what is done, end when asked, go on later.

    from heaptui import worker

    w = worker.connect()
    state = w.resume() or {"next": 0}
    for n in range(state["next"], 1000):
        do(n)
        w.progress(n + 1, 1000)
        w.checkpoint({"next": n + 1}, every_s=5)
        if w.draining:
            w.drained()
            sys.exit(0)
    w.result({"count": 1000})

A task that names what it works through (`heaptui run --inputs …`) needs no more than

    from heaptui import worker

    for path in worker.items():
        do(path)

Each item is noted as done when its turn of the loop has ended, none is given twice, and a drain
ends the loop between two of them.

Needs nothing but the standard library, and no heaptui around it: where $HEAPTUI_CHECKPOINT names a
file checkpoints are kept there all the same, else nowhere; everything else does nothing then. No
trouble with a socket or a disk is ever raised into the work: `checkpoint` and `result` say by what
they return whether something is kept. What is in the file is always whole, and written by the
process itself: a checkpoint needs no supervisor to be safe.

One daemon thread speaks to heaptui (WORKERS.md says how), finds the next supervisor by itself, and
never runs code of yours. A fork's child is silent until it uses its copy; then it speaks as itself.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, BinaryIO

DATA_MAX = 1 << 20
"""Bytes of JSON in a checkpoint or a result; more belongs into a file."""

NAME_MAX = 4096
"""Bytes of an item's name."""

_LINE_MAX = 64 << 10
_HAND_MAX = 64
_LOGS_MAX, _TEXT_MAX = 100, 1000
_ROUND_S = 0.15
"""Between two times that something is said: whatever is newer by then replaces what it was."""
_BACK_OFF_S = (0.1, 3.0)
_SEND_WITHIN_S = 5.0
_FLUSH_WITHIN_S = 2.0
_LOOK_ROUND_S = 0.5


class Flag:
    """Set or not; may be set from a signal handler, and waited for by any thread."""

    def __init__(self) -> None:
        self._set = False
        self._bell: SimpleQueue[None] = SimpleQueue()

    def __bool__(self) -> bool:
        return self._set

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._bell.put(None)

    def clear(self) -> None:
        self._set = False
        with suppress(Empty):
            while True:
                self._bell.get_nowait()
        if self._set:  # again, meanwhile: that was its bell
            self._bell.put(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is set, by `timeout` seconds at the latest."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self._set:
            left = math.inf if until is None else until - time.monotonic()
            if left <= 0:
                return False
            # a signal just before the main thread begins to wait does not wake it: its handler,
            # which may be what sets this, only runs when it looks round
            with suppress(Empty):
                self._bell.get(timeout=min(left, _LOOK_ROUND_S))
        self._bell.put(None)  # for whoever else waits
        return True


class Worker:
    """This process as a worker; `connect` makes it. Safe to use from several threads.

    `draining`: finish what is in hand, keep it, say `drained` and end. `checkpoint_wanted`: a
    checkpoint was asked for and has not been made since. Both are `Flag`s.
    """

    def __init__(
        self,
        *,
        can: tuple[str, ...] = ("checkpoint", "drain"),
        on_checkpoint: Callable[[], object] | None = None,
        title: str = "",
    ) -> None:
        self.draining = Flag()
        self.checkpoint_wanted = Flag()
        self.checkpoint_path = os.environ.get("HEAPTUI_CHECKPOINT", "")
        self.result_path = os.environ.get("HEAPTUI_RESULT", "")
        self.on_checkpoint = on_checkpoint
        self.done_path = os.environ.get("HEAPTUI_DONE", "")
        self._can, self._title = can, title
        self._kept_at = float("-inf")
        self._drains_on_sigterm = 0
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._keeping = threading.RLock()
        self._asking = False
        self._handling = threading.Lock()
        self._hand: dict[str, None] = {}
        self._finished: set[str] = set()
        self._progress: dict[str, object] = {}
        self._line: _Line | None = None
        address, task = os.environ.get("HEAPTUI_SOCKET"), os.environ.get("HEAPTUI_TASK")
        if address and task:
            hello = {"task": task, "title": _plain(self._title), "can": list(self._can)}
            self._line = _Line(address, hello, self.draining, self.checkpoint_wanted)

    # --- before the work
    def resume(self) -> Any:
        """The newest checkpoint of any attempt, parsed; None where there is none yet.

        Raises:
            ValueError: it is no JSON: it was kept by `checkpoint_file`, open `checkpoint_path`.
            OSError: it is there and cannot be read.
        """
        return resume()

    # --- during the work
    def progress(
        self, done: float | None = None, total: float | None = None, text: str = ""
    ) -> None:
        """How far it is, in units of your own; only the latest is told. Never waits."""
        with self._handling:
            words = {"done": _number(done), "total": _number(total), "text": _plain(text)}
            self._progress |= words
            self._tell("progress", dict(self._progress))
        self.poll()

    def context(self, used: int, limit: int | None = None) -> None:
        """How many tokens the model's context held at the latest call, and how many it can hold."""
        tokens, most = _number(used), _number(limit)
        if tokens is not None:
            words = {"used": int(tokens), "limit": None if most is None else int(most)}
            self._tell("context", words)

    def log(self, text: str) -> None:
        """One line for the task's history; what is written too often is left out."""
        if (line := self._speaking()) is not None:
            line.log(_plain(text))
        self.poll()

    # --- items
    def left(self, names: Iterable[str] | None = None) -> list[str]:
        """What is to be done: the lines of $HEAPTUI_SLICE, or `names` (the arguments that the
        command was given), without those that $HEAPTUI_DONE already names.

        Raises:
            OSError: one of these files is there and cannot be read, or the slice is gone.
        """
        if names is None:
            path = os.environ.get("HEAPTUI_SLICE")
            names = filter(None, _lines(path)) if path else ()
        done = set()
        if self.done_path:
            with suppress(FileNotFoundError):
                done = set(_lines(self.done_path)[:-1])  # the last was not written to its end
        return [name for name in names if name not in done]

    def items(self, names: Iterable[str] | None = None) -> Iterator[str]:
        """Goes through what is `left`, in a `for` loop: an item is done when the body has come to
        its end and the next one is asked for; one that raises, or is left by `break`, is not.
        Ends early when a drain has begun, and says `drained` then.

        Several threads may each have a loop: they share the items. A pool or `list` asks for items
        before it works on them: there go through `left`, each one `with item(name)`.
        """
        for name in self.left(names):
            if self._is_taken(name):
                continue
            if self.draining:
                self._tell("drained", {})
                return
            if self._take(_item(name)):
                try:
                    yield name
                except BaseException:
                    self._put_back(name)
                    raise
                self.done(name)

    @contextmanager
    def item(self, name: str | os.PathLike[str]) -> Iterator[str]:
        """In hand while the body runs, done when it ends, not done when it raises."""
        name = _item(name)
        self._take(name)
        try:
            yield name
        except BaseException:
            self._put_back(name)
            raise
        self.done(name)

    def done(self, item: str | os.PathLike[str]) -> bool:
        """This item, in the words in which it was given, needs never be done again; whether that is
        kept. Where $HEAPTUI_DONE names no file nothing is.

        Raises:
            ValueError: it is empty, no single line, or longer than NAME_MAX bytes.
        """
        item = _item(item)
        trouble = _append(self.done_path, item)
        self._finished.add(item)
        self._put_back(item)
        if trouble is not None and self.done_path:
            self.log(f"not noted as done, and may be done again: {item[:200]}: {trouble}")
        return trouble is None

    def handover(self) -> Any:
        """As the function `handover`."""
        return handover()

    def poll(self) -> None:
        """Calls `on_checkpoint` where a checkpoint is wanted, and keeps what it returns: on this
        thread, and only here and in `progress` and `log`, so never in the middle of an item."""
        if self.on_checkpoint is None or not self.checkpoint_wanted or self._asking:
            return
        self._asking = True
        try:
            self.checkpoint(self.on_checkpoint())
        finally:
            self._asking = False

    def checkpoint(self, state: object, *, note: str = "", every_s: float = 0) -> bool:
        """Keeps what a later attempt needs to go on: anything that json.dumps takes.

        Returns whether it is kept. With `every_s`, not more often than that, unless one is wanted
        or a drain has begun. `note` is a few words for the operator.

        Raises:
            ValueError: it is more than DATA_MAX bytes of JSON; keep a file by `checkpoint_file`.
            TypeError: it is nothing that JSON can say.
        """
        if not self._due(every_s):
            return False
        data = _json(state, "checkpoint")
        return self._keep_checkpoint(note, lambda file: file.write(data))

    def checkpoint_file(self, path: str, *, note: str = "", every_s: float = 0) -> bool:
        """As `checkpoint`, a copy of this file of any size and form."""
        if not self._due(every_s):
            return False
        return self._keep_checkpoint(note, lambda file: _copy(path, file))

    @property
    def seconds_left(self) -> float | None:
        """Of the drain, until heaptui ends this process; None where it has not said."""
        line = self._line
        if line is None or line.drain_until is None:
            return None
        return max(0.0, line.drain_until - time.monotonic())

    # --- after the work
    def result(self, value: object) -> bool:
        """Hands in what the task was for, as `checkpoint` does; the last one counts."""
        data = _json(value, "result")
        return self._keep_result(lambda file: file.write(data))

    def result_file(self, path: str) -> bool:
        """As `result`, a copy of this file."""
        return self._keep_result(lambda file: _copy(path, file))

    def drained(self) -> None:
        """What was in hand is done and kept; end now, the rest is for another attempt."""
        self._tell("drained", {})
        self.flush()

    def flush(self, within_s: float = _FLUSH_WITHIN_S) -> bool:
        """Waits until what was said has been sent, if anybody listens; whether it has."""
        return self._line is None or self._line.flush(within_s)

    def close(self) -> None:
        """Says the rest, and nothing any more; checkpoints and results are still kept."""
        line, self._line = self._line, None
        if line is not None and self._pid == os.getpid():
            line.flush(_FLUSH_WITHIN_S)
            line.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside
    def _due(self, every_s: float) -> bool:
        early = time.monotonic() - self._kept_at < every_s
        return not early or bool(self.checkpoint_wanted) or bool(self.draining)

    def _keep_checkpoint(self, note: str, write: Callable[[BinaryIO], object]) -> bool:
        with self._keeping:
            line = self._speaking()
            # in this order: what is asked meanwhile is answered now, or asks for another one
            self.checkpoint_wanted.clear()
            number = 0 if line is None else line.take_question()
            trouble = _put(self.checkpoint_path, write)
            if trouble is not None:
                if line is not None and self.checkpoint_path:
                    line.tell("failed", {"id": number, "code": "disk", "text": trouble})
                return False
            self._kept_at = time.monotonic()
            self._tell("checkpoint", {"id": number, "note": _plain(note)})
            return True

    def _keep_result(self, write: Callable[[BinaryIO], object]) -> bool:
        with self._keeping:
            trouble = _put(self.result_path, write)
            if trouble is None:
                self._tell("result", {})
            elif self.result_path:
                self.log(f"the result is not kept: {trouble}")
            return trouble is None

    def _is_taken(self, name: str) -> bool:
        """Whether another thread has it in hand, or had."""
        return name in self._hand or name in self._finished

    def _take(self, name: str) -> bool:
        """Whether it was free."""
        with self._handling:
            if self._is_taken(name):
                return False
            self._hand[name] = None
            self._tell_hand()
            return True

    def _put_back(self, name: str) -> None:
        with self._handling:
            if name in self._hand:
                del self._hand[name]
                self._tell_hand()

    def _tell_hand(self) -> None:
        names = [name.encode("utf-8", "replace").decode() for name in self._hand]
        self._progress["hand"] = names[:_HAND_MAX]
        self._tell("progress", dict(self._progress))

    def _tell(self, kind: str, words: Mapping[str, object]) -> None:
        if (line := self._speaking()) is not None:
            line.tell(kind, words)

    def _speaking(self) -> _Line | None:
        """The line, with its thread: in a fork's child, from its first word on."""
        if self._line is not None:
            self._line.start()
        return self._line

    def _forked(self) -> None:
        """In the child: nothing of the parent's thread, locks and connection is of use here."""
        line = self._line
        self.draining, self.checkpoint_wanted = Flag(), Flag()
        if line is not None:
            line.abandon()
            self._begin()
        else:
            self._pid, self._keeping, self._asking = os.getpid(), threading.RLock(), False
            self._handling, self._hand = threading.Lock(), {}


_current: Worker | None = None


def connect(
    *,
    can: tuple[str, ...] = ("checkpoint", "drain"),
    on_checkpoint: Callable[[], object] | None = None,
    sigterm: bool = False,
    title: str = "",
) -> Worker:
    """This process's worker: one for all who ask.

    `can` says what the work does when it is asked: `checkpoint` if it calls `checkpoint` now and
    then (or gives `on_checkpoint`, which returns what to keep), `drain` if it looks at `draining`.
    heaptui sends no SIGTERM to a process that hears of drains here. `sigterm`: a SIGTERM is to mean
    a drain as well, also where there is no heaptui; only on the main thread, and only where nobody
    handles it yet. It ends a fork's child, unless that says so itself. `title` is how this process
    is shown.
    """
    global _current  # noqa: PLW0603 (two of them would speak at once for one process)
    if _current is None:
        _current = Worker(can=can, on_checkpoint=on_checkpoint, title=title)
        atexit.register(_current.close)
        os.register_at_fork(after_in_child=_current._forked)
        _current._speaking()
    elif on_checkpoint is not None:
        _current.on_checkpoint = on_checkpoint
    if sigterm:
        _drain_on_sigterm(_current)
    return _current


def resume() -> Any:
    """As `Worker.resume`, for a program that wants nothing else."""
    path = os.environ.get("HEAPTUI_CHECKPOINT")
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    try:
        return json.loads(data)
    except ValueError as error:
        raise ValueError(
            f"The checkpoint {path} is no JSON ({error}). If it was kept by checkpoint_file, open "
            "it yourself; to begin anew, remove it."
        ) from error


def items(names: Iterable[str] | None = None) -> Iterator[str]:
    """As `Worker.items`, for a program that wants nothing else: a SIGTERM means a drain to it."""
    return connect(can=("drain",), sigterm=True).items(names)


def done(item: str | os.PathLike[str]) -> bool:
    """As `Worker.done`, for a program that wants nothing else."""
    if _current is not None:
        return _current.done(item)
    return _append(os.environ.get("HEAPTUI_DONE", ""), _item(item)) is None


def handover() -> Any:
    """What $HEAPTUI_HANDOVER holds, parsed: goal, items, what is done, the error before (WORKERS.md
    names them all); None where there is none.

    Raises:
        ValueError: it is no JSON.
        OSError: it cannot be read.
    """
    path = os.environ.get("HEAPTUI_HANDOVER")
    if not path:
        return None
    with open(path, "rb") as file:
        return json.load(file)


def _drain_on_sigterm(worker: Worker) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    if worker._drains_on_sigterm:
        worker._drains_on_sigterm = os.getpid()
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def drain(number: int, _: FrameType | None) -> None:
        if worker._drains_on_sigterm == os.getpid():
            worker.draining.set()
            return
        # a fork's child: whoever forked it and ends it means its end
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    worker._drains_on_sigterm = os.getpid()
    signal.signal(signal.SIGTERM, drain)


class _Line:
    """The thread that speaks to heaptui, and what it has yet to say.

    `told` is the latest of each kind: another supervisor is told all of it again.
    """

    def __init__(
        self, address: str, hello: Mapping[str, object], draining: Flag, wanted: Flag
    ) -> None:
        self.drain_until: float | None = None
        self._address, self._hello = address, hello
        self._draining, self._wanted = draining, wanted
        self._lock = threading.Lock()
        self._told: dict[str, Mapping[str, object]] = {}
        self._due: set[str] = set()
        self._logs: deque[str] = deque(maxlen=_LOGS_MAX)
        self._sent = threading.Condition(self._lock)
        self._asked = 0
        self._waited_for = 0
        self._connected: bool | None = None  # None: it tries for the first time
        self._closed = False
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] | None = None
        self._socket: socket.socket | None = None

    # --- for the work's threads: nothing here waits
    def start(self) -> None:
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="heaptui", daemon=True)
                with suppress(OSError, RuntimeError):  # no descriptors, no threads: no words
                    self._wake = os.pipe()
                    for end in self._wake:
                        os.set_blocking(end, False)
                    self._thread.start()

    def tell(self, kind: str, words: Mapping[str, object]) -> None:
        with self._lock:
            first = not (self._due or self._logs)
            self._told[kind] = words
            self._due.add(kind)
        if first:
            self._rouse()

    def log(self, text: str) -> None:
        with self._lock:
            first = not (self._due or self._logs)
            self._logs.append(text)
        if first:
            self._rouse()

    def take_question(self) -> int:
        """The number of the question for a checkpoint that the next one answers; 0: none."""
        with self._lock:
            number, self._asked = self._asked, 0
            return number

    def flush(self, within_s: float) -> bool:
        until = time.monotonic() + within_s
        with self._sent:
            self._waited_for += 1
            self._rouse()
            try:
                while self._due or self._logs:
                    left = until - time.monotonic()
                    if left <= 0 or not self._alive():
                        return False
                    self._sent.wait(left)
            finally:
                self._waited_for -= 1
        return True

    def close(self) -> None:
        self._closed = True
        self._rouse()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(_ROUND_S)

    def abandon(self) -> None:
        """Another process has the thread: only this one's copies of the descriptors are closed."""
        self._closed = True
        if self._socket is not None:
            self._socket.close()
        for end in self._wake or ():
            with suppress(OSError):
                os.close(end)

    def _alive(self) -> bool:
        thread = self._thread
        return self._connected is not False and thread is not None and thread.is_alive()

    def _rouse(self) -> None:
        if self._wake is not None:
            with suppress(OSError):  # full: it is roused already
                os.write(self._wake[1], b"!")

    # --- the thread
    def _run(self) -> None:
        back_off = _BACK_OFF_S[0]
        while not self._closed:
            since = time.monotonic()
            with suppress(OSError, ValueError):
                self._converse()
            with self._sent:
                self._connected, self._socket = False, None
                self._sent.notify_all()
            # one that lets us go at once is not asked again at once
            if time.monotonic() - since > _BACK_OFF_S[1]:
                back_off = _BACK_OFF_S[0]
            until = time.monotonic() + back_off * (0.5 + os.urandom(1)[0] / 256)
            back_off = min(2 * back_off, _BACK_OFF_S[1])
            while not self._closed and (left := until - time.monotonic()) > 0:
                self._roused(left)

    def _converse(self) -> None:
        """Until the connection ends. Raises OSError and ValueError."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_SEND_WITHIN_S)
            line.connect(self._address)
            hello = {
                "type": "hello", "v": 1, "role": "work", "pid": os.getpid(), "ppid": os.getppid(),
                "runtime": "python", "version": sys.version.split()[0],
            }  # fmt: skip
            _send(line, hello | dict(self._hello))
            with self._lock:
                self._socket, self._connected = line, True
                self._due |= self._told.keys()
            held = b""
            next_round = 0.0
            while not self._closed:
                now = time.monotonic()
                if (now >= next_round or self._waited_for) and self._say(line):
                    next_round = now + _ROUND_S
                waits = self._due or self._logs
                pause = 0.0 if self._waited_for else max(0.0, next_round - time.monotonic())
                left = pause if waits else None
                if line in self._roused(left, line):
                    chunk = line.recv(1 << 16)
                    *orders, held = (held + chunk).split(b"\n")
                    if not chunk or len(held) > _LINE_MAX:
                        return
                    for order in orders:
                        self._obey(json.loads(order))

    def _roused(self, within_s: float | None, *lines: socket.socket) -> list[Any]:
        assert self._wake is not None
        poll = select.poll()
        by_handle: dict[int, Any] = {line.fileno(): line for line in lines}
        for handle in (self._wake[0], *by_handle):
            poll.register(handle, select.POLLIN)
        found = [handle for handle, _ in poll.poll(None if within_s is None else within_s * 1000)]
        if self._wake[0] in found:
            with suppress(BlockingIOError):
                while os.read(self._wake[0], 4096):
                    pass
        return [by_handle[handle] for handle in found if handle in by_handle]

    def _say(self, line: socket.socket) -> bool:
        """What is due, the oldest line of the log with it; whether there was anything."""
        with self._lock:
            due = {kind: self._told[kind] for kind in _ORDER if kind in self._due}
            logs = [self._logs[0]] if self._logs else []
        for kind, words in due.items():
            _send(line, {"type": kind, **words})
        for text in logs:
            _send(line, {"type": "log", "text": text})
        with self._sent:
            for kind, words in due.items():
                if self._told.get(kind) is words:
                    self._due.discard(kind)
            if due.keys() & {"failed"} and self._told.get("failed") is due["failed"]:
                del self._told["failed"]  # it was about one moment
            if logs:
                self._logs.popleft()
            self._sent.notify_all()
        return bool(due or logs)

    def _obey(self, order: Any) -> None:
        match order:
            case {"op": "checkpoint", "id": int(number)}:
                with self._lock:
                    self._asked = number
                self._wanted.set()
            case {"op": "drain"}:
                grace_ms = order.get("grace_ms")
                if isinstance(grace_ms, int | float):
                    self.drain_until = time.monotonic() + grace_ms / 1000
                self._draining.set()


_ORDER = ("progress", "context", "failed", "checkpoint", "result", "drained")


def _send(line: socket.socket, message: Mapping[str, object]) -> None:
    words = {key: value for key, value in message.items() if value is not None}
    line.sendall(json.dumps(words, allow_nan=False).encode() + b"\n")


def _number(said: object) -> float | None:
    """As JSON can say it, whatever kind of number the work counts in."""
    try:
        number = float(said)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _plain(text: object) -> str:
    """What any JSON reader takes: half a surrogate pair is none."""
    return str(text)[:_TEXT_MAX].encode("utf-8", "replace").decode()


def _item(name: str | os.PathLike[str]) -> str:
    name = os.fspath(name)
    if not name or any(one in name for one in "\n\r\0"):
        raise ValueError(f"{name[:80]!r} is no item: one line, and not an empty one.")
    if len(_encoded(name)) > NAME_MAX:
        raise ValueError(f"An item's name has at most {NAME_MAX} bytes; {name[:80]!r}… is longer.")
    return name


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _lines(path: str) -> list[str]:
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape").split("\n")


def _append(path: str, name: str) -> str | None:
    """In one piece, whoever else appends; what went wrong."""
    if not path:
        return "there is no place for it"
    line = _encoded(name) + b"\n"
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
        try:
            end = os.fstat(handle).st_size
            if end and os.pread(handle, 1, end - 1) != b"\n":
                line = b"\0\n" + line  # what somebody was killed in stays no item's name
            whole = os.write(handle, line) == len(line)
        finally:
            os.close(handle)
    except OSError as error:
        return error.strerror or str(error)
    return None if whole else "the disk is full"


def _json(value: object, what: str) -> bytes:
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    encoded = data.encode("utf-8", "surrogatepass")
    if len(encoded) > DATA_MAX:
        raise ValueError(
            f"A {what} of {len(encoded)} bytes of JSON is more than {DATA_MAX}: write a file, and "
            f"hand it in by {what}_file."
        )
    return encoded


def _put(path: str, write: Callable[[BinaryIO], object]) -> str | None:
    """Puts what `write` writes in the place of `path`, whole or not at all; what went wrong."""
    if not path:
        return "there is no place for it"
    try:
        with _in_place_of(path) as file:
            write(file)
    except OSError as error:
        return error.strerror or str(error)
    return None


@contextmanager
def _in_place_of(path: str) -> Iterator[BinaryIO]:
    part = f"{path}.{os.getpid()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def _copy(path: str, file: BinaryIO) -> None:
    with open(path, "rb") as source:
        while chunk := source.read(1 << 20):
            file.write(chunk)
