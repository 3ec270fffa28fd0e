"""What a place where processes run must offer, whatever it is: this host, a cluster, a scheduler.

Rules that keep an engine from leaking into the supervisor:

1. It never retries. When it can no longer know what became of an attempt it emits `Lost`; the
   supervisor decides, submits attempt + 1 and drops events of older attempts.
2. It reserves memory where there is a scheduler; the cap is enforced beside the process.
3. Specs and events are plain JSON data, so an engine can live in a process of its own.
4. `submit` is idempotent by (task id, attempt).
5. Every submitted attempt ends in exactly one `Exited` or `Lost`.
6. An end may be delivered again: after `reattach`, and when an acknowledgement was lost on its
   way. The engine forgets it once `acknowledge` was called for its attempt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from msgspec import Struct

from heaptui.model import (
    CapMeans,
    HostSample,
    Identity,
    ProcessHeap,
    ProcessSample,
    TaskSample,
    Work,
)


class LaunchSpec(Struct, frozen=True, kw_only=True):
    """One attempt, ready to be executed: nothing in it is resolved any further.

    `env` is the complete environment; its HEAPTUI_TASK (`<task id>.<attempt>`) is how processes are
    known as the task's where there are no cgroups. `output` is the file that takes stdout and
    stderr, in a directory that is there. `data_floor_bytes` is the least RLIMIT_DATA with which
    this runtime starts (0: no floor; None: this runtime must not be given one). `checkpoint` and
    `result` are the files that $HEAPTUI_CHECKPOINT and $HEAPTUI_RESULT name, `reports` the
    directory of this attempt for what its runtimes write about their own death. `done` is the file
    that $HEAPTUI_DONE names, empty for a task that names nothing that it works through.
    """

    task_id: str
    name: str
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    output: str
    output_bytes: int
    cap_bytes: int | None = None
    data_floor_bytes: int | None = 0
    checkpoint: str = ""
    result: str = ""
    reports: str = ""
    done: str = ""


class Queued(Struct, tag="queued", frozen=True, kw_only=True):
    """Accepted, waiting for room in the engine itself."""

    task_id: str
    attempt: int
    why: str = ""


class Placed(Struct, tag="placed", frozen=True, kw_only=True):
    """A node was chosen."""

    task_id: str
    attempt: int
    node: str


class Started(Struct, tag="started", frozen=True, kw_only=True):
    """The command was executed. `adopted`: it ran already when this engine was opened."""

    task_id: str
    attempt: int
    node: str
    identity: Identity
    at: float
    means: CapMeans | None = None
    adopted: bool = False


class Sampled(Struct, tag="sample", frozen=True, kw_only=True):
    """One pass over a node. `heaps` are those of every task that reported since the pass before;
    `heapless` says, for a task whose reason changed, why none of its processes reports one. `work`
    is what the workers told of their work since the pass before."""

    node: str
    at: float
    host: HostSample | None
    tasks: list[TaskSample]
    output_bytes: dict[str, int] = {}
    heaps: dict[str, tuple[ProcessHeap, ...]] = {}
    heapless: dict[str, str] = {}
    work: dict[str, Work] = {}


class Working(Struct, tag="working", frozen=True, kw_only=True):
    """Where a command in a worker is: `phase` as wire.py names them, `written` bytes of its
    file so far."""

    task_id: str
    attempt: int
    pid: int
    verb: str
    phase: str
    written: int = 0


class Message(Struct, tag="message", frozen=True, kw_only=True):
    """Something worth a line in the task's history, with its figures in the text."""

    task_id: str
    attempt: int
    at: float
    kind: str
    text: str


class RuntimeReport(Struct, frozen=True, kw_only=True):
    """What a runtime wrote about its own death. `trigger` as Node names it (`OOMError`), `message`
    its first words, figures of its heap in bytes."""

    pid: int
    runtime: str
    trigger: str
    message: str = ""
    heap_used_bytes: int | None = None
    heap_limit_bytes: int | None = None
    path: str = ""


class Traces(Struct, frozen=True, kw_only=True):
    """What an attempt's death left to be seen; empty where there was no place to look.

    `oom_kills` counts kills by the kernel in its memory group, for whatever reason; `limit_reached`
    says whether that group had come to its own limit (None: no group, or it is gone). `host_oom` is
    the kernel's own word, or its counter's, that the machine ran out of memory and took one of the
    attempt's processes (`host_oom_named`: it named one by pid). `words` are lines from the end of
    the output that speak of memory or of a refused option, oldest first, made harmless; `last_line`
    is the output's last that is not blank, what a runtime or a shell adds to a notice left out.
    `data_limit_bytes` is the RLIMIT_DATA in force. The last sample: `memory_bytes`, `age_s` seconds
    before the end, growing by `growth_bytes_per_s`; `available_bytes` the machine's MemAvailable
    then.
    """

    oom_kills: int = 0
    limit_reached: bool | None = None
    host_oom: str | None = None
    host_oom_named: bool = False
    words: tuple[str, ...] = ()
    last_line: str = ""
    reports: tuple[RuntimeReport, ...] = ()
    data_limit_bytes: int | None = None
    memory_bytes: int | None = None
    age_s: float | None = None
    growth_bytes_per_s: float | None = None
    available_bytes: int | None = None


class Exited(Struct, tag="exited", frozen=True, kw_only=True):
    """The attempt ended. Exactly one of `code`, `signal` and `error` is set.

    `error` says why the command could not be executed. `cap_hit` gives the evidence when the cap
    ended it. `stopped` is set when `cancel` came before its end. `how` is the source: `waitpid`;
    `pidfd` when the kernel kept the code of a process that nobody of ours could reap; `the evidence
    of its cap` when nobody saw the end of what was being killed at its cap. `work` is the last that
    its worker told, None when none did. `passing`: what kept it from being executed may pass by
    itself, as a full disk does, or a machine without a process to spare.
    """

    task_id: str
    attempt: int
    node: str
    at: float
    pid: int | None = None
    code: int | None = None
    signal: int | None = None
    error: str | None = None
    peak_bytes: int | None = None
    cap_hit: str | None = None
    stopped: bool = False
    how: str = "waitpid"
    output_bytes: int | None = None
    traces: Traces = Traces()
    work: Work | None = None
    passing: bool = False


class Lost(Struct, tag="lost", frozen=True, kw_only=True):
    """Nobody can say how it ended. `why`: `reboot`, `unwatched`, `node`."""

    task_id: str
    attempt: int
    at: float
    why: str
    text: str


class NodeUp(Struct, tag="node_up", frozen=True, kw_only=True):
    node: str
    at: float


class NodeDown(Struct, tag="node_down", frozen=True, kw_only=True):
    node: str
    at: float
    why: str


EngineEvent = (
    Queued | Placed | Started | Sampled | Working | Message | Exited | Lost | NodeUp | NodeDown
)


class Node(Struct, frozen=True, kw_only=True):
    """A place with memory of its own."""

    name: str
    mem_total_bytes: int
    cpus: int
    means: CapMeans
    detail: str = ""


class Known(Struct, frozen=True, kw_only=True):
    """An attempt that the engine knows about when asked to reattach: live, or ended and not yet
    acknowledged (its `Exited` or `Lost` then follows on the stream)."""

    task_id: str
    attempt: int
    live: bool


class Engine(Protocol):
    """See the module's rules. All methods belong to one event loop."""

    async def open(self) -> None:
        """Connects; raises a HeaptuiError when it cannot."""

    async def close(self) -> None:
        """Lets go of everything that runs without ending it."""

    async def submit(self, spec: LaunchSpec, attempt: int) -> None:
        """Starts it, or hands it to the engine's scheduler; `Started` or `Exited` follows."""

    async def cancel(self, task_id: str, grace_s: float) -> None:
        """TERM to the whole tree, `grace_s` seconds, then kill; 0 kills at once. `Exited` follows
        when the whole tree is gone. Unknown or ended: nothing happens."""

    async def command(
        self, task_id: str, verb: str, args: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """Asks something of the place where the task runs.

        `processes` -> {"processes": [...]}
        `output` -> {"size": n, "given_back": n}
        `heaps` -> {"heaps": [...]}: asked anew of each process
        `gc` {"pid": n} -> a wire.Collected, as plain data
        `snapshot` {"pid": n, "path": "..."} -> a wire.Written, and "extra_bytes", how much
        the process grew meanwhile; cannot be cancelled, only no longer waited for
        `cap` {"cap_bytes": n} -> {"cap_bytes": n, "before": n}: changes the cap in force
        `checkpoint` {} -> a model.Work: asks the worker for a checkpoint, and waits until it stands
        `drain` {"grace_s": n, "kill_s": n} -> {}: tells the worker to finish what it has in hand,
        and TERM to the leader alone; after `grace_s` the tree is stopped, after `kill_s` more
        killed. `Exited` follows

        Raises:
            NoSuchTask: it does not run here.
            UsageError: an unknown verb, or wrong arguments.
            Refused: it cannot be done for this process; the reason is in it.
            TimeoutError: no answer within `timeout_s`.
        """

    def events(self) -> AsyncIterator[EngineEvent]:
        """The one stream. Consumed by one reader."""

    def nodes(self) -> list[Node]:
        """Where it can run things."""

    async def reattach(self) -> list[Known]:
        """What the engine already runs or has ended; their events follow on the stream."""

    async def acknowledge(self, task_id: str, attempt: int) -> None:
        """The end of this attempt is stored; the engine may forget it."""

    def keeper_pid(self) -> int | None:
        """The process that keeps work alive when this one goes, None where there is none."""

    async def expect(self, unended: int) -> None:
        """How many tasks the supervisor has yet to see through: while it is not 0, whatever keeps
        work alive here outlives this supervisor."""


def heaps_of(answer: dict[str, Any]) -> list[ProcessHeap]:
    """The typed form of the answer to the command `heaps`."""
    import msgspec

    return msgspec.convert(answer["heaps"], list[ProcessHeap])


def work_of(answer: dict[str, Any]) -> Work:
    """The typed form of the answer to the command `checkpoint`."""
    import msgspec

    return msgspec.convert(answer, Work)


def processes_of(answer: dict[str, Any]) -> list[ProcessSample]:
    """The typed form of the answer to the command `processes`."""
    import msgspec

    return msgspec.convert(answer["processes"], list[ProcessSample])
