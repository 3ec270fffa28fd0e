"""The nouns. Everything that crosses a boundary is one of these, frozen.

Units: bytes, seconds; instants are seconds since the epoch (UTC). None means not known or not yet.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

DEFAULT_GRACE_S = 10.0
DEFAULT_OUTPUT_BYTES = 64 << 20


class Kind(StrEnum):
    """How a command is launched."""

    COMMAND = "command"
    NODE = "node"
    PYTHON = "python"


class State(StrEnum):
    """Where a task is in its life. The transitions are in supervisor/machine.py."""

    QUEUED = "queued"
    BACKOFF = "backoff"
    STARTING = "starting"
    RUNNING = "running"
    RECYCLING = "recycling"
    SPLITTING = "splitting"
    """Asked to end what it has in hand: what is left goes to children."""
    STOPPING = "stopping"
    SPLIT = "split"
    """Waits for its children."""
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"
    QUARANTINED = "quarantined"

    @property
    def ended(self) -> bool:
        return self in ENDED

    @property
    def live(self) -> bool:
        """A process of it may exist."""
        return self in LIVE


ENDED = frozenset((State.DONE, State.FAILED, State.STOPPED, State.LOST, State.QUARANTINED))
ENDED_BADLY = frozenset((State.FAILED, State.LOST, State.QUARANTINED))
LIVE = frozenset((State.STARTING, State.RUNNING, State.RECYCLING, State.SPLITTING, State.STOPPING))


class VerdictKind(StrEnum):
    """Why an attempt ended. What each rests on is in supervisor/verdicts.py."""

    FINISHED = "finished"
    FAILED = "failed"
    ABORTED = "aborted"
    BAD_LAUNCH = "bad-launch"
    V8_HEAP = "v8-heap-limit"
    NATIVE_OOM = "native-oom"
    """Memory beside the heap: buffers, reservations, the limits of worker_threads."""
    PYTHON_MEMORY = "python-memory-error"
    CAP = "cap"
    HOST_OOM = "host-oom"
    STOPPED = "stopped"
    TIMED_OUT = "timed-out"
    KILLED = "killed-from-outside"
    LOST = "lost"
    UNKNOWN = "unknown"

    @property
    def out_of_memory(self) -> bool:
        return self in OUT_OF_MEMORY


OUT_OF_MEMORY = frozenset(
    (
        VerdictKind.V8_HEAP,
        VerdictKind.NATIVE_OOM,
        VerdictKind.PYTHON_MEMORY,
        VerdictKind.CAP,
        VerdictKind.HOST_OOM,
    )
)


class Verdict(Struct, frozen=True):
    """Why an attempt ended: one sentence for the operator, and what it rests on."""

    kind: VerdictKind
    text: str
    evidence: tuple[str, ...] = ()


class CapMeans(StrEnum):
    """What enforces a cap, strongest first."""

    CGROUP2 = "cgroup v2"
    CGROUP1 = "cgroup v1"
    RLIMIT = "rlimit and watchdog"
    WATCHDOG = "watchdog"


class Limits(Struct, frozen=True, kw_only=True):
    """What a task may use. `cap_bytes` None: a share of the host's memory; `soft_bytes` None: the
    policy's share of the cap."""

    cap_bytes: int | None = None
    soft_bytes: int | None = None
    heap_bytes: int | None = None
    timeout_s: float | None = None
    grace_s: float = DEFAULT_GRACE_S
    output_bytes: int = DEFAULT_OUTPUT_BYTES


class TaskSpec(Struct, frozen=True, kw_only=True):
    """What the operator asked for.

    `env` are the variables given with the task, over the submitter's environment, or alone with
    `clean_env` (then only PATH, HOME, USER, LANG, TERM and the like are kept). `preset` names a set
    of heap limits and flags (runtime/presets). `preload` lets heaptui look into the heaps of Node
    and Python processes from inside; `tracemalloc` is how many frames Python remembers of each
    allocation, 0 for none (it costs several times the CPU). `retry_lost`: an attempt of which
    nobody knows how it ended is followed by another, checkpoint or not. `gc` as in the policy
    (config.py), None: as the policy says.
    """

    argv: tuple[str, ...]
    cwd: str
    name: str = ""
    kind: Kind = Kind.COMMAND
    limits: Limits = Limits()
    priority: int = 0
    retries: int = 0
    env: dict[str, str] = {}
    clean_env: bool = False
    preset: str = ""
    preload: bool = True
    tracemalloc: int = 0
    retry_lost: bool = False
    gc: str | None = None


class Identity(Struct, frozen=True):
    """A process that cannot be mistaken for a later one with the same pid.

    `start` is the raw field 22 of /proc/PID/stat (clock ticks since boot); where there is no
    /proc, the creation time in microseconds.
    """

    boot_id: str
    pid: int
    start: int


class ProcessSample(Struct, frozen=True):
    """One process of a task's tree. `depth` 0 is the leader."""

    pid: int
    ppid: int
    depth: int
    command: str
    rss_bytes: int
    cpu_percent: float | None = None


class TaskSample(Struct, frozen=True, kw_only=True):
    """One reading of a task's whole tree.

    `memory_bytes` is the figure that is judged against the cap: the cgroup's usage less its
    inactive page cache where there is a memory cgroup, else PSS where several processes share
    pages and it is fresh, else RSS. `memory_from` says which: `cgroup`, `pss` or `rss`.
    """

    task_id: str
    attempt: int
    memory_bytes: int
    memory_from: str
    rss_bytes: int
    processes: int
    pss_bytes: int | None = None
    uss_bytes: int | None = None
    cpu_percent: float | None = None


class ProcessHeap(Struct, frozen=True, kw_only=True):
    """One runtime's heap as its process reported it: bytes and seconds.

    `at` is when the figures were true. `main`: idle, busy or native (wire.py). `limit_bytes`
    is the real limit (V8: old + 3 x semi). `external_bytes` lies beside the heap,
    `array_buffers_bytes` of it in ArrayBuffers. `can` holds of gc, snapshot what it can do, `why`
    the reason for what it cannot.
    """

    pid: int
    ppid: int
    runtime: str
    version: str
    at: float
    title: str = ""
    main: str = "idle"
    used_bytes: int | None = None
    committed_bytes: int | None = None
    limit_bytes: int | None = None
    external_bytes: int | None = None
    array_buffers_bytes: int | None = None
    old_bytes: int | None = None
    new_bytes: int | None = None
    rss_bytes: int | None = None
    blocks: int | None = None
    traced_bytes: int | None = None
    gc_count: int | None = None
    gc_s: float | None = None
    loop_delay_s: float | None = None
    requests: int | None = None
    can: tuple[str, ...] = ()
    why: dict[str, str] = {}


class Work(Struct, frozen=True, kw_only=True):
    """What an attempt's worker told of its work: see the work half of wire.py.

    `done` of `total` units, whatever they are, and `text` what it is at. `checkpoints` and
    `checkpoint_at` count those of this attempt that stand on disk, `checkpoint_bytes` is the newest
    one's size. `result_bytes` is set once its result stands, `drained` once it said that it kept
    what it had in hand and ends. `can` holds of checkpoint, drain what it can be asked for.
    `items_done` counts the lines of $HEAPTUI_DONE, of every attempt, None where the task names
    nothing that it works through; `hand` are the items it says it has begun. `context_tokens` of
    `context_limit` is how full its model's context was at the latest call.
    """

    at: float
    done: float | None = None
    total: float | None = None
    text: str = ""
    checkpoints: int = 0
    checkpoint_at: float | None = None
    checkpoint_bytes: int | None = None
    result_bytes: int | None = None
    drained: bool = False
    can: tuple[str, ...] = ()
    items_done: int | None = None
    hand: tuple[str, ...] = ()
    context_tokens: int | None = None
    context_limit: int | None = None


class HostSample(Struct, frozen=True, kw_only=True):
    """One reading of the machine. Pressure is PSI memory `some avg10` in percent."""

    at: float
    name: str
    mem_total_bytes: int
    mem_available_bytes: int
    swap_total_bytes: int = 0
    swap_used_bytes: int = 0
    pressure: float | None = None
    pressure_full: float | None = None


class Event(Struct, frozen=True, kw_only=True):
    """One line of a task's history: when, what, with figures in the text."""

    at: float
    task_id: str
    attempt: int
    kind: str
    text: str
    seq: int = 0


class Row(Struct, frozen=True, kw_only=True):
    """A task as every picture and every listing shows it: `heaptui ps --json` prints these fields.

    `exit_code` is None and `signal` set when a signal ended it. `peak_bytes` is the largest of all
    attempts, `attempts` how many were begun. `spark` are 20 means of memory over the last ten
    minutes, oldest first, in KiB, None where there was no sample. `wait_reason` says what a task
    that cannot run waits for; `verdict` and `reason` why the last attempt ended.

    The heap's figures are those of the largest heap of the task's processes, `heaps` how many
    report one; `heap_absent` says why none does. `heap_peak_bytes` is of the current attempt.

    `soft_bytes` is where the policy begins to act, `doing` what it does now, `expected_bytes` the
    peak that admission reckons with. `done` of `total` and `progress` are what the worker tells of
    its work; `checkpoint_at` is of the newest checkpoint of any attempt that stands, `can` what the
    worker can be asked for. `recycles`, and `ooms` that were followed by another attempt, count
    since the operator last retried it.

    `items` counts what it works through, None where it names nothing, `items_done` how many of them
    are done. `parent` is the task that was split into it and `children` others, `part` its number
    among them (from 1), `depth` how many splits lie above it, `title` what it is to do, `after` the
    ids of those that it builds on. A task that was split into `children` shows the sums of theirs:
    memory, growth, CPU, processes, items done.
    """

    id: str
    name: str
    kind: Kind
    state: State
    argv: tuple[str, ...]
    cwd: str
    created_at: float
    pid: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    attempts: int = 0
    rss_bytes: int | None = None
    peak_bytes: int | None = None
    cap_bytes: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    cap_source: str = "given"
    cap_means: CapMeans | None = None
    memory_bytes: int | None = None
    memory_from: str | None = None
    pss_bytes: int | None = None
    uss_bytes: int | None = None
    growth_bytes_per_min: float | None = None
    to_cap_s: float | None = None
    cpu_percent: float | None = None
    processes: int | None = None
    heap_used_bytes: int | None = None
    heap_limit_bytes: int | None = None
    external_bytes: int | None = None
    heap_peak_bytes: int | None = None
    heaps: int = 0
    heap_absent: str | None = None
    preset: str = ""
    output_bytes: int = 0
    timeout_s: float | None = None
    grace_s: float = DEFAULT_GRACE_S
    priority: int = 0
    retries: int = 0
    verdict: VerdictKind | None = None
    reason: str | None = None
    wait_reason: str | None = None
    next_try_at: float | None = None
    spark: tuple[int | None, ...] = ()
    soft_bytes: int | None = None
    doing: str | None = None
    expected_bytes: int | None = None
    done: float | None = None
    total: float | None = None
    progress: str = ""
    checkpoint_at: float | None = None
    checkpoint_bytes: int | None = None
    result_bytes: int | None = None
    can: tuple[str, ...] = ()
    recycles: int = 0
    ooms: int = 0
    items: int | None = None
    items_done: int | None = None
    context_tokens: int | None = None
    context_limit: int | None = None
    parent: str | None = None
    part: int = 0
    depth: int = 0
    title: str = ""
    after: tuple[str, ...] = ()
    children: int = 0


class Alert(Struct, frozen=True, kw_only=True):
    """One line with its figures: a task in danger, or the machine. `task_id` None: the machine.

    `level`: red or amber. `since` is when it began. `meaning` says what it means for the work, and
    `actions` are the ids of the key bindings that act on it, the best first.
    """

    id: str
    level: str
    text: str
    task_id: str | None = None
    since: float = 0
    meaning: str = ""
    actions: tuple[str, ...] = ()


class Host(Struct, frozen=True, kw_only=True):
    """The header's figures: the machine, and what heaptui itself takes.

    `expected_bytes` is what the tasks that run are expected to reach together, `budget_bytes` what
    the operator gives them together, `held` why no task is admitted though there are places.
    `policy`: act, or observe when the memory policy only tells what it would do.
    """

    sample: HostSample | None
    caps_bytes: int = 0
    self_bytes: int = 0
    warden_bytes: int | None = None
    running: int = 0
    waiting: int = 0
    failed: int = 0
    paused: bool = False
    concurrency: int = 0
    means: CapMeans | None = None
    store_trouble: str | None = None
    expected_bytes: int = 0
    budget_bytes: int | None = None
    held: str | None = None
    policy: str = "act"


class Series(Struct, frozen=True, kw_only=True):
    """Memory of one task over time, oldest first; a gap is None.

    `step_s` seconds between two points, `until` the instant of the last one; `low` and `high` are
    the extremes within a step (equal to each other at one-second steps).
    """

    task_id: str
    step_s: float
    until: float
    low: tuple[int | None, ...]
    high: tuple[int | None, ...]


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One try, as the store keeps it (a row of `worker_sessions`)."""

    id: int
    task_id: str
    attempt: int
    name: str
    kind: Kind
    status: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    pid: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    peak_bytes: int | None = None
    heap_peak_bytes: int | None = None
    cap_bytes: int | None = None
    cap_means: CapMeans | None = None
    verdict: VerdictKind | None = None
    reason: str | None = None
    evidence: tuple[str, ...] = ()


class Detail(Struct, frozen=True, kw_only=True):
    """Everything about one task; environment values are never in it, only the names."""

    row: Row
    attempts: tuple[AttemptRecord, ...] = ()
    events: tuple[Event, ...] = ()
    processes: tuple[ProcessSample, ...] = ()
    heaps: tuple[ProcessHeap, ...] = ()
    env_names: tuple[str, ...] = ()
    output_path: str | None = None
    output_given_back: int = 0
    launch: tuple[str, ...] = ()


class Collection(Struct, frozen=True, kw_only=True):
    """What a garbage collection of one process did. `took_s` from the key to the answer, `pause_s`
    of it the program stood still. `text` is the sentence for the operator; when nothing came back
    it says why. `error` is set instead of figures when it could not be done."""

    task_id: str
    attempt: int
    pid: int
    runtime: str
    text: str
    flavour: str = ""
    took_s: float = 0
    pause_s: float = 0
    heap_before: int | None = None
    heap_after: int | None = None
    rss_before: int | None = None
    rss_after: int | None = None
    error: str | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    """A heap snapshot on disk. `format`: `v8` or `python`. `extra_bytes` is how much the process
    grew while it wrote. `why`: operator or hunt."""

    id: int
    task_id: str
    attempt: int
    name: str
    pid: int
    runtime: str
    version: str
    format: str
    at: float
    path: str
    bytes: int
    seconds: float
    pause_s: float | None = None
    heap_bytes: int | None = None
    rss_bytes: int | None = None
    extra_bytes: int | None = None
    why: str = "operator"


class SnapshotPlan(Struct, frozen=True, kw_only=True):
    """What a snapshot of this process would take, and whether there is room for it.

    `verdict`: `fits`; `raise`: fits when the cap is raised to `raise_to_bytes` while it is written;
    `ask`: there is room beside the estimate's uncertainty only: the operator may insist; `refused`.
    `basis` says what the estimate rests on. `text` is the sentence for the operator, `reasons` the
    arithmetic, a line each. The room is None where nothing bounds it.
    """

    task_id: str
    attempt: int
    name: str
    pid: int
    runtime: str
    verdict: str
    text: str
    basis: str
    heap_bytes: int | None = None
    seconds: float | None = None
    extra_bytes: int | None = None
    file_bytes: int | None = None
    cap_room_bytes: int | None = None
    host_room_bytes: int | None = None
    disk_room_bytes: int | None = None
    raise_to_bytes: int | None = None
    directory: str = ""
    reasons: tuple[str, ...] = ()


class Activity(Struct, frozen=True, kw_only=True):
    """Long work that heaptui does now. `kind`: gc, snapshot, hunt. `fraction` 0 to 1 where it is
    known; `expected_s` the estimate of the whole. `text` leaves it to `cancellable` to say that."""

    id: str
    kind: str
    text: str
    began_at: float
    task_id: str | None = None
    name: str = ""
    expected_s: float | None = None
    fraction: float | None = None
    cancellable: bool = False


class Grower(Struct, frozen=True, kw_only=True):
    """A class of objects that a leak hunt saw grow."""

    name: str
    bytes_per_min: float
    bytes: int
    count: int


class Finding(Struct, frozen=True, kw_only=True):
    """How a leak hunt ended. `text` is the finding in words. `growers` the classes, worst first;
    `path` the shortest retainer path that the new objects share, from the root; `holder` the
    variable or property that holds them, `function`, `file` and `line` where it lives. `before` and
    `after` are the ids of the two snapshots. `cut_short` says why it ended early, if it did."""

    id: int
    task_id: str
    attempt: int
    name: str
    pid: int
    at: float
    seconds: float
    text: str
    growers: tuple[Grower, ...] = ()
    path: tuple[str, ...] = ()
    holder: str | None = None
    function: str | None = None
    file: str | None = None
    line: int | None = None
    before: int | None = None
    after: int | None = None
    cut_short: str | None = None


class SelfPart(Struct, frozen=True):
    """One figure of heaptui itself: now, and when it began; `unit`: bytes or count."""

    name: str
    now: int
    at_start: int | None
    unit: str = "count"
    note: str = ""


class SelfReport(Struct, frozen=True, kw_only=True):
    """What the supervisor's own process consists of, and how that has moved since `since`."""

    at: float
    since: float
    pid: int
    parts: tuple[SelfPart, ...]
    trend: tuple[tuple[float, int], ...] = ()
    verdict: str = ""


class ResultFile(Struct, frozen=True, kw_only=True):
    """What a task's worker handed in as its result: a file of this many bytes."""

    task_id: str
    attempt: int
    path: str
    bytes: int
    at: float


class PeakRecord(Struct, frozen=True, kw_only=True):
    """One ended attempt as the measures show it: its peak in bytes against its duration."""

    at: float
    peak_bytes: int
    seconds: float
    verdict: VerdictKind


class ProfileMeasures(Struct, frozen=True, kw_only=True):
    """What tasks of one kind and name needed: the latest `records`, newest first, of `attempts` in
    all. Quantiles of their peaks in bytes; `suggested_cap_bytes` is what their caps had better be,
    None while too few have ended to say. `ooms` counts verdicts that are out of memory."""

    kind: Kind
    name: str
    attempts: int
    ooms: int
    p50_bytes: int
    p95_bytes: int
    max_bytes: int
    cap_bytes: int | None
    suggested_cap_bytes: int | None
    records: tuple[PeakRecord, ...] = ()


class Quantiles(Struct, frozen=True, kw_only=True):
    """Of `count` observations, in seconds; None where there are none."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class Measures(Struct, frozen=True, kw_only=True):
    """How it went so far: per profile what it needed, attempts by verdict, and how long a task that
    could run waited for its start (`dispatch`), since this supervisor began."""

    at: float
    since: float
    profiles: tuple[ProfileMeasures, ...]
    verdicts: dict[str, int]
    dispatch: Quantiles
    recycles: int = 0
