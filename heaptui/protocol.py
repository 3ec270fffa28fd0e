"""Every message on the operators' wire, typed: newline-delimited JSON over a unix socket.

A client sends `Call`s and reads `Reply`s with the same `seq`; after the call `watch` the same
connection also carries one stream: a `Picture`, then `Change`s. The answer's shape is fixed by the
call: see `CALLS`.

Who is slow loses pictures, never correctness: a subscriber whose buffer is full is sent a fresh
`Picture` when it reads again.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from msgspec import Struct

from heaptui.inputs import Inputs, Share, SplitPlan, SplitReport
from heaptui.model import (
    Activity,
    Alert,
    AttemptRecord,
    Collection,
    Detail,
    Event,
    Finding,
    Host,
    Measures,
    ResultFile,
    Row,
    SelfReport,
    Series,
    Snapshot,
    SnapshotPlan,
    TaskSpec,
)

VERSION = 1
LINE_MAX = 32 << 20
"""Bytes of the longest line either side accepts."""


_ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


def new_ids(n: int) -> list[str]:
    """Random task ids: ten letters of Crockford's base 32. Among a hundred thousand tasks the odds
    that two share one are one in two hundred thousand; any unique beginning of one will do."""
    return ["".join(secrets.choice(_ID_LETTERS) for _ in range(10)) for _ in range(n)]


# --- calls -------------------------------------------------------------------------------------
class Hello(Struct, tag="hello", frozen=True):
    """First on every connection."""

    client: str
    version: int = VERSION


class Submit(Struct, tag="submit", frozen=True, kw_only=True):
    """Queue tasks; `environment` is the submitter's whole environment. Answer: list of ids.

    The submitter chooses the ids (`new_ids`), so that a submission sent again after a hand-over
    queues nothing twice; it then says `again`. `inputs` is parallel to `specs`, or empty: what each
    works through.
    """

    ids: list[str]
    specs: list[TaskSpec]
    environment: dict[str, str]
    again: bool = False
    inputs: list[Inputs | None] = []


class ListTasks(Struct, tag="list", frozen=True):
    """Answer: `list[Row]`, ended ones too with `all`; with `ids` only those, if they are held."""

    all: bool = False
    ids: list[str] = []


class Show(Struct, tag="show", frozen=True):
    """Answer: `Detail`. `task` is an id, a unique prefix of one, or a unique name."""

    task: str
    events: int = 200


class History(Struct, tag="history", frozen=True):
    """Ended attempts, newest first. Answer: `list[AttemptRecord]`."""

    limit: int = 100
    match: str = ""


class RecentEvents(Struct, tag="events", frozen=True):
    """What happened: to one task, or to all and to the machine (an event without a task id). Those
    behind the number `since` only. Answer: `list[Event]`, the latest `limit`, oldest first."""

    limit: int = 100
    task: str | None = None
    since: int = 0


class GetSeries(Struct, tag="series", frozen=True):
    """Answer: `Series` of the last `span_s` seconds, at the finest step that holds it."""

    task: str
    span_s: float = 1800


class Stop(Struct, tag="stop", frozen=True, kw_only=True):
    """Stop tasks: TERM to the tree, grace, then kill; with `now` kill at once.

    With `attempts` (parallel to `tasks`) a task is only touched while that attempt is the current
    one: what a dialog showed is what is stopped. `drain` asks the leader alone to finish what it
    has in hand first, and stops what has not ended when `grace_s` is over. Answer: `list[Row]` as
    they are now.
    """

    tasks: list[str]
    attempts: list[int] | None = None
    now: bool = False
    drain: bool = False
    grace_s: float | None = None


class Retry(Struct, tag="retry", frozen=True):
    """Queue ended tasks for another attempt. Answer: `list[Row]`.

    With `attempts` (parallel to `tasks`) one whose last attempt is another by now is left alone.
    """

    tasks: list[str]
    attempts: list[int] | None = None


class Forget(Struct, tag="forget", frozen=True):
    """Delete ended tasks with their output and environment. Answer: how many."""

    tasks: list[str]


class Dispatch(Struct, tag="dispatch", frozen=True):
    """None only asks. `policy`: act or observe. Answer: `Host`."""

    paused: bool | None = None
    concurrency: int | None = None
    policy: str | None = None


class Watch(Struct, tag="watch", frozen=True):
    """Begin the stream on this connection. Answer: None."""


class Settled(Struct, tag="settled", frozen=True):
    """Wait until every named task has ended. Answer: `list[Row]`."""

    tasks: list[str]


class Leave(Struct, tag="leave", frozen=True):
    """End this supervisor and let the warden bring another when work is live. Answer: None."""


class Collect(Struct, tag="gc", frozen=True, kw_only=True):
    """Collect garbage in every heap of these tasks, or in that of `pid` alone. Answer:
    `list[Collection]`, one for each process asked."""

    tasks: list[str]
    attempts: list[int] | None = None
    pid: int | None = None


class PlanSnapshot(Struct, tag="plan_snapshot", frozen=True, kw_only=True):
    """What a snapshot would take. `pid` None: the process with the largest heap. `path` None: in
    the state directory. Answer: `SnapshotPlan`."""

    task: str
    pid: int | None = None
    path: str | None = None


class TakeSnapshot(Struct, tag="snapshot", frozen=True, kw_only=True):
    """Take one; answered when it is written. `raise_cap` allows the cap to be raised while it is
    written, `insist` goes on where the plan says `ask`. Answer: `Snapshot`.

    What a dialog planned is what is taken: with `attempt` the task must still be in it.
    """

    task: str
    attempt: int | None = None
    pid: int | None = None
    path: str | None = None
    raise_cap: bool = False
    insist: bool = False


class ListSnapshots(Struct, tag="snapshots", frozen=True):
    """Answer: `list[Snapshot]`, newest first, of one task or of all."""

    task: str | None = None


class DeleteSnapshots(Struct, tag="delete_snapshots", frozen=True):
    """Delete files and records. Answer: how many."""

    ids: list[int]


class Hunt(Struct, tag="hunt", frozen=True, kw_only=True):
    """Hunt a leak: collect, snapshot, wait for `seconds` or until so many `requests` were seen,
    collect, snapshot, compare. Answer: `Finding`, when it is over. One who hangs up does not stop
    it: it is an activity, and its finding is kept."""

    task: str
    attempt: int | None = None
    pid: int | None = None
    seconds: float = 120.0
    requests: int | None = None
    raise_cap: bool = False


class ListFindings(Struct, tag="findings", frozen=True):
    """Answer: `list[Finding]`, newest first, of one task or of all."""

    task: str | None = None


class CancelActivity(Struct, tag="cancel", frozen=True):
    """End an activity that can be cancelled. Answer: whether there was one."""

    id: str


class Raise(Struct, tag="raise", frozen=True, kw_only=True):
    """A larger cap or heap limit for the next attempt. Refused with the arithmetic where the
    machine does not have it. Answer: `list[Row]`."""

    tasks: list[str]
    attempts: list[int] | None = None
    cap_bytes: int | None = None
    heap_bytes: int | None = None


class Recycle(Struct, tag="recycle", frozen=True, kw_only=True):
    """Checkpoint, end, start again from it with a clean heap. A task whose worker keeps no
    checkpoints is refused, unless `insist`: it then begins anew. Answer: `list[Row]`, when each has
    ended its attempt or was found unable."""

    tasks: list[str]
    attempts: list[int] | None = None
    insist: bool = False


class PlanSplit(Struct, tag="plan_split", frozen=True, kw_only=True):
    """How a task would be divided. `strategy` empty: the first that it has. `into` so many
    children, else by `budget_tokens`, what one child's context may take (None: as configured).
    `planner` is a command that proposes the shares. Answer: `SplitPlan`."""

    task: str
    strategy: str = ""
    into: int | None = None
    budget_tokens: int | None = None
    planner: tuple[str, ...] = ()


class Split(Struct, tag="split", frozen=True, kw_only=True):
    """Divide it so: what was planned, or what the operator made of it. What is left of the task
    must be in one of the shares or in `left_out`, once. With `attempt` the task must still be in
    it. `reduce` is a command that makes one result of the children's (empty: they are joined in
    their order), `insist` divides a task that is itself a part of a part. `key` is the caller's
    name for this request, so that one sent again is answered as the first. Answer: `SplitReport`,
    when the worker has ended and the children are queued."""

    task: str
    shares: list[Share]
    attempt: int | None = None
    strategy: str = ""
    timeout_s: float | None = None
    left_out: list[str] = []
    reduce: tuple[str, ...] = ()
    insist: bool = False
    key: str = ""


class GetResult(Struct, tag="result", frozen=True):
    """Answer: `ResultFile`."""

    task: str


class GetMeasures(Struct, tag="measures", frozen=True):
    """Peaks by profile, with the latest `records` of each. Answer: `Measures`."""

    records: int = 200


class GetMetrics(Struct, tag="metrics", frozen=True):
    """Answer: the OpenMetrics text, a string. The socket answers `GET /metrics` too."""


class LookAtSelf(Struct, tag="self", frozen=True):
    """Answer: `SelfReport`."""


class Ping(Struct, tag="ping", frozen=True):
    """Answer: `Pong`."""


AnyCall = (
    Hello
    | Submit
    | ListTasks
    | Show
    | History
    | RecentEvents
    | GetSeries
    | Stop
    | Retry
    | Forget
    | Dispatch
    | Watch
    | Settled
    | Leave
    | Collect
    | PlanSnapshot
    | TakeSnapshot
    | ListSnapshots
    | DeleteSnapshots
    | Hunt
    | ListFindings
    | CancelActivity
    | Raise
    | Recycle
    | PlanSplit
    | Split
    | GetResult
    | GetMeasures
    | GetMetrics
    | LookAtSelf
    | Ping
)


class Pong(Struct, frozen=True, kw_only=True):
    """Who answers."""

    version: str
    pid: int
    warden_pid: int | None
    supervisor_id: str
    embedded: bool
    since: float


CALLS: dict[type[Struct], Any] = {
    Hello: Pong,
    Submit: list[str],
    ListTasks: list[Row],
    Show: Detail,
    History: list[AttemptRecord],
    RecentEvents: list[Event],
    GetSeries: Series,
    Stop: list[Row],
    Retry: list[Row],
    Forget: int,
    Dispatch: Host,
    Watch: None,
    Settled: list[Row],
    Leave: None,
    Collect: list[Collection],
    PlanSnapshot: SnapshotPlan,
    TakeSnapshot: Snapshot,
    ListSnapshots: list[Snapshot],
    DeleteSnapshots: int,
    Hunt: Finding,
    ListFindings: list[Finding],
    CancelActivity: bool,
    Raise: list[Row],
    Recycle: list[Row],
    PlanSplit: SplitPlan,
    Split: SplitReport,
    GetResult: ResultFile,
    GetMeasures: Measures,
    GetMetrics: str,
    LookAtSelf: SelfReport,
    Ping: Pong,
}
"""What each call is answered with."""


class Call(Struct, frozen=True):
    seq: int
    call: AnyCall


# --- answers and the stream --------------------------------------------------------------------
class Fault(Struct, frozen=True):
    """An error of the family in errors.py on the wire."""

    kind: str
    what: str
    remedy: str = ""


class Reply(Struct, tag="reply", frozen=True, kw_only=True):
    seq: int
    answer: msgspec.Raw = msgspec.Raw(b"null")
    fault: Fault | None = None


class Picture(Struct, tag="picture", frozen=True, kw_only=True):
    """Everything the table shows. `ended` tasks are the most recent ones only."""

    at: float
    host: Host
    rows: list[Row]
    alerts: list[Alert]
    events: list[Event] = []
    activities: list[Activity] = []


class Change(Struct, tag="change", frozen=True, kw_only=True):
    """What changed since the last message: whole rows, ids that left; None is unchanged."""

    at: float
    rows: list[Row] = []
    gone: list[str] = []
    host: Host | None = None
    alerts: list[Alert] | None = None
    events: list[Event] = []
    activities: list[Activity] | None = None


class Bye(Struct, tag="bye", frozen=True):
    """This supervisor leaves in order; another one may follow."""

    reason: str


Downstream = Reply | Picture | Change | Bye

encode = msgspec.json.Encoder().encode
decode_call = msgspec.json.Decoder(Call).decode
decode_downstream = msgspec.json.Decoder(Downstream).decode
