"""What the store keeps beside the nouns of model.py. Bytes, seconds, instants since the epoch."""

from __future__ import annotations

from msgspec import Struct

from heaptui.inputs import Division, Inputs
from heaptui.model import AttemptRecord, CapMeans, Event, State, TaskSpec, VerdictKind


class Recovery(Struct, frozen=True, kw_only=True):
    """What a task's earlier attempts used up of its chances.

    `ooms` counts attempts that ended for lack of memory and were followed by another, `given` of
    them those that were followed by one under a limit that the operator gave. `recycles` counts
    those that were recycled, `recycled_s` the seconds that the latest of them in a row ran,
    `idle_recycles` the latest in a row between which nothing was done (`done_at_recycle`: how much
    was, at the last one). `streak` counts bad ends in a row, each before it had run for a stable
    time; `bad_ends` are their latest instants. `outgrown_bytes` is the largest limit that an
    attempt ran out of. `split_due`: the policy splits it next.
    """

    ooms: int = 0
    given: int = 0
    recycles: int = 0
    recycled_s: float = 0.0
    idle_recycles: int = 0
    done_at_recycle: float | None = None
    streak: int = 0
    bad_ends: tuple[float, ...] = ()
    outgrown_bytes: int | None = None
    split_due: bool = False


class Kin(Struct, frozen=True, kw_only=True):
    """A task's place among those that came of one operator's task by splitting.

    `part` is its number among its siblings (from 1, 0: it is nobody's child), `depth` how many
    splits lie above it, `after` the ids of those that it builds on. `reduces`: it makes one result
    of theirs. `children` counts its own.
    """

    part: int = 0
    depth: int = 0
    title: str = ""
    after: tuple[str, ...] = ()
    reduces: bool = False
    children: int = 0


class StoredTask(Struct, frozen=True, kw_only=True):
    """A task as it is kept between supervisors.

    `order` is its place in the queue among equals (first in, first out), `attempts` how many were
    begun, `failures` how much of the retry budget is used. `cap_bytes` is the cap in force and
    `cap_source` where it came from. `stop_by` is the instant at which a stop turns into a kill,
    `stop_why` one of `stop`, `kill`, `drain`, `recycle`, `split`, `timeout`. `environment` is the
    key of the one it was submitted in. `pid`, `cap_means` and `output_bytes` are of the latest
    attempt; `checkpoint_at` and `checkpoint_bytes` of the newest checkpoint that stands,
    `result_bytes` of the result. `parent` is the id of the task that was split into it and others,
    empty for an operator's own; `items` counts what it works through, None where it names nothing,
    `items_done` what of that was done when it was stored.
    """

    id: str
    spec: TaskSpec
    state: State
    created_at: float
    order: int = 0
    attempts: int = 0
    failures: int = 0
    cap_bytes: int | None = None
    cap_source: str = "given"
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    verdict: VerdictKind | None = None
    reason: str | None = None
    peak_bytes: int | None = None
    next_try_at: float | None = None
    stop_by: float | None = None
    stop_why: str | None = None
    environment: str = ""
    pid: int | None = None
    cap_means: CapMeans | None = None
    output_bytes: int = 0
    heap_limit_bytes: int | None = None
    recovery: Recovery = Recovery()
    checkpoint_at: float | None = None
    checkpoint_bytes: int | None = None
    result_bytes: int | None = None
    parent: str = ""
    kin: Kin = Kin()
    items: int | None = None
    items_done: int | None = None


class Rollup(Struct, frozen=True, kw_only=True):
    """One minute of one attempt's memory, in bytes; `minute` is the epoch minute (time // 60)."""

    task_id: str
    attempt: int
    minute: int
    low: int
    high: int
    last: int


class Batch(Struct, frozen=True, kw_only=True):
    """What is stored together or not at all.

    `inputs` and `divisions` are by task id; a division replaces the task's earlier one.

    A task replaces the one with its id, an attempt the one with its (task id, attempt); an event
    is added (`seq` 0: the store numbers it; otherwise it replaces the one with that number); a
    roll-up is merged with what is known of its minute, so that two supervisors that shared one
    both count.
    """

    tasks: list[StoredTask] = []
    attempts: list[AttemptRecord] = []
    events: list[Event] = []
    rollups: list[Rollup] = []
    inputs: dict[str, Inputs] = {}
    divisions: dict[str, Division] = {}
