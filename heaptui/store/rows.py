"""Records as rows of the tables in schema.py, and back.

What is written can be read: a record that would not come back as it is raises here, in the hands
of whoever wrote it, and never reaches the database.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from heaptui.errors import UsageError
from heaptui.inputs import Division, Inputs
from heaptui.model import AttemptRecord, Event, Finding, Snapshot, TaskSpec
from heaptui.store.records import Batch, Rollup, StoredTask
from heaptui.units import MIB

Value = str | int | float | None
Row = tuple[Value, ...]
Statement = tuple[str, list[Row]]
"""One SQL text and its parameter rows."""

TASK_COLUMNS: Final = (
    "id", "sequence", "name", "kind", "state", "spec", "created_at", "started_at", "ended_at",
    "attempts", "failures", "cap_bytes", "cap_source", "peak_bytes", "exit_code", "signal",
    "verdict", "reason", "next_try_at", "stop_by", "stop_why",
    "environment", "pid", "cap_means", "output_bytes", "heap_limit_bytes",
    "recovery", "checkpoint_at", "checkpoint_bytes", "result_bytes", "parent", "kin", "items",
    "items_done",
)  # fmt: skip
ATTEMPT_COLUMNS: Final = (
    "id", "task_id", "attempt", "name", "agent_type", "status", "created_at", "started_at",
    "ended_at", "pid", "exit_code", "signal", "memory_peak_mb", "heap_peak_mb", "cap_mb",
    "cap_means", "verdict", "reason", "evidence",
)  # fmt: skip
EVENT_COLUMNS: Final = ("seq", "at", "task_id", "attempt", "kind", "text")
ROLLUP_COLUMNS: Final = ("task_id", "attempt", "minute", "low", "high", "last")
SNAPSHOT_COLUMNS: Final = (
    "id", "task_id", "attempt", "name", "pid", "runtime", "version", "format", "at", "path",
    "bytes", "seconds", "pause_s", "heap_bytes", "rss_bytes", "extra_bytes", "why",
)  # fmt: skip
FINDING_COLUMNS: Final = (
    "id", "task_id", "attempt", "name", "pid", "at", "seconds", "text", "growers", "retainers",
    "holder", "function", "file", "line", "first_snapshot", "last_snapshot", "cut_short",
)  # fmt: skip

_ATTEMPT_WRITTEN: Final = (*ATTEMPT_COLUMNS, "supervisor_id", "base_name")
_COPY = re.compile(r"/\d+\Z")
_CHILD = re.compile(r"(?::\d+)+\Z")


def _upsert(
    table: str,
    columns: Sequence[str],
    key: Sequence[str],
    keep: Sequence[str] = (),
    highest: Sequence[str] = (),
) -> str:
    """Of a row that is there, columns of `keep` stay, and those of `highest` never fall."""
    fixed = {*key, *keep, *highest}
    changes = ", ".join(
        [f"{name} = excluded.{name}" for name in columns if name not in fixed]
        + [
            f"{name} = max(ifnull({name}, excluded.{name}), ifnull(excluded.{name}, {name}))"
            for name in highest
        ]
    )
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


PUT_TASK: Final = _upsert("tasks", TASK_COLUMNS, ("id",))
PUT_ATTEMPT: Final = _upsert(
    "worker_sessions",
    _ATTEMPT_WRITTEN,
    ("task_id", "attempt"),
    # whoever began an attempt keeps it, whoever adopted it since
    keep=("id", "supervisor_id"),
    # a supervisor that adopts it has not seen the highest
    highest=("memory_peak_mb", "heap_peak_mb"),
)
PUT_EVENT: Final = _upsert("events", EVENT_COLUMNS, ("seq",))
PUT_ROLLUP: Final = (
    "INSERT INTO rollups (task_id, attempt, minute, low, high, last) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (task_id, attempt, minute) DO UPDATE SET low = min(low, excluded.low),"
    " high = max(high, excluded.high), last = excluded.last"
)
ADD_SNAPSHOT: Final = _insert("snapshots", (*SNAPSHOT_COLUMNS, "base_name"))
ADD_FINDING: Final = _insert("findings", FINDING_COLUMNS)
PUT_INPUTS: Final = _upsert("inputs", ("task_id", "inputs"), ("task_id",))
PUT_DIVISION: Final = _upsert("divisions", ("task_id", "division"), ("task_id",))
PUT_META: Final = _upsert("meta", ("key", "value"), ("key",))


def statements_of(batch: Batch, supervisor_id: str) -> list[Statement]:
    """The batch as SQL, empty parts left out.

    Raises:
        UsageError: a task's spec does not come back from its JSON (text that is no Unicode, a
            number that is not finite).
    """
    parts: list[Statement] = [
        (PUT_TASK, [_task_row(task) for task in batch.tasks]),
        (PUT_ATTEMPT, [_attempt_row(record, supervisor_id) for record in batch.attempts]),
        (PUT_EVENT, [_event_row(event) for event in batch.events]),
        (PUT_ROLLUP, [msgspec.structs.astuple(rollup) for rollup in batch.rollups]),
        (PUT_INPUTS, [(task, _json(held)) for task, held in batch.inputs.items()]),
        (PUT_DIVISION, [(task, _json(made)) for task, made in batch.divisions.items()]),
    ]
    return [part for part in parts if part[1]]


def base_name(name: str) -> str:
    """The name that all copies of one launch share: `eslint` of `eslint/3`; and that all children
    share which one task was split into: `eslint:*` of `eslint:2` and `eslint:2:1`."""
    return _CHILD.sub(":*", _COPY.sub("", name))


def _json(value: Inputs | Division) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError as error:
        raise unstorable("What a task works through", error) from error


def _plain(text: str | None) -> str | None:
    # sentences quote what processes printed and what files are called: bytes that were no UTF-8
    # arrive as lone surrogates, which SQLite refuses; a reason must never fail to be stored
    return text if text is None else text.encode("utf-8", "backslashreplace").decode()


def _task_row(task: StoredTask) -> Row:
    try:
        spec = msgspec.json.encode(task.spec)
        msgspec.json.decode(spec, type=TaskSpec)
        text = spec.decode()
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise unstorable(f"Task {task.id}", error) from error
    return (
        task.id, task.order, task.spec.name, task.spec.kind.value, task.state.value, text,
        task.created_at, task.started_at, task.ended_at, task.attempts, task.failures,
        task.cap_bytes, task.cap_source, task.peak_bytes, task.exit_code, task.signal,
        task.verdict and task.verdict.value, _plain(task.reason), task.next_try_at, task.stop_by,
        task.stop_why, task.environment, task.pid, task.cap_means and task.cap_means.value,
        task.output_bytes, task.heap_limit_bytes, msgspec.json.encode(task.recovery).decode(),
        task.checkpoint_at, task.checkpoint_bytes, task.result_bytes, task.parent,
        msgspec.json.encode(task.kin).decode(), task.items, task.items_done,
    )  # fmt: skip


def unstorable(whose: str, error: Exception) -> UsageError:
    """`whose` begins the sentence."""
    return UsageError(
        f"{whose} holds a value that cannot be stored ({error}).",
        "Use text that is valid Unicode, and finite numbers below 2^63.",
    )


def _megabytes(size: int | None) -> float | None:
    # a division by a power of two loses nothing below 2^53 bytes
    return None if size is None else size / MIB


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else round(megabytes * MIB)


def _attempt_row(record: AttemptRecord, supervisor_id: str) -> Row:
    evidence = [_plain(line) for line in record.evidence]
    return (
        record.id or None, record.task_id, record.attempt, record.name, record.kind.value,
        record.status, record.created_at, record.started_at, record.ended_at, record.pid,
        record.exit_code, record.signal, _megabytes(record.peak_bytes),
        _megabytes(record.heap_peak_bytes), _megabytes(record.cap_bytes),
        record.cap_means and record.cap_means.value,
        record.verdict and record.verdict.value, _plain(record.reason),
        msgspec.json.encode(evidence).decode(), supervisor_id, base_name(record.name),
    )  # fmt: skip


def _event_row(event: Event) -> Row:
    return (
        event.seq or None, event.at, event.task_id, event.attempt, event.kind, _plain(event.text)
    )  # fmt: skip


def snapshot_row(snapshot: Snapshot, number: int) -> Row:
    """Of ADD_SNAPSHOT, under this number."""
    values = (getattr(snapshot, name) for name in SNAPSHOT_COLUMNS[1:])
    plain = (_plain(value) if isinstance(value, str) else value for value in values)
    return (number, *plain, base_name(snapshot.name))


def finding_row(finding: Finding, number: int) -> Row:
    """Of ADD_FINDING, under this number."""
    path = [_plain(step) for step in finding.path]
    return (
        number, finding.task_id, finding.attempt, finding.name, finding.pid, finding.at,
        finding.seconds, _plain(finding.text), msgspec.json.encode(finding.growers).decode(),
        msgspec.json.encode(path).decode(), _plain(finding.holder), _plain(finding.function),
        _plain(finding.file), finding.line, finding.before, finding.after,
        _plain(finding.cut_short),
    )  # fmt: skip


def task_of(row: Sequence[Any]) -> StoredTask:
    """Of a row of TASK_COLUMNS.

    Raises:
        msgspec.MsgspecError, TypeError: the row was not written by heaptui.
    """
    fields = dict(zip(TASK_COLUMNS, row, strict=True))
    fields["order"] = fields.pop("sequence")
    for name in ("spec", "recovery", "kin"):
        fields[name] = msgspec.json.decode(fields[name])
    return msgspec.convert(fields, StoredTask)


def attempt_of(row: Sequence[Any]) -> AttemptRecord:
    """Of a row of ATTEMPT_COLUMNS. Raises as `task_of`."""
    fields = dict(zip(ATTEMPT_COLUMNS, row, strict=True))
    fields["kind"] = fields.pop("agent_type")
    fields["peak_bytes"] = _bytes(fields.pop("memory_peak_mb"))
    fields["heap_peak_bytes"] = _bytes(fields.pop("heap_peak_mb"))
    fields["cap_bytes"] = _bytes(fields.pop("cap_mb"))
    fields["evidence"] = msgspec.json.decode(fields["evidence"])
    return msgspec.convert(fields, AttemptRecord)


def event_of(row: Sequence[Any]) -> Event:
    """Of a row of EVENT_COLUMNS. Raises as `task_of`."""
    return msgspec.convert(dict(zip(EVENT_COLUMNS, row, strict=True)), Event)


def rollup_of(row: Sequence[Any]) -> Rollup:
    """Of a row of ROLLUP_COLUMNS. Raises as `task_of`."""
    return msgspec.convert(dict(zip(ROLLUP_COLUMNS, row, strict=True)), Rollup)


def snapshot_of(row: Sequence[Any]) -> Snapshot:
    """Of a row of SNAPSHOT_COLUMNS. Raises as `task_of`."""
    return msgspec.convert(dict(zip(SNAPSHOT_COLUMNS, row, strict=True)), Snapshot)


def finding_of(row: Sequence[Any]) -> Finding:
    """Of a row of FINDING_COLUMNS. Raises as `task_of`."""
    fields = dict(zip(FINDING_COLUMNS, row, strict=True))
    fields["growers"] = msgspec.json.decode(fields["growers"])
    fields["path"] = msgspec.json.decode(fields.pop("retainers"))
    fields["before"] = fields.pop("first_snapshot")
    fields["after"] = fields.pop("last_snapshot")
    return msgspec.convert(fields, Finding)
