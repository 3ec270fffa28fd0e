"""The database's tables, and how one version becomes the next.

`PRAGMA user_version` is the schema's version, `PRAGMA application_id` says that a file is ours.
Comments inside the statements are kept by SQLite: `.schema` in the sqlite3 shell prints them.
"""

from __future__ import annotations

from collections.abc import Sequence

import aiosqlite

from heaptui.errors import Refused

APPLICATION_ID = 0x48454150
"""`HEAP` in ASCII."""

_ENDED = "('done', 'failed', 'stopped', 'lost', 'quarantined')"
HAS_ENDED = f"state IN {_ENDED}"
IS_UNENDED = f"state NOT IN {_ENDED}"
"""Spelled the same in a query's WHERE as in the partial index, else SQLite does not use that."""

_ENDED_AT_FIRST = "('done', 'failed', 'stopped', 'lost')"

_FIRST = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    """\
CREATE TABLE tasks (
  -- what operators asked for; instants are unix seconds, sizes bytes
  id TEXT PRIMARY KEY NOT NULL,
  sequence INTEGER NOT NULL,    -- order of arrival
  name TEXT NOT NULL,
  kind TEXT NOT NULL,           -- command, node, python
  state TEXT NOT NULL,          -- queued backoff starting running stopping done failed stopped lost
  spec TEXT NOT NULL,           -- JSON: argv, cwd, limits, retries and the variables given with it
  created_at REAL NOT NULL,
  started_at REAL,
  ended_at REAL,
  attempts INTEGER NOT NULL,    -- how many were begun
  failures INTEGER NOT NULL,    -- how much of the retry budget is used
  cap_bytes INTEGER,
  cap_source TEXT NOT NULL,
  peak_bytes INTEGER,           -- the largest of all attempts
  exit_code INTEGER,
  signal INTEGER,
  verdict TEXT,
  reason TEXT,
  next_try_at REAL,
  stop_by REAL,                 -- when a stop turns into a kill
  stop_why TEXT,                -- stop, kill, timeout
  environment TEXT NOT NULL DEFAULT '',  -- names the file it is kept in
  pid INTEGER,                  -- of the latest attempt, as what follows
  cap_means TEXT,
  output_bytes INTEGER NOT NULL DEFAULT 0,
  heap_limit_bytes INTEGER
)""",
    "CREATE INDEX tasks_by_sequence ON tasks (sequence, id)",
    "CREATE INDEX tasks_by_name ON tasks (name)",
    f"CREATE INDEX tasks_unended ON tasks (sequence, id) WHERE state NOT IN {_ENDED_AT_FIRST}",
    f"CREATE INDEX tasks_by_end ON tasks (ended_at, sequence) WHERE state IN {_ENDED_AT_FIRST}",
    """\
CREATE TABLE worker_sessions (
  -- one row per attempt; instants are unix seconds, MB is 2^20 bytes
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  supervisor_id TEXT NOT NULL,  -- who began it
  task_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,     -- 1, 2, ...
  name TEXT NOT NULL,
  base_name TEXT NOT NULL,      -- name without the /3 of one of several copies
  agent_type TEXT NOT NULL,     -- command, node, python
  status TEXT NOT NULL,
  created_at REAL NOT NULL,
  started_at REAL,
  ended_at REAL,
  pid INTEGER,
  exit_code INTEGER,            -- NULL when a signal ended it
  signal INTEGER,
  memory_peak_mb REAL,          -- of the whole process tree, page cache not counted
  heap_peak_mb REAL,            -- of the runtime's own heap, NULL where it is not known
  cap_mb REAL,
  cap_means TEXT,               -- what enforced the cap
  verdict TEXT,
  reason TEXT,
  evidence TEXT NOT NULL,       -- JSON: a list of strings
  UNIQUE (task_id, attempt)
)""",
    "CREATE INDEX worker_sessions_by_end ON worker_sessions (ended_at)",
    "CREATE INDEX worker_sessions_by_name ON worker_sessions (agent_type, base_name, ended_at)",
    """\
CREATE TABLE events (
  -- every transition, oldest first by seq
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  task_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL
)""",
    "CREATE INDEX events_by_task ON events (task_id)",
    """\
CREATE TABLE rollups (
  -- memory of an attempt within one minute, in bytes; minute is unix time / 60
  task_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  low INTEGER NOT NULL,
  high INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (task_id, attempt, minute)
) WITHOUT ROWID""",
    "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT)",
)

_SECOND = (
    """\
CREATE TABLE snapshots (
  -- heap snapshots on disk; sizes are bytes
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  name TEXT NOT NULL,           -- of the task, which may be forgotten before the file is
  base_name TEXT NOT NULL,      -- name without the /3 of one of several copies
  pid INTEGER NOT NULL,
  runtime TEXT NOT NULL,        -- node, python
  version TEXT NOT NULL,
  format TEXT NOT NULL,         -- v8, python
  at REAL NOT NULL,
  path TEXT NOT NULL,
  bytes INTEGER NOT NULL,       -- of the file
  seconds REAL NOT NULL,        -- that it took
  pause_s REAL,                 -- that the program stood still
  heap_bytes INTEGER,
  rss_bytes INTEGER,
  extra_bytes INTEGER,          -- how much the process grew meanwhile
  why TEXT NOT NULL,            -- operator, hunt
  deleted INTEGER NOT NULL DEFAULT 0  -- 1: the file is gone, what it cost is still known
)""",
    "CREATE INDEX snapshots_by_task ON snapshots (task_id)",
    """\
CREATE TABLE findings (
  -- how leak hunts ended
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  name TEXT NOT NULL,
  pid INTEGER NOT NULL,
  at REAL NOT NULL,
  seconds REAL NOT NULL,
  text TEXT NOT NULL,           -- the finding in words
  growers TEXT NOT NULL,        -- JSON: name, bytes_per_min, bytes, count of each class
  retainers TEXT NOT NULL,      -- JSON: the path from the root, a list of strings
  holder TEXT,
  function TEXT,
  file TEXT,
  line INTEGER,
  first_snapshot INTEGER,       -- ids in snapshots
  last_snapshot INTEGER,
  cut_short TEXT                -- why it ended early
)""",
    "CREATE INDEX findings_by_task ON findings (task_id)",
)

WIDER_TASKS = (
    # JSON: what earlier attempts used up of the task's chances
    "ALTER TABLE tasks ADD COLUMN recovery TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE tasks ADD COLUMN checkpoint_at REAL",
    "ALTER TABLE tasks ADD COLUMN checkpoint_bytes INTEGER",
    "ALTER TABLE tasks ADD COLUMN result_bytes INTEGER",
)
"""What the third version adds to the tasks of the first."""

_THIRD = (
    *WIDER_TASKS,
    "DROP INDEX tasks_unended",
    "DROP INDEX tasks_by_end",
    f"CREATE INDEX tasks_unended ON tasks (sequence, id) WHERE {IS_UNENDED}",
    f"CREATE INDEX tasks_by_end ON tasks (ended_at, sequence) WHERE {HAS_ENDED}",
)

DIVIDED_TASKS = (
    "ALTER TABLE tasks ADD COLUMN parent TEXT NOT NULL DEFAULT ''",  # the id of what was split
    # JSON: the place among those that came of one task by splitting
    "ALTER TABLE tasks ADD COLUMN kin TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE tasks ADD COLUMN items INTEGER",  # how many it works through
    "ALTER TABLE tasks ADD COLUMN items_done INTEGER",
)
"""What the fourth version adds to the tasks."""

_FOURTH = (
    *DIVIDED_TASKS,
    "CREATE INDEX tasks_by_parent ON tasks (parent) WHERE parent <> ''",
    """\
CREATE TABLE inputs (
  -- what a task works through, JSON: source, items (name, tokens, ...), origin
  task_id TEXT PRIMARY KEY NOT NULL,
  inputs TEXT NOT NULL
)""",
    """\
CREATE TABLE divisions (
  -- how a task was split, JSON: its children's ids and slices, what was done by then
  task_id TEXT PRIMARY KEY NOT NULL,
  division TEXT NOT NULL
)""",
)

STEPS: tuple[Sequence[str], ...] = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""`STEPS[n]` turns version n into n + 1. A released step is never changed, only followed."""

VERSION = len(STEPS)


async def version_of(connection: aiosqlite.Connection) -> int:
    """0 for an empty database.

    Raises:
        Refused: the database is another program's.
    """
    application, version, tables = [
        row[0]
        for row in await connection.execute_fetchall(
            "SELECT application_id FROM pragma_application_id"
            " UNION ALL SELECT user_version FROM pragma_user_version"
            " UNION ALL SELECT count(*) FROM sqlite_master"
        )
    ]
    if application not in (0, APPLICATION_ID) or (application == 0 and tables):
        raise Refused(
            "The file is an SQLite database of another program, not heaptui's.",
            "Name another state directory with --state DIR; nothing was changed.",
        )
    return int(version)


async def migrate(
    connection: aiosqlite.Connection, steps: Sequence[Sequence[str]] = STEPS
) -> tuple[int, int]:
    """Brings the database to version `len(steps)`; returns the versions before and after.

    Each step is one transaction: a step that fails leaves the version before it. A second process
    that migrates at the same time waits, then finds the work done.

    Raises:
        Refused: made by a newer heaptui, or by another program.
        sqlite3.Error: a step failed.
    """
    before = version = await version_of(connection)
    if version > len(steps):
        raise Refused(
            f"The state directory's database was made by a newer heaptui (schema {version}, "
            f"this one knows {len(steps)}).",
            "Upgrade heaptui, or name another state directory with --state DIR; "
            "nothing was changed.",
        )
    while version < len(steps):
        await connection.execute("BEGIN IMMEDIATE")
        try:
            version = await version_of(connection)
            if version < len(steps):
                for statement in steps[version]:
                    await connection.execute(statement)
                version += 1
                await connection.execute(f"PRAGMA user_version = {version}")
            await connection.commit()
        except BaseException:
            await connection.rollback()
            raise
    return before, version
