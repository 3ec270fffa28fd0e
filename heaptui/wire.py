"""What a worker and the engine say to each other: one JSON object a line, on a unix socket.

The socket is named by `$HEAPTUI_SOCKET`. A worker says `hello` first; which attempt it belongs to
is what it says *and* what its process is: a peer outside the attempt's process tree is let go.
Any language can speak this. It has two halves, each on a connection of its own (`role`):

    heap   worker → engine    hello, heap, done, failed, phase
           engine → worker    every, heap, gc, snapshot
    work   worker → engine    hello, progress, context, checkpoint, result, log, drained, failed
           engine → worker    kept, checkpoint, drain

heaptui's preloads for Node and Python speak the first, `heaptui.worker` the second.

Bytes, milliseconds where a name ends in `_ms`, instants since the epoch. A worker may leave out
what it does not know.

A checkpoint is what a later attempt needs to go on, a result what the task was for: JSON of up to
1 MB in `data`, or a file of any size in `path`, or neither, when the worker itself has put it,
whole, at `$HEAPTUI_CHECKPOINT` or `$HEAPTUI_RESULT`. The newest checkpoint lies at
`$HEAPTUI_CHECKPOINT` when the next attempt begins. `kept` says that it is on disk.

A task that names what it works through gives its worker `$HEAPTUI_SLICE`, a file that lists what is
left of it, an item a line; `$HEAPTUI_DONE`, to which every finished item is appended as a line, by
the worker itself or, where it says `items` here, by the engine; and `$HEAPTUI_HANDOVER`, JSON with
all there is to know (inputs.py). An item that stands in `$HEAPTUI_DONE` is given to nobody again.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

LINE_MAX = 64 << 10
"""Bytes of the longest line either side accepts; who sends a longer one is let go."""

DATA_MAX = 1 << 20
"""Bytes of the JSON in a checkpoint or a result."""

WORK_LINE_MAX = DATA_MAX + LINE_MAX
"""As LINE_MAX, from a worker that said hello for the work half."""

SOCKET_VARIABLE = "HEAPTUI_SOCKET"
CHECKPOINT_VARIABLE = "HEAPTUI_CHECKPOINT"
RESULT_VARIABLE = "HEAPTUI_RESULT"
DONE_VARIABLE = "HEAPTUI_DONE"
SLICE_VARIABLE = "HEAPTUI_SLICE"
HANDOVER_VARIABLE = "HEAPTUI_HANDOVER"
TASK_FILE_VARIABLE = "HEAPTUI_TASK_FILE"


class Role(StrEnum):
    """Which half of the protocol a connection speaks."""

    HEAP = "heap"
    WORK = "work"


class MainState(StrEnum):
    """What the program's main thread did when the figures were taken."""

    IDLE = "idle"
    BUSY = "busy"
    """It runs the program's code and has not come back to its loop; figures may be older."""
    NATIVE = "native"
    """It is inside a native call: nothing can be asked of the heap until that returns."""


# --- worker → engine -----------------------------------------------------------------------------
class Hello(Struct, tag="hello", tag_field="type", frozen=True, kw_only=True):
    """First on every connection. `task` is $HEAPTUI_TASK, `<task id>.<attempt>`; `can` holds of gc,
    snapshot (heap) or checkpoint, drain (work) what this process can do, `why` the reason for each
    that it cannot."""

    v: int
    task: str
    pid: int
    ppid: int
    runtime: str
    version: str
    role: Role = Role.HEAP
    title: str = ""
    can: tuple[str, ...] = ()
    why: dict[str, str] = {}


class Heap(Struct, tag="heap", tag_field="type", frozen=True, kw_only=True):
    """The figures of one heap, `age_ms` old when they were sent; the answer to `heap` has its id.

    For V8: `used` and `committed` of the whole heap, `limit` its real limit (old + 3 x semi),
    `external` beside the heap (`array_buffers` of it in ArrayBuffers), `old` and `new` used in the
    two generations. For Python: `used` in allocated blocks (small and large), `committed` held for
    them, `blocks` how many small ones, `traced` what tracemalloc counts where it is on.
    `gc_count` and `gc_ms` count since the process began, `loop_delay_ms` is the longest wait of
    the event loop since the last report, `requests` counts HTTP requests begun or served.
    """

    at: float
    id: int = 0
    age_ms: float = 0
    main: MainState = MainState.IDLE
    used: int | None = None
    committed: int | None = None
    limit: int | None = None
    external: int | None = None
    array_buffers: int | None = None
    old: int | None = None
    new: int | None = None
    rss: int | None = None
    blocks: int | None = None
    traced: int | None = None
    gc_count: int | None = None
    gc_ms: float | None = None
    loop_delay_ms: float | None = None
    requests: int | None = None


class Collected(Struct, frozen=True, kw_only=True):
    """What a collection did; `flavour` says how it was asked for."""

    flavour: str
    pause_ms: float
    used_before: int | None = None
    used_after: int | None = None
    rss_before: int | None = None
    rss_after: int | None = None


class Written(Struct, frozen=True, kw_only=True):
    """A snapshot stands whole at `path`. `pause_ms`: the program stood still so long."""

    path: str
    bytes: int
    took_ms: float
    pause_ms: float
    used: int | None = None


class Done(Struct, tag="done", tag_field="type", frozen=True, kw_only=True):
    """Command `id` succeeded."""

    id: int
    collected: Collected | None = None
    written: Written | None = None


class Failed(Struct, tag="failed", tag_field="type", frozen=True, kw_only=True):
    """Command `id` did not. `code`: disk, exists, unsupported, busy, error."""

    id: int
    code: str
    text: str


class Phase(Struct, tag="phase", tag_field="type", frozen=True, kw_only=True):
    """Where command `id` is: `waiting` for a native call to return, `collecting`, `writing`."""

    id: int
    name: str


class Progress(Struct, tag="progress", tag_field="type", frozen=True, kw_only=True):
    """How far the work is: `done` of `total` units of its own choosing; only the latest counts.

    `items` are those finished since it was said last, each in the words in which it was given;
    `hand` those that are begun and not finished (None: as before)."""

    done: float | None = None
    total: float | None = None
    text: str = ""
    items: tuple[str, ...] = ()
    hand: tuple[str, ...] | None = None


class Context(Struct, tag="context", tag_field="type", frozen=True, kw_only=True):
    """How many tokens its model's context held at the latest call, and how many it can hold; only
    the latest counts."""

    used: int
    limit: int | None = None


class Checkpoint(Struct, tag="checkpoint", tag_field="type", frozen=True, kw_only=True):
    """What is done is kept: `data`, the file at `path`, or what lies at $HEAPTUI_CHECKPOINT
    already. With `id` it answers the question for one. `note` is a few words for the operator.
    `data` is empty where there is none (Raw is not decoded as a part of a union); `items` as in
    progress."""

    id: int = 0
    data: msgspec.Raw = msgspec.Raw()
    path: str | None = None
    note: str = ""
    items: tuple[str, ...] = ()


class Result(Struct, tag="result", tag_field="type", frozen=True, kw_only=True):
    """What the task was for, in the forms of a checkpoint; the last one counts. A worker that told
    its result and ends with 0 has finished, whatever it was asked meanwhile, unless it says that it
    drained: then it is the result of what it did."""

    data: msgspec.Raw = msgspec.Raw()
    path: str | None = None
    items: tuple[str, ...] = ()


class Log(Struct, tag="log", tag_field="type", frozen=True, kw_only=True):
    """One line for the task's history."""

    text: str


class Drained(Struct, tag="drained", tag_field="type", frozen=True, kw_only=True):
    """What was in hand is done and kept; the worker ends now, and goes on in another attempt."""


FromWorker = (
    Hello | Heap | Done | Failed | Phase | Progress | Context | Checkpoint | Result | Log | Drained
)


# --- engine → worker -----------------------------------------------------------------------------
class Every(Struct, tag="every", tag_field="op", frozen=True):
    """Send `heap` this often (before this comes: once a second)."""

    ms: int


class AskHeap(Struct, tag="heap", tag_field="op", frozen=True):
    """Send `heap` now, with this id."""

    id: int


class Collect(Struct, tag="gc", tag_field="op", frozen=True):
    id: int


class Snap(Struct, tag="snapshot", tag_field="op", frozen=True):
    """Write a snapshot to `path` (absolute): mode 0600, under a temporary name in the same
    directory (`path` + `.part`), renamed when it is whole; never over a file that is there."""

    id: int
    path: str


class Kept(Struct, tag="kept", tag_field="op", frozen=True):
    """The worker's latest `what` (checkpoint, result) is on disk, or `error` says why it is not:
    the one before then still stands."""

    what: str
    bytes: int = 0
    error: str = ""


class AskCheckpoint(Struct, tag="checkpoint", tag_field="op", frozen=True):
    """Send `checkpoint` with this id as soon as it can be had, or `failed`; then go on."""

    id: int


class Drain(Struct, tag="drain", tag_field="op", frozen=True):
    """Finish what is in hand, checkpoint, say `drained` and end within `grace_ms`. A SIGTERM to the
    leader says the same to those that do not listen here."""

    grace_ms: int
    why: str = ""


ToWorker = Every | AskHeap | Collect | Snap | Kept | AskCheckpoint | Drain

encode = msgspec.json.Encoder().encode
decode_from_worker = msgspec.json.Decoder(FromWorker).decode
